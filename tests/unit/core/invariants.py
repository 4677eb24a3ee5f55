"""What holds for every activity, whatever happened to it."""

from __future__ import annotations

from agentruns.event_types import EventType
from agentruns.model import ActivityRecord
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.transitions import leaves_subtask
from agentruns.wait import Decision, Wait
from tests.fakes.world import World

ACTIVITY_ENDS = {
    EventType.ACTIVITY_COMPLETED: ActivityStatus.DONE,
    EventType.ACTIVITY_FAILED: ActivityStatus.FAILED,
    EventType.ACTIVITY_CANCELLED: ActivityStatus.CANCELLED,
    EventType.ACTIVITY_REASSIGNED: ActivityStatus.REASSIGNED,
}
WAIT_EVENTS = {
    EventType.ACTIVITY_HELD,
    EventType.REVIEW_REQUESTED,
    EventType.APPROVAL_REQUESTED,
    EventType.APPROVAL_DECIDED,
    EventType.APPROVAL_EXPIRED,
    EventType.HUMAN_TASK_OPENED,
    EventType.HUMAN_TASK_RESOLVED,
    EventType.HUMAN_TASK_EXPIRED,
    EventType.SUBTASK_CREATED,
    EventType.SUBTASK_ENDED,
}
RUN_ENDS = {EventType.RUN_COMPLETED, EventType.RUN_FAILED}


def told_run_statuses(world: World, activity_id: str) -> dict[str, RunStatus]:
    """The status of each run as the events alone tell it."""
    told: dict[str, RunStatus] = {}
    for event in world.events(activity_id):
        assert event.run_id is not None
        told.setdefault(event.run_id, RunStatus.PENDING)
        if event.type is EventType.RUN_STATUS_CHANGED:
            assert told[event.run_id].value == event.detail["from"]
            told[event.run_id] = RunStatus(event.detail["to"])
        elif event.type is EventType.RUN_STARTED or event.type in RUN_ENDS:
            told[event.run_id] = RunStatus(event.detail["status"])
        elif event.type is EventType.RUN_START_UNKNOWN:
            told[event.run_id] = RunStatus.START_UNKNOWN
        elif event.type in {EventType.RUN_RETRIED, EventType.RUN_RESUMED}:
            told[event.detail["next_run_id"]] = RunStatus.PENDING
    return told


def told_activity_status(world: World, activity_id: str) -> ActivityStatus:
    """The activity's status as the events alone tell it."""
    told = ActivityStatus.QUEUED
    for event in world.events(activity_id):
        if event.type is EventType.ACTIVITY_STARTED or event.type in WAIT_EVENTS:
            told = ActivityStatus(event.detail["status"])
        elif event.type is EventType.ACTIVITY_BLOCKED:
            told = ActivityStatus.BLOCKED
        elif event.type is EventType.ACTIVITY_RESUMED and "status" in event.detail:
            told = ActivityStatus(event.detail["status"])
        elif event.type in ACTIVITY_ENDS:
            told = ACTIVITY_ENDS[event.type]
    return told


def check_invariants(world: World, activity_id: str) -> None:
    record, events = world.record(activity_id), world.events(activity_id)
    assert list(range(1, len(events) + 1)) == [event.sequence for event in events]
    assert len(events) == record.activity.last_sequence
    assert {run.run_id: run.status for run in record.runs} == told_run_statuses(world, activity_id)
    assert record.activity.status is told_activity_status(world, activity_id)
    assert len([event for event in events if event.type in ACTIVITY_ENDS]) == int(
        record.activity.status.is_terminal
    )
    assert list(range(1, len(record.runs) + 1)) == [run.attempt for run in record.runs]
    assert record.activity.attempt == record.current_run.attempt
    for run in record.runs:
        deciding = [evidence for evidence in run.evidence if evidence.decided]
        assert ([run.status] if run.status.is_terminal else []) == [e.status for e in deciding]
        assert (run.ended_at is not None) == run.status.is_terminal
        if record.activity.status.is_terminal:
            assert run.status.is_terminal
    for run in record.runs[:-1]:
        assert run.status.is_terminal
        assert run.due_at is None
    check_waits(record)


def has_subtask_to_end(record: ActivityRecord, wait: Wait) -> bool:
    """It was withdrawn, and what was to do the work is cancelled by the sweeper at the latest."""
    is_withdrawn = wait.decision is Decision.WITHDRAWN
    return is_withdrawn and leaves_subtask(wait, record.activity.status)


def check_waits(record: ActivityRecord) -> None:
    """Each has one answer or none; what is answered is due no more, save while it has a subtask
    to end, and what holds an activity shows in its status."""
    assert list(range(1, len(record.waits) + 1)) == [wait.number for wait in record.waits]
    for wait in record.waits:
        assert wait.is_open == (wait.decided_at is None)
        assert wait.is_open or wait.due_at is None or has_subtask_to_end(record, wait)
        assert wait.told_in is None or wait.told_in in {run.run_id for run in record.runs}
    if record.activity.status.is_terminal:
        assert not record.blocking_waits
    elif record.blocking_waits:
        assert record.activity.status not in {ActivityStatus.IN_PROGRESS}
