"""The minute tick: look at the parked runs that are due, and bring back what lost its execution.

Bounded per tick by time and count, and idempotent: everything it does goes through the same
conditional writes as the workers, so two sweepers at once or a sweeper beside a live execution do
no harm. A look at a watched run that finds nothing new reads and writes nothing of the run; that
it is done is the lane's mark (`look_marks`). Who is looked at next is `fair_queue`'s. Retries: a
run that cannot be swept is due again later and later, so that it keeps no other one waiting.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from agentruns import lifecycle, telemetry
from agentruns.activities import start_execution
from agentruns.admission import wait_on
from agentruns.errors import PermanentError, StoreConflict
from agentruns.fair_queue import FairQueue, Lane, Turn
from agentruns.look_marks import LanePass, ToDo
from agentruns.model import ActivityRecord, Admission, Change, Run
from agentruns.parking import planned_looks
from agentruns.steps import NextStep, RunTask, Step
from agentruns.transact import Decide, transact

if TYPE_CHECKING:
    from agentruns.admitting import AdmitActivities
    from agentruns.checking import CheckRun
    from agentruns.polling import PollPolicy
    from agentruns.ports import (
        ActivityStore,
        Clock,
        ConnectionStore,
        DueRun,
        Executions,
        LookMarkStore,
    )
    from agentruns.providers import Connection
    from agentruns.runs import SettleRun
    from agentruns.tending import TendWaits
    from agentruns.waking import WakeExecution
    from agentruns.watching import Watch

ENTRIES_PER_TICK = 100_000
"""What one tick reads from the index: every parked run, whether it has a look to do or not."""

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
    tended: int = 0
    failed: int = 0
    not_reached: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One tick."""

    activities: ActivityStore
    executions: Executions
    wake_execution: WakeExecution
    check_run: CheckRun
    settle_run: SettleRun
    admit_activities: AdmitActivities
    tend_waits: TendWaits
    connections: ConnectionStore
    marks: LookMarkStore
    clock: Clock
    policy: PollPolicy

    def __call__(self, has_time: Callable[[], bool]) -> Swept:
        """`has_time` says whether there is time for one more look; the rest is the next tick's.

        A run that cannot be swept is counted, logged and due again later."""
        now = self.clock()
        entries = self.activities.list_due_runs(now, ENTRIES_PER_TICK)
        if len(entries) == ENTRIES_PER_TICK:
            logger.error("too_many_parked_runs", extra={"read": len(entries)})
        to_do = ToDo.of(entries, self.marks.list() if entries else (), now, self.policy)
        telemetry.measure("SweepLagSeconds", (now - to_do.oldest_at).total_seconds())
        if not to_do.count:
            return Swept()
        telemetry.count("RunsSwept", to_do.count)
        return self._sweep_all(to_do, has_time)

    def _sweep_all(self, to_do: ToDo, has_time: Callable[[], bool]) -> Swept:
        queue = FairQueue(
            to_do.unplaced,
            placed={lane: each.runs for lane, each in to_do.passes.items()},
            has_time=has_time,
            workers=WORKERS,
            lane_width=LOOKS_PER_CONNECTION,
            placers=PLACERS,
        )
        tick = _Tick(queue=queue, passes=to_do.passes)
        workers = min(WORKERS, to_do.count)
        counts = Counter[str]()
        if workers == 1:
            counts.update(self._work(tick))
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="sweep") as pool:
                for done in [pool.submit(self._work, tick) for _ in range(workers)]:
                    counts.update(done.result())
        not_reached = queue.count_left()
        if not_reached:
            for each in to_do.passes.values():
                self._move_mark(each)
        return Swept(due=to_do.count, not_reached=not_reached, **counts)

    def _work(self, tick: _Tick) -> Counter[str]:
        """What one worker's turns came to."""
        counts = Counter[str]()
        while (turn := tick.queue.take()) is not None:
            due = turn.run
            telemetry.bind(tenant=due.tenant, activity_id=due.activity_id, run_id=due.run_id)
            try:
                outcome = self._take_turn(tick, turn)
            except Exception:  # one run must not keep the others from being looked at
                logger.exception("sweep_failed")
                self._postpone(due)
                outcome = "failed"
            if outcome is not None:
                counts[outcome] += 1
            if turn.lane is not None and due.watch is not None:
                self._finish_in_lane(tick.passes[turn.lane], due)
        return counts

    def _finish_in_lane(self, lane_pass: LanePass, due: DueRun) -> None:
        if lane_pass.finish(due.run_id):
            self._move_mark(lane_pass)

    def _move_mark(self, lane_pass: LanePass) -> None:
        """Where it does not move, the looks are done once more."""
        mark = lane_pass.take_moved_mark()
        if mark is None:
            return
        try:
            self.marks.write(mark, self.clock())
        except StoreConflict:
            logger.info("look_mark_moved_by_another", extra={"connection": mark.connection})
        except Exception:  # the next tick does these looks again, and no run waits for that
            logger.exception("look_mark_not_moved")

    def _take_turn(self, tick: _Tick, turn: Turn) -> str | None:
        """None where the run waits for its lane."""
        lane, due = turn.lane, turn.run
        try:
            if lane is not None and due.watch is not None:
                return self._look_from_index(tick, lane, due, due.watch)
            record = self.activities.read(due.tenant, due.activity_id)
            if due.is_wait:
                self.tend_waits(record)
                return "tended"
            if not self._is_to_look_at(record, due):
                return self._sweep_without_look(record, due)
            if lane is None:
                placed = Lane(record.activity.tenant, record.activity.adapter.connection)
                if not tick.queue.place(due, placed):
                    return None
                lane = placed
            return self._look(record)
        finally:
            if lane is not None:
                tick.queue.finish(lane)

    def _look_from_index(self, tick: _Tick, lane: Lane, due: DueRun, watch: Watch) -> str:
        """A watched run. What was stored, if anything, is read again to wake its execution."""
        try:
            connection = tick.connection(lane, self.connections)
            following = self.check_run.from_index(due, watch, connection)
        except PermanentError as error:
            record = self.activities.read(due.tenant, due.activity_id)
            callback_token = record.current_run.callback_token
            following = self._settle_error(record, due, error)
        else:
            if following is None or following.next_step is NextStep.PARK:
                return "still_parked"
            record = self.activities.read(due.tenant, due.activity_id)
            callback_token = record.current_run.callback_token
        return self._wake(record, callback_token, following)

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
        callback_token = record.current_run.callback_token  # of what is looked at
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
            planned_at = run.next_check_at or seen.activity.updated_at
            if run.is_watched:
                planned_at = planned_looks(run, self.policy).last_until(now) or planned_at
            wait = min(max(now - planned_at, SHORTEST_POSTPONEMENT), LONGEST_POSTPONEMENT)
            return replace(run, next_check_at=planned_at, due_at=now + wait)

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

    def _settle_error(self, record: ActivityRecord, due: DueRun, error: PermanentError) -> Step:
        task = replace(_task(record), run_id=due.run_id)
        return self.settle_run(task, error=type(error).__name__, cause=str(error))

    def _wake(self, record: ActivityRecord, callback_token: str | None, following: Step) -> str:
        if self.wake_execution(record, callback_token, following, even_to_park=True):
            return "woken"
        return self._look_after_execution(self._read(record))

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


@dataclass(slots=True)
class _Tick:
    """What the workers of one tick share. A connection is read once a tick, or by two at once."""

    queue: FairQueue
    passes: Mapping[Lane, LanePass]
    _connections: dict[Lane, Connection] = field(default_factory=dict)

    def connection(self, lane: Lane, connections: ConnectionStore) -> Connection:
        found = self._connections.get(lane)
        if found is None:
            found = self._connections[lane] = connections.get(lane.tenant, lane.connection)
        return found


def _task(record: ActivityRecord) -> RunTask:
    activity = record.activity
    return RunTask(
        tenant=activity.tenant,
        activity_id=activity.activity_id,
        run_id=record.current_run.run_id,
        execution_arn=activity.execution_arn or "",
    )
