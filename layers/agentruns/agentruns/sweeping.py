"""The minute tick: look at the parked runs that are due, and bring back what lost its execution.

Bounded per tick and idempotent: everything it does goes through the same conditional writes as the
workers, so two sweepers at once or a sweeper beside a live execution do no harm.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from agentruns import lifecycle, telemetry
from agentruns.activities import start_execution
from agentruns.aop import CheckAop
from agentruns.errors import PermanentError
from agentruns.model import ActivityRecord, Change, Run
from agentruns.polling import PollPolicy
from agentruns.ports import ActivityStore, Clock, Executions
from agentruns.runs import SettleRun
from agentruns.steps import NextStep, RunTask, Step
from agentruns.transact import Decide, transact

RUNS_PER_TICK = 200
RECHECK_AFTER = timedelta(minutes=5)
"""When to look again at an execution that is late but alive."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one tick did, by count."""

    due: int = 0
    still_parked: int = 0
    woken: int = 0
    resumed: int = 0
    left_alone: int = 0
    failed: int = 0
    not_reached: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One tick."""

    activities: ActivityStore
    executions: Executions
    check_aop: CheckAop
    settle_run: SettleRun
    clock: Clock
    policy: PollPolicy

    def __call__(self, has_time: Callable[[], bool]) -> Swept:
        """`has_time` says whether there is time for one more look; the rest is the next tick's.

        A run that cannot be swept now is counted, logged and due again in the next tick."""
        due = self.activities.list_due_runs(self.clock(), RUNS_PER_TICK)
        counts = Counter[str]()
        for reached, run in enumerate(due):
            if not has_time():
                counts["not_reached"] = len(due) - reached
                break
            telemetry.bind(tenant=run.tenant, activity_id=run.activity_id, run_id=run.run_id)
            try:
                counts[self._sweep(run)] += 1
            except Exception:  # one run must not keep the others from being looked at
                logger.exception("sweep_failed")
                counts["failed"] += 1
        if due:
            telemetry.count("RunsSwept", len(due))
        return Swept(due=len(due), **counts)

    def _sweep(self, run: Run) -> str:
        record = self.activities.read(run.tenant, run.activity_id)
        if record.activity.status.is_terminal:
            self._forget(record, run.run_id)
            return "left_alone"
        current = record.current_run
        if run.run_id != current.run_id:
            self._forget(record, run.run_id)
            return "left_alone"
        if current.due_at is None or current.due_at > self.clock():
            return "left_alone"
        if current.callback_token is None:
            return self._look_after_execution(record)
        following = self._check(record)
        if following.next_step is NextStep.PARK:
            return "still_parked"
        return self._wake(record, current.callback_token, following)

    def _check(self, record: ActivityRecord) -> Step:
        task = _task(record)
        try:
            return self.check_aop(task)
        except PermanentError as error:
            return self.settle_run(task, error=type(error).__name__, cause=str(error))

    def _wake(self, record: ActivityRecord, callback_token: str, following: Step) -> str:
        if not self.executions.wake(callback_token, following.to_json()):
            return self._look_after_execution(self._read(record))

        def forget_token(seen: ActivityRecord) -> Run | None:
            run = seen.current_run
            if run.callback_token != callback_token:
                return None
            due_at = self.clock() + lifecycle.EXECUTION_GRACE
            return replace(run, callback_token=None, due_at=due_at)

        self._transact(record, forget_token)
        return "woken"

    def _look_after_execution(self, record: ActivityRecord) -> str:
        """Late: alive, never started, or gone."""
        activity = record.activity
        if activity.status.is_terminal:
            return "left_alone"
        if activity.execution_arn is None:
            return self._start_late(record)
        state = self.executions.describe(activity.execution_arn)
        if state is not None and state.running:
            self._transact(record, self._later)
            return "left_alone"
        return self._replace_execution(record)

    def _start_late(self, record: ActivityRecord) -> str:
        """Nobody has taken it: its execution was never started, or ended before it could."""
        self._transact(record, self._later)
        execution_arn = start_execution(self.executions, record.activity)
        state = self.executions.describe(execution_arn) if execution_arn else None
        if state is not None and not state.running:
            return self._replace_execution(self._read(record))
        return "resumed"

    def _replace_execution(self, record: ActivityRecord) -> str:
        activity = record.activity
        resumed = self._transact(record, self._next_generation(activity.generation))
        start_execution(self.executions, resumed.activity)
        telemetry.count("ExecutionsReplaced")
        return "resumed"

    def _next_generation(self, lost: int) -> Decide:
        def decide(seen: ActivityRecord) -> Change | None:
            if seen.activity.generation != lost or seen.activity.status.is_terminal:
                return None
            return lifecycle.replace_execution(seen, self.clock())

        return decide

    def _later(self, seen: ActivityRecord) -> Run | None:
        if seen.activity.status.is_terminal:
            return None
        return replace(seen.current_run, due_at=self.clock() + RECHECK_AFTER)

    def _forget(self, record: ActivityRecord, run_id: str) -> None:
        """An ended or earlier run is nobody's business, whatever a race left in its row."""
        self._transact(
            record, lambda seen: replace(seen.run(run_id), due_at=None, callback_token=None)
        )

    def _read(self, record: ActivityRecord) -> ActivityRecord:
        return self.activities.read(record.activity.tenant, record.activity.activity_id)

    def _transact(self, record: ActivityRecord, decide: Decide) -> ActivityRecord:
        activity = record.activity
        return transact(self.activities, activity.tenant, activity.activity_id, decide)


def _task(record: ActivityRecord) -> RunTask:
    activity = record.activity
    return RunTask(
        tenant=activity.tenant,
        activity_id=activity.activity_id,
        run_id=record.current_run.run_id,
        execution_arn=activity.execution_arn or "",
    )
