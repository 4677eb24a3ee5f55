"""The parts of a transition: a status that the tables allow, and the event that tells of it.

What `lifecycle` puts its changes together from. Not here: which change follows from what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from agentruns.event_types import EventType
from agentruns.model import (
    Activity,
    ActivityRecord,
    Admission,
    Change,
    NewEvent,
    Problem,
    Run,
)
from agentruns.providers import LEENA
from agentruns.statuses import (
    ActivityStatus,
    RunStatus,
    require_activity_transition,
    require_run_transition,
)
from agentruns.wait import Decision, Wait, WaitKind

_STATUSES = {
    WaitKind.BLOCKER: ActivityStatus.BLOCKED,
    WaitKind.HUMAN_TASK: ActivityStatus.BLOCKED,
    WaitKind.REVIEW: ActivityStatus.AWAITING_REVIEW,
    WaitKind.APPROVAL: ActivityStatus.AWAITING_APPROVAL,
    WaitKind.LINKED_APPROVAL: ActivityStatus.AWAITING_APPROVAL,
    WaitKind.SUBTASK: ActivityStatus.AWAITING_SUBTASK,
}
"""Of an activity that waits."""

_ASKED_BY_RUNS = frozenset({WaitKind.BLOCKER, WaitKind.REVIEW, WaitKind.APPROVAL, WaitKind.SUBTASK})


def run_changed(
    record: ActivityRecord,
    run: Run,
    status: RunStatus,
    now: datetime,
    problem: Problem | None = None,
) -> Change:
    detail = {"from": run.status.value, "to": status.value} | why(problem)
    run = run_in_status(run, status, now)
    return Change(
        activity=touched(record.activity, now),
        runs=(run,),
        events=(new_event(EventType.RUN_STATUS_CHANGED, run, now, detail),),
    )


def end_activity(
    record: ActivityRecord,
    run: Run,
    status: ActivityStatus,
    now: datetime,
    problem: Problem | None,
) -> Change:
    event_type = {
        ActivityStatus.DONE: EventType.ACTIVITY_COMPLETED,
        ActivityStatus.FAILED: EventType.ACTIVITY_FAILED,
        ActivityStatus.CANCELLED: EventType.ACTIVITY_CANCELLED,
        ActivityStatus.REASSIGNED: EventType.ACTIVITY_REASSIGNED,
    }[status]
    withdrawn = withdrawn_waits(record, status, now)
    activity = replace(in_status(record.activity, status, now), ended_at=now, error=problem)
    admission_before = None
    if activity.admission in {Admission.WAITING, Admission.ADMITTED}:
        admission_before = activity.admission
        activity = replace(activity, admission=Admission.LEFT)
    return Change(
        activity=activity,
        runs=(replace(run, due_at=None, callback_token=None),),
        events=(
            new_event(
                event_type, run, now, about(activity) | why(problem) | _links(activity, withdrawn)
            ),
        ),
        admission_before=admission_before,
        waits=withdrawn,
    )


def withdrawn_waits(
    record: ActivityRecord, status: ActivityStatus, now: datetime
) -> tuple[Wait, ...]:
    """The open waits of an activity that ends. An approval that others wait for outlives an
    activity that is done, if it does not hold it."""
    return tuple(
        replace(
            wait,
            decision=Decision.WITHDRAWN,
            decided_at=now,
            due_at=now if leaves_subtask(wait, status) else None,
        )
        for wait in record.waits
        if wait.is_open
        and not (status is ActivityStatus.DONE and wait.kind.is_decided and not wait.is_blocking)
    )


def leaves_subtask(wait: Wait, status: ActivityStatus) -> bool:
    """Whether an end of its activity leaves a subtask that nobody wants: it was waited for, or the
    work that it is a part of is cancelled."""
    is_unwanted = wait.is_blocking or status is ActivityStatus.CANCELLED
    return wait.kind is WaitKind.SUBTASK and is_unwanted


def has_failed(record: ActivityRecord, run: Run) -> bool:
    """Ended, neither well nor suspended."""
    if not run.status.is_terminal or run.status is RunStatus.COMPLETED:
        return False
    return not is_suspended(record, run)


def is_suspended(record: ActivityRecord, run: Run) -> bool:
    """Whether the run ended, or fell silent, to wait for what it had asked for. One that ended
    badly did so where it had said what blocks it."""
    asked = {
        wait.kind
        for wait in record.waits
        if wait.run_id == run.run_id and wait.is_blocking and wait.kind in _ASKED_BY_RUNS
    }
    if run.status in {RunStatus.COMPLETED, RunStatus.TIMEOUT}:
        return bool(asked)
    return run.status is RunStatus.FAILED and WaitKind.BLOCKER in asked


def started(record: ActivityRecord, now: datetime) -> tuple[Activity, NewEvent]:
    """In progress, or at once held by what other activities wait for."""
    activity = in_status(record.activity, ActivityStatus.IN_PROGRESS, now)
    activity = held(activity, record.blocking_waits, now)
    return activity, new_event(EventType.ACTIVITY_STARTED, record.current_run, now, about(activity))


def held(activity: Activity, blocking: Sequence[Wait], now: datetime) -> Activity:
    """In the status of the newest wait that holds it, else in progress. As it is where it has
    ended or has not begun."""
    if activity.status.is_terminal or activity.status is ActivityStatus.QUEUED:
        return touched(activity, now)
    status = _STATUSES[blocking[-1].kind] if blocking else ActivityStatus.IN_PROGRESS
    return touched(activity, now) if status is activity.status else in_status(activity, status, now)


def run_in_status(run: Run, status: RunStatus, now: datetime) -> Run:
    require_run_transition(run.run_id, run.status, status)
    return replace(run, status=status, status_since=now)


def in_status(activity: Activity, status: ActivityStatus, now: datetime) -> Activity:
    require_activity_transition(activity.activity_id, activity.status, status)
    return replace(activity, status=status, updated_at=now)


def unblocked(record: ActivityRecord, now: datetime) -> Activity:
    """It is known what became of a start; what else it waits for holds it still."""
    if record.activity.status is not ActivityStatus.BLOCKED:
        return touched(record.activity, now)
    return held(record.activity, record.blocking_waits, now)


def resumed(before: Activity, run: Run, after: Activity) -> tuple[NewEvent, ...]:
    if before.status is not ActivityStatus.BLOCKED or after.status is before.status:
        return ()
    detail = {"status": after.status.value, "generation": after.generation}
    return (new_event(EventType.ACTIVITY_RESUMED, run, after.updated_at, detail),)


def backoff_of(activity: Activity) -> timedelta:
    return timedelta(seconds=activity.retry.backoff_seconds)


def touched(activity: Activity, now: datetime) -> Activity:
    return replace(activity, updated_at=now)


def new_event(event_type: EventType, run: Run, at: datetime, detail: dict[str, Any]) -> NewEvent:
    return NewEvent(type=event_type, at=at, run_id=run.run_id, detail=detail)


def _links(activity: Activity, withdrawn: Sequence[Wait]) -> dict[str, Any]:
    """Whom an end concerns besides: the parent, those who wait for an approval of it, and the
    subtasks that end with it."""
    linked = [each for wait in withdrawn for each in wait.linked_activity_ids]
    left = [wait.subtask_activity_id for wait in withdrawn if leaves_subtask(wait, activity.status)]
    links: dict[str, Any] = {
        "linked_activity_ids": linked,
        "subtask_activity_ids": left,
        "parent_activity_id": activity.parent_activity_id,
    }
    return {name: value for name, value in links.items() if value}


def about(activity: Activity) -> dict[str, Any]:
    mention = activity.mentioned_in
    return {
        "status": activity.status.value,
        "agent_role": activity.agent_role,
        "title": activity.title,
        "tags": list(activity.tags),
    } | ({"mentioned_in": asdict(mention)} if mention else {})


def remote_ids(activity: Activity, remote_id: str) -> dict[str, Any]:
    """What the provider calls the run; an AOP's also by the name that Leena AI has for it."""
    own_name = {"aop_item_id": remote_id} if activity.adapter.provider == LEENA else {}
    return {"remote_id": remote_id} | own_name


def why(problem: Problem | None) -> dict[str, Any]:
    return {"error": {"code": problem.code, "message": problem.message}} if problem else {}
