"""Giving an activity to somebody else: it ends `reassigned`, and a new one takes over.

Both in one transaction, each with the other's id. To an agent, the new activity is opened as any;
to a person, it is one whose only run that person carries out: it waits in the inbox until it is
resolved, and the note is its output. Not here: redriving (`redriving`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns import lifecycle, waits
from agentruns.activities import AcceptActivity, start_execution
from agentruns.agent_calls import agent_name, require_going_on
from agentruns.definitions import ActivityRequest
from agentruns.errors import InvalidRequest, StoreConflict, StoreContention
from agentruns.event_types import EventType
from agentruns.ids import activity_id_of, new_activity_id
from agentruns.linking import VISIT_EVERY
from agentruns.model import (
    Activity,
    ActivityInput,
    ActivityRecord,
    Admission,
    Change,
    EvidenceSource,
    NewEvent,
    Problem,
    RetryPolicy,
    Run,
    Trigger,
)
from agentruns.problem_words import REASSIGNED
from agentruns.providers import HumanAdapter
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.subtasks import prepare_for
from agentruns.transact import ATTEMPTS
from agentruns.transitions import end_activity, new_event
from agentruns.wait import LONGEST_WAIT, Wait, WaitKind
from agentruns.wake import text_of

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock, Executions
    from agentruns.waking import WakeExecution

REASON_CONTEXT_KEY = "agentruns_reassign_reason"
PRIOR_OUTPUT_CONTEXT_KEY = "agentruns_prior_output"
"""Where the next one finds why it has the work, and what the one before had produced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassignment:
    """To a role or to a person: one of the two."""

    reason: str
    to_role: str | None = None
    to_user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassigned:
    original_activity_id: str
    new_activity_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Successor:
    activity: Activity
    run: Run
    events: tuple[NewEvent, ...]
    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign:
    """The run that asks is over with it, and so is its task token."""

    activities: ActivityStore
    accept_activity: AcceptActivity
    executions: Executions
    wake_execution: WakeExecution
    clock: Clock

    def __call__(self, tenant: str, run_id: str, wanted: Reassignment) -> Reassigned:
        """RunEnded; RunNotFound; ActivityNotFound; InvalidRequest where it is both or neither, or
        a role that is unknown, disabled or the same; StoreContention."""
        if (wanted.to_role is None) is (wanted.to_user_id is None):
            fault = "give exactly one of toRole and toUserId"
            raise InvalidRequest([("toRole", fault), ("toUserId", fault)])
        activity_id = activity_id_of(run_id)
        for _ in range(ATTEMPTS):
            now = self.clock()
            record = self.activities.read(tenant, activity_id)
            require_going_on(record, run_id)
            told = self.activities.read_input(tenant, activity_id)
            successor = self._successor(record, told, wanted, now)
            try:
                self.activities.create(
                    successor.activity,
                    _input(record, told, wanted),
                    successor.run,
                    successor.events,
                    None,
                    _given_on(record, successor.activity, wanted, now),
                    successor.waits,
                )
            except StoreConflict:
                continue
            start_execution(self.executions, successor.activity)
            if record.current_run.callback_token is not None:
                ended = self.activities.read(tenant, activity_id)
                self.wake_execution(ended, record.current_run.callback_token)
            return Reassigned(
                original_activity_id=activity_id, new_activity_id=successor.activity.activity_id
            )
        raise StoreContention(f"activity {activity_id!r}", ATTEMPTS)

    def _successor(
        self, record: ActivityRecord, told: ActivityInput, wanted: Reassignment, now: datetime
    ) -> _Successor:
        if wanted.to_role is None:
            return _for_a_person(record, wanted, now)
        activity = record.activity
        if wanted.to_role.replace("-", "_") == (activity.agent_role or "").replace("-", "_"):
            raise InvalidRequest([("toRole", "is the agent that has it")])
        request = ActivityRequest(
            agent_role=wanted.to_role,
            message=told.message,
            context=told.context,
            title=activity.title,
            priority=activity.priority,
            tags=activity.tags,
        )
        prepared = prepare_for(self.accept_activity, activity.tenant, request, "toRole", now)
        successor = _with_lineage(prepared, activity)
        run = lifecycle.first_run(successor)
        opened = (_opened(successor, run, activity),)
        after = ActivityRecord(activity=successor, runs=(run,))
        held = tuple(_holds(record, after, now))
        return _Successor(activity=successor, run=run, events=opened, waits=held)


def _for_a_person(record: ActivityRecord, wanted: Reassignment, now: datetime) -> _Successor:
    old, expires_at = record.activity, now + LONGEST_WAIT
    activity = _with_lineage(
        Activity(
            tenant=old.tenant,
            activity_id=new_activity_id(now),
            agent_role=None,
            adapter=HumanAdapter(user_id=wanted.to_user_id or ""),
            trigger=Trigger.AGENT,
            status=ActivityStatus.QUEUED,
            created_at=now,
            updated_at=now,
            deadline_at=expires_at,
            title=old.title,
            priority=old.priority,
            tags=old.tags,
            retry=RetryPolicy(),
            timeout_seconds=round(LONGEST_WAIT.total_seconds()),
            on_approval_expired=old.on_approval_expired,
        ),
        old,
    )
    run = replace(lifecycle.first_run(activity), status=RunStatus.RUNNING, started_at=now)
    began = new_event(EventType.RUN_STARTED, run, now, {"status": run.status.value})
    empty = ActivityRecord(activity=activity, runs=(run,))
    task = waits.new_wait(
        empty,
        WaitKind.HUMAN_TASK,
        run,
        now,
        title=old.title,
        description=wanted.reason,
        requested_by=agent_name(record),
        user_id=wanted.to_user_id,
        expires_at=expires_at,
        due_at=expires_at,
    )
    opened = waits.opened(empty, task, now)
    events = (_opened(activity, run, old), began, *opened.events)
    held = tuple(_holds(record, replace(empty, waits=(task,)), now))
    return _Successor(activity=activity, run=run, events=events, waits=(task, *held))


def _with_lineage(successor: Activity, old: Activity) -> Activity:
    return replace(
        successor,
        reassigned_from=old.activity_id,
        parent_activity_id=old.parent_activity_id,
        mentioned_in=old.mentioned_in,
        admission=successor.admission if successor.agent_role else Admission.UNLIMITED,
    )


def _opened(activity: Activity, run: Run, old: Activity) -> NewEvent:
    opened = lifecycle.opened(activity, run)
    lineage: dict[str, Any] = {"reassigned_from": old.activity_id}
    return replace(opened, detail={**opened.detail, **lineage})


def _holds(record: ActivityRecord, successor: ActivityRecord, now: datetime) -> list[Wait]:
    """Approvals of others that held the old activity hold the new one."""
    found: list[Wait] = []
    for wait in record.blocking_waits:
        if wait.kind is not WaitKind.LINKED_APPROVAL:
            continue
        seen = replace(successor, waits=(*successor.waits, *found))
        held = waits.new_wait(
            seen,
            WaitKind.LINKED_APPROVAL,
            successor.current_run,
            now,
            title=wait.title,
            requested_by=wait.requested_by,
            approval_id=wait.approval_id,
            due_at=now + VISIT_EVERY,
        )
        found.append(held)
    return found


def _given_on(
    record: ActivityRecord, successor: Activity, wanted: Reassignment, now: datetime
) -> Change:
    run = record.current_run
    to = wanted.to_role or wanted.to_user_id or ""
    problem = Problem(code=REASSIGNED, message=f"given to {to}: {wanted.reason}")
    ending = lifecycle.end_run(
        record, run, RunStatus.ABORTED, EvidenceSource.AGENT, now, problem=problem
    )
    ended = end_activity(record, ending.runs[0], ActivityStatus.REASSIGNED, now, problem)
    last = ended.events[-1]
    told = replace(last, detail={**last.detail, "reassigned_as": successor.activity_id})
    return replace(
        ended,
        activity=replace(ended.activity, reassigned_as=successor.activity_id),
        events=(*ending.events, *ended.events[:-1], told),
    )


def _input(record: ActivityRecord, told: ActivityInput, wanted: Reassignment) -> ActivityInput:
    context = {**told.context, REASON_CONTEXT_KEY: wanted.reason}
    outputs = (text_of(run.output) for run in reversed(record.runs))
    prior = next((output for output in outputs if output), None)
    if prior is not None:
        context[PRIOR_OUTPUT_CONTEXT_KEY] = prior
    return ActivityInput(message=told.message, context=context)
