"""Giving part of the work to another agent: a child activity, which the parent may wait for.

The child is created in the transaction that opens the parent's wait for it, so neither is there
without the other. A crash before its execution is started leaves a queued activity that the sweeper
starts. Not here: its end (`linking`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from agentruns import lifecycle, waits
from agentruns.actions import asked_before, require_room
from agentruns.activities import AcceptActivity, start_execution
from agentruns.agent_calls import agent_name, require_going_on
from agentruns.definitions import ActivityRequest
from agentruns.errors import AgentDisabled, InvalidRequest, StoreConflict, StoreContention
from agentruns.idempotency import body_sha256_of
from agentruns.ids import activity_id_of
from agentruns.linking import VISIT_EVERY
from agentruns.model import Activity, ActivityInput, ActivityRecord, Priority, Trigger
from agentruns.transact import ATTEMPTS
from agentruns.wait import Wait, WaitKind

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock, Executions


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtask:
    title: str
    agent_role: str
    prompt: str
    is_blocking: bool = True
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSubtask:
    """Open a child activity. A repeated request of the same run gives the same child."""

    activities: ActivityStore
    accept_activity: AcceptActivity
    executions: Executions
    clock: Clock

    def __call__(self, tenant: str, run_id: str, subtask: Subtask) -> Wait:
        """The parent's wait, which names the child. RunEnded; ActivityNotFound; RunNotFound;
        InvalidRequest for a subtask of a subtask and for an agent that is none or disabled;
        StoreContention."""
        sha256 = body_sha256_of(subtask)
        for _ in range(ATTEMPTS):
            now = self.clock()
            record = self.activities.read(tenant, activity_id_of(run_id))
            run = require_going_on(record, run_id)
            earlier = asked_before(record, run_id, WaitKind.SUBTASK, sha256)
            if earlier is not None:
                return earlier
            require_room(record)
            child = self._child(record, subtask, now)
            wait = waits.new_wait(
                record,
                WaitKind.SUBTASK,
                run,
                now,
                title=subtask.title,
                is_blocking=subtask.is_blocking,
                requested_by=agent_name(record),
                request_sha256=sha256,
                subtask_activity_id=child.activity_id,
                due_at=now + VISIT_EVERY,
            )
            first_run = lifecycle.first_run(child)
            opened = lifecycle.opened(child, first_run)
            lineage = {"parent_activity_id": record.activity.activity_id}
            try:
                self.activities.create(
                    child,
                    ActivityInput(message=subtask.prompt),
                    first_run,
                    (replace(opened, detail={**opened.detail, "subtask_of": run_id} | lineage),),
                    None,
                    waits.opened(record, wait, now),
                )
            except StoreConflict:
                continue
            start_execution(self.executions, child)
            return wait
        raise StoreContention(f"activity {activity_id_of(run_id)!r}", ATTEMPTS)

    def _child(self, record: ActivityRecord, subtask: Subtask, now: datetime) -> Activity:
        parent = record.activity
        if parent.parent_activity_id is not None:
            fault = "subtask depth limit exceeded: a subtask has none of its own (max depth: 1)"
            raise InvalidRequest([("agentRole", fault)])
        request = ActivityRequest(
            agent_role=subtask.agent_role,
            message=subtask.prompt,
            title=subtask.title,
            priority=subtask.priority,
            tags=parent.tags,
        )
        child = prepare_for(self.accept_activity, parent.tenant, request, "agentRole", now)
        return replace(child, parent_activity_id=parent.activity_id)


def prepare_for(
    accept_activity: AcceptActivity,
    tenant: str,
    request: ActivityRequest,
    field: str,
    now: datetime,
) -> Activity:
    """An activity for a role that an agent named. InvalidRequest, of `field`, where the role is
    unknown, disabled, or has lost its connection."""
    try:
        return accept_activity.prepare(tenant, request, Trigger.AGENT, None, now)
    except InvalidRequest as error:
        raise InvalidRequest([(field, message) for _, message in error.problems]) from error
    except AgentDisabled as error:
        raise InvalidRequest([(field, str(error))]) from error
