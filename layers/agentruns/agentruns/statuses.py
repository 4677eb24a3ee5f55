"""The statuses of runs and activities and the transitions between them. Nothing else decides these.

Terminal is immutable: no row of the tables leaves a terminal status.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agentruns.errors import InvalidTransition


class RunStatus(StrEnum):
    """One attempt at an activity."""

    PENDING = "pending"
    DISPATCHING = "dispatching"
    RUNNING = "running"
    PAUSED = "paused"
    START_UNKNOWN = "start_unknown"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMEOUT = "timeout"

    @property
    def is_terminal(self) -> bool:
        return not RUN_TRANSITIONS[self]

    @property
    def is_followed(self) -> bool:
        """The provider has it and can be asked how it goes."""
        return self in {RunStatus.RUNNING, RunStatus.PAUSED}


class ActivityStatus(StrEnum):
    """A piece of work given to an agent."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    AWAITING_REVIEW = "awaiting_review"
    AWAITING_APPROVAL = "awaiting_approval"
    AWAITING_SUBTASK = "awaiting_subtask"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REASSIGNED = "reassigned"

    @property
    def is_terminal(self) -> bool:
        return not ACTIVITY_TRANSITIONS[self]


_RUN_ENDS = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.ABORTED, RunStatus.TIMEOUT})
_ACTIVITY_ENDS = frozenset(
    {
        ActivityStatus.DONE,
        ActivityStatus.FAILED,
        ActivityStatus.CANCELLED,
        ActivityStatus.REASSIGNED,
    }
)

RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset(
        {RunStatus.DISPATCHING, RunStatus.FAILED, RunStatus.ABORTED, RunStatus.TIMEOUT}
    ),
    # Back to pending only where the provider provably did not take it.
    RunStatus.DISPATCHING: frozenset(
        {RunStatus.PENDING, RunStatus.RUNNING, RunStatus.START_UNKNOWN}
    )
    | _RUN_ENDS,
    RunStatus.RUNNING: frozenset({RunStatus.PAUSED}) | _RUN_ENDS,
    RunStatus.PAUSED: frozenset({RunStatus.RUNNING}) | _RUN_ENDS,
    RunStatus.START_UNKNOWN: frozenset({RunStatus.RUNNING}) | _RUN_ENDS,
    RunStatus.COMPLETED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.ABORTED: frozenset(),
    RunStatus.TIMEOUT: frozenset(),
}


def _after(status: ActivityStatus) -> frozenset[ActivityStatus]:
    if status in _ACTIVITY_ENDS:
        return frozenset()
    if status is ActivityStatus.QUEUED:
        return frozenset({ActivityStatus.IN_PROGRESS}) | _ACTIVITY_ENDS
    return frozenset(ActivityStatus) - {status, ActivityStatus.QUEUED}


ACTIVITY_TRANSITIONS: Mapping[ActivityStatus, frozenset[ActivityStatus]] = {
    status: _after(status) for status in ActivityStatus
}


def require_run_transition(run_id: str, before: RunStatus, after: RunStatus) -> None:
    """InvalidTransition unless the table allows it."""
    if after not in RUN_TRANSITIONS[before]:
        raise InvalidTransition(f"run {run_id!r}", before, after)


def require_activity_transition(
    activity_id: str, before: ActivityStatus, after: ActivityStatus
) -> None:
    """InvalidTransition unless the table allows it."""
    if after not in ACTIVITY_TRANSITIONS[before]:
        raise InvalidTransition(f"activity {activity_id!r}", before, after)
