"""The parts of a transition: a status that the tables allow, and the event that tells of it.

What `lifecycle` puts its changes together from. Not here: which change follows from what.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from agentruns.model import (
    Activity,
    ActivityRecord,
    Admission,
    Change,
    EventType,
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
    }[status]
    activity = replace(in_status(record.activity, status, now), ended_at=now, error=problem)
    admission_before = None
    if activity.admission in {Admission.WAITING, Admission.ADMITTED}:
        admission_before = activity.admission
        activity = replace(activity, admission=Admission.LEFT)
    return Change(
        activity=activity,
        runs=(replace(run, due_at=None, callback_token=None),),
        events=(new_event(event_type, run, now, about(activity) | why(problem)),),
        admission_before=admission_before,
    )


def started(activity: Activity, run: Run, now: datetime) -> tuple[Activity, NewEvent]:
    activity = in_status(activity, ActivityStatus.IN_PROGRESS, now)
    return activity, new_event(EventType.ACTIVITY_STARTED, run, now, about(activity))


def run_in_status(run: Run, status: RunStatus, now: datetime) -> Run:
    require_run_transition(run.run_id, run.status, status)
    return replace(run, status=status, status_since=now)


def in_status(activity: Activity, status: ActivityStatus, now: datetime) -> Activity:
    require_activity_transition(activity.activity_id, activity.status, status)
    return replace(activity, status=status, updated_at=now)


def unblocked(activity: Activity, now: datetime) -> Activity:
    if activity.status is not ActivityStatus.BLOCKED:
        return touched(activity, now)
    return in_status(activity, ActivityStatus.IN_PROGRESS, now)


def resumed(before: Activity, run: Run, after: Activity) -> tuple[NewEvent, ...]:
    if before.status is not ActivityStatus.BLOCKED or after.status is before.status:
        return ()
    detail = {"status": after.status.value, "generation": after.generation}
    return (new_event(EventType.ACTIVITY_RESUMED, run, after.updated_at, detail),)


def touched(activity: Activity, now: datetime) -> Activity:
    return replace(activity, updated_at=now)


def new_event(event_type: EventType, run: Run, at: datetime, detail: dict[str, Any]) -> NewEvent:
    return NewEvent(type=event_type, at=at, run_id=run.run_id, detail=detail)


def about(activity: Activity) -> dict[str, Any]:
    return {
        "status": activity.status.value,
        "agent_role": activity.agent_role,
        "title": activity.title,
        "tags": list(activity.tags),
    }


def remote_ids(activity: Activity, remote_id: str) -> dict[str, Any]:
    """What the provider calls the run; an AOP's also by the name that Leena AI has for it."""
    own_name = {"aop_item_id": remote_id} if activity.adapter.provider == LEENA else {}
    return {"remote_id": remote_id} | own_name


def why(problem: Problem | None) -> dict[str, Any]:
    return {"error": {"code": problem.code, "message": problem.message}} if problem else {}
