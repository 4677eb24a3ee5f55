"""Sending a start at most once: who may send it, and what its answer makes of the run.

What every provider's start shares. The row says `dispatching` before anything is sent; whoever
finds it there does not send. Not here: the call itself (`aop`, `workflows`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentruns import lifecycle, starts, telemetry, waits
from agentruns.errors import AgentrunsError, StartUnknown, UpstreamUnavailable
from agentruns.model import ActivityRecord, Change, Problem, Run
from agentruns.polling import plan_next_start
from agentruns.statuses import RunStatus
from agentruns.transact import transact

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock
    from agentruns.steps import RunTask

RunChange = Callable[[ActivityRecord, Run, datetime], Change | None]
"""What an answer makes of the run that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One run's start, as the row sees it."""

    activities: ActivityStore
    clock: Clock

    def claim(self, task: RunTask) -> tuple[ActivityRecord, bool]:
        """Write `dispatching` before anything is sent. Whoever finds it there is too late."""
        dispatch_id = uuid.uuid4().hex

        def decide(record: ActivityRecord) -> Change | None:
            run, now = record.current_run, self.clock()
            if record.activity.status.is_terminal:
                return None
            if run.status is RunStatus.DISPATCHING:
                return starts.start_unknown(record, _LOST_DISPATCH, now)
            if run.status is not RunStatus.PENDING:
                return None
            if record.blocking_waits or waits.refusal_of(record) is not None:
                return None  # held meanwhile, by another activity's approval
            if now >= record.activity.deadline_at:
                return lifecycle.end_at_deadline(record, run, now)
            return starts.begin_dispatch(record, dispatch_id, now)

        record = transact(self.activities, task.tenant, task.activity_id, decide)
        run = record.current_run
        return record, run.status is RunStatus.DISPATCHING and run.dispatch_id == dispatch_id

    def store_not_taken(self, record: ActivityRecord, error: AgentrunsError) -> ActivityRecord:
        """Provably not taken: pending again, until the provider's wish or the planner's."""

        def change(seen: ActivityRecord, run: Run, now: datetime) -> Change | None:
            if run.status is not RunStatus.DISPATCHING:
                return None
            retry_at = now
            if isinstance(error, UpstreamUnavailable):
                wait_seconds = plan_next_start(
                    age_seconds=(now - run.created_at).total_seconds(),
                    deadline_in_seconds=(seen.activity.deadline_at - now).total_seconds(),
                    retry_after_seconds=error.retry_after_seconds,
                )
                retry_at = now + timedelta(seconds=wait_seconds)
            return starts.start_not_taken(seen, problem_of(error), retry_at, now)

        return self.store(record, change)

    def store_unknown(self, record: ActivityRecord, error: StartUnknown) -> ActivityRecord:
        """Sent, and no trustworthy answer."""
        telemetry.count("StartUnknown", connection=record.activity.adapter.connection)

        def change(seen: ActivityRecord, run: Run, now: datetime) -> Change | None:
            if run.status is not RunStatus.DISPATCHING:
                return None
            return starts.start_unknown(seen, problem_of(error), now)

        return self.store(record, change)

    def store(self, record: ActivityRecord, change: RunChange) -> ActivityRecord:
        """Store an answer on the run it belongs to, also if that run was ended meanwhile or
        another one opened."""
        activity, dispatch_id = record.activity, record.current_run.dispatch_id

        def decide(seen: ActivityRecord) -> Change | None:
            for run in seen.runs:
                if run.dispatch_id == dispatch_id:
                    return change(seen, run, self.clock())
            return None

        return transact(self.activities, activity.tenant, activity.activity_id, decide)


def problem_of(error: AgentrunsError) -> Problem:
    return Problem(code=error.code, message=str(error))


_LOST_DISPATCH = Problem(
    code=StartUnknown.code,
    message="the worker died between sending the start and storing its answer",
)
