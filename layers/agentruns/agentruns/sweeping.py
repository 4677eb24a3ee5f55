"""The minute tick: look at the parked runs that are due, and bring back what lost its execution.

Bounded per tick by time and count, and idempotent: everything it does goes through the same
conditional writes as the workers, so two sweepers at once or a sweeper beside a live execution do
no harm. Who is looked at next is `fair_queue`'s. Retries: a run that cannot be swept is due again
later and later, so that it keeps no other one waiting.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from agentruns import lifecycle, telemetry
from agentruns.activities import start_execution
from agentruns.admission import wait_on
from agentruns.admitting import AdmitActivities
from agentruns.checking import CheckRun
from agentruns.errors import PermanentError
from agentruns.fair_queue import FairQueue, Lane, Turn
from agentruns.model import ActivityRecord, Admission, Change, Run
from agentruns.polling import PollPolicy
from agentruns.ports import ActivityStore, Clock, DueRun, Executions
from agentruns.runs import SettleRun
from agentruns.steps import NextStep, RunTask, Step
from agentruns.transact import Decide, transact

RUNS_PER_TICK = 20_000
"""What one tick reads from the index, 8 MB; more than it has time for, so that the runs of a slow
connection do not fill the list."""

WORKERS = 32
LOOKS_PER_CONNECTION = 8
"""A connection whose every look takes 10 s keeps a quarter of the workers and no more."""

PLACERS = 4
"""Workers that no number of looks can keep from reading which connection the next runs are of."""

RECHECK_AFTER = timedelta(minutes=5)
"""When to look again at an execution that is late but alive."""

SHORTEST_POSTPONEMENT = timedelta(minutes=1)
LONGEST_POSTPONEMENT = timedelta(minutes=15)

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
    check_run: CheckRun
    settle_run: SettleRun
    admit_activities: AdmitActivities
    clock: Clock
    policy: PollPolicy

    def __call__(self, has_time: Callable[[], bool]) -> Swept:
        """`has_time` says whether there is time for one more look; the rest is the next tick's.

        A run that cannot be swept is counted, logged and due again later."""
        now = self.clock()
        due = self.activities.list_due_runs(now, RUNS_PER_TICK)
        oldest_at = due[0].due_at if due else now
        telemetry.measure("SweepLagSeconds", (now - oldest_at).total_seconds())
        if not due:
            return Swept()
        telemetry.count("RunsSwept", len(due))
        return self._sweep_all(due, has_time)

    def _sweep_all(self, due: Sequence[DueRun], has_time: Callable[[], bool]) -> Swept:
        queue = FairQueue(
            due,
            has_time=has_time,
            workers=WORKERS,
            lane_width=LOOKS_PER_CONNECTION,
            placers=PLACERS,
        )
        workers = min(WORKERS, len(due))
        if workers == 1:
            return Swept(due=1, **self._work(queue), not_reached=queue.count_left())
        counts = Counter[str]()
        with ThreadPoolExecutor(workers, thread_name_prefix="sweep") as pool:
            for done in [pool.submit(self._work, queue) for _ in range(workers)]:
                counts.update(done.result())
        return Swept(due=len(due), not_reached=queue.count_left(), **counts)

    def _work(self, queue: FairQueue) -> Counter[str]:
        """What one worker's turns came to."""
        counts = Counter[str]()
        while (turn := queue.take()) is not None:
            due = turn.run
            telemetry.bind(tenant=due.tenant, activity_id=due.activity_id, run_id=due.run_id)
            try:
                outcome = self._take_turn(queue, turn)
            except Exception:  # one run must not keep the others from being looked at
                logger.exception("sweep_failed")
                self._postpone(due)
                outcome = "failed"
            if outcome is not None:
                counts[outcome] += 1
        return counts

    def _take_turn(self, queue: FairQueue, turn: Turn) -> str | None:
        """None where the run waits for its lane."""
        lane = turn.lane
        try:
            record = self.activities.read(turn.run.tenant, turn.run.activity_id)
            if not self._is_to_look_at(record, turn.run):
                return self._sweep_without_look(record, turn.run)
            if lane is None:
                placed = Lane(record.activity.tenant, record.activity.adapter.connection)
                if not queue.place(turn.run, placed):
                    return None
                lane = placed
            return self._look(record)
        finally:
            if lane is not None:
                queue.finish(lane)

    def _is_to_look_at(self, record: ActivityRecord, due: DueRun) -> bool:
        run = record.current_run
        if record.activity.status.is_terminal or run.run_id != due.run_id:
            return False
        if self._waits_for_a_slot(record):
            return False
        return run.callback_token is not None and self._is_due(run)

    def _waits_for_a_slot(self, record: ActivityRecord) -> bool:
        """Parked and in the queue. At its deadline it is ended as any parked run is."""
        activity = record.activity
        is_parked = record.current_run.callback_token is not None
        is_waiting = activity.admission is Admission.WAITING and is_parked
        return is_waiting and self.clock() < activity.deadline_at

    def _admit(self, record: ActivityRecord) -> str:
        activity = record.activity
        self.admit_activities(activity.tenant, activity.adapter.connection)
        now = self.clock()
        still = self._transact(record, lambda seen: wait_on(seen, now))
        return "still_parked" if still.activity.admission is Admission.WAITING else "woken"

    def _sweep_without_look(self, record: ActivityRecord, due: DueRun) -> str:
        run = record.current_run
        if record.activity.status.is_terminal or run.run_id != due.run_id:
            self._forget(record, due.run_id)
            return "left_alone"
        if not self._is_due(run):
            return "left_alone"
        if self._waits_for_a_slot(record):
            return self._admit(record)
        return self._look_after_execution(record)

    def _is_due(self, run: Run) -> bool:
        return run.due_at is not None and run.due_at <= self.clock()

    def _look(self, record: ActivityRecord) -> str:
        callback_token = record.current_run.callback_token or ""  # of what is looked at
        following = self._check(record)
        if following.next_step is NextStep.PARK:
            return "still_parked"
        return self._wake(record, callback_token, following)

    def _postpone(self, due: DueRun) -> None:
        """As long again as the run is late already, so that its turns become rare."""

        def decide(seen: ActivityRecord) -> Run | None:
            run, now = seen.current_run, self.clock()
            if run.run_id != due.run_id or not self._is_due(run):
                return None
            late = now - (run.next_check_at or seen.activity.updated_at)
            wait = min(max(late, SHORTEST_POSTPONEMENT), LONGEST_POSTPONEMENT)
            return replace(run, due_at=now + wait)

        try:
            transact(self.activities, due.tenant, due.activity_id, decide)
        except Exception:  # it stays due, behind nobody: the next tick has other workers for others
            logger.exception("sweep_not_postponed")

    def _check(self, record: ActivityRecord) -> Step:
        task = _task(record)
        try:
            return self.check_run(task)
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
