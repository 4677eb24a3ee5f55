"""Until when the looks of a connection's watched runs are done: one mark per lane, and how a tick
moves it.

A tick that died, was bounded or never came leaves the mark behind, and the next one makes up for
it: several planned looks of a run are then one. A lane that is not done within a tick goes on
where it was, in the order of run ids, so that every run has its turn before one has a second.
Pure but for the lock. Not here: which looks are planned (`watching`), the order over lanes
(`fair_queue`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from agentruns.fair_queue import Lane
from agentruns.ports import DueRun, LookMark
from agentruns.watching import PlannedLooks

if TYPE_CHECKING:
    from agentruns.polling import PollPolicy


@dataclass(slots=True)
class LanePass:
    """What one tick, begun at `now`, has to do in a lane. Safe to share by threads.

    `runs`: those with a look to do, in the order of `in_turn`.
    """

    mark: LookMark
    now: datetime
    runs: list[DueRun]
    _done: set[str] = field(default_factory=set)
    _taken: int = 0
    _lock: Lock = field(default_factory=Lock)

    def finish(self, run_id: str) -> bool:
        """True once, for whoever finished the last one."""
        with self._lock:
            if run_id in self._done:
                return False
            self._done.add(run_id)
            return len(self._done) == len(self.runs)

    def take_moved_mark(self) -> LookMark | None:
        """The mark after what was done so far, once; None where it stays. What was done beyond the
        first run that was not is forgotten, and done again: fewer runs than a lane is wide."""
        with self._lock:
            done = self._count_done_in_turn()
            if not done or done == self._taken:
                return None
            self._taken = done
        mark, ids = self.mark, [run.run_id for run in self.runs]
        if done == len(ids):
            return replace(mark, until=self.now, ahead_until=None, ahead_to=None)
        is_second_round = mark.ahead_to is not None and ids[done - 1] <= mark.ahead_to
        if is_second_round:
            return replace(
                mark, until=mark.ahead_until, ahead_until=self.now, ahead_to=ids[done - 1]
            )
        ahead_until = mark.ahead_until or self.now
        return replace(mark, ahead_until=ahead_until, ahead_to=ids[done - 1])

    def _count_done_in_turn(self) -> int:
        for number, run in enumerate(self.runs):
            if run.run_id not in self._done:
                return number
        return len(self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """What one tick has to do. `unplaced`: due runs that are not watched, oldest first."""

    unplaced: Sequence[DueRun]
    passes: Mapping[Lane, LanePass]
    oldest_at: datetime
    """When the first of it was to be done; now, where there is nothing."""

    @classmethod
    def of(
        cls,
        entries: Iterable[DueRun],
        marks: Iterable[LookMark],
        now: datetime,
        policy: PollPolicy,
    ) -> ToDo:
        """`entries`: the index's, due until now. Of the watched ones those with a look to do."""
        marks_by_lane = {Lane(each.tenant, each.connection): each for each in marks}
        unplaced: list[DueRun] = []
        watched: dict[Lane, list[DueRun]] = {}
        oldest_at = now
        for due in entries:
            if due.watch is None:
                unplaced.append(due)
                oldest_at = min(oldest_at, due.due_at)
                continue
            lane = Lane(due.tenant, due.watch.connection)
            mark = marks_by_lane.setdefault(lane, _new_mark(lane))
            looks = PlannedLooks(due.watch, due.due_at, policy)
            done_until = mark.done_until(due.run_id)
            if looks.any_in(done_until, now):
                watched.setdefault(lane, []).append(due)
                oldest_at = min(oldest_at, looks.next_after(done_until))
        return cls(
            unplaced=unplaced,
            passes={
                lane: LanePass(marks_by_lane[lane], now, _in_turn(marks_by_lane[lane], runs))
                for lane, runs in watched.items()
            },
            oldest_at=oldest_at,
        )

    @property
    def count(self) -> int:
        return len(self.unplaced) + sum(len(each.runs) for each in self.passes.values())


def _in_turn(mark: LookMark, runs: Iterable[DueRun]) -> list[DueRun]:
    """By id, from where the last tick stopped."""

    def turn(run: DueRun) -> tuple[bool, str]:
        return mark.ahead_to is not None and run.run_id <= mark.ahead_to, run.run_id

    return sorted(runs, key=turn)


def _new_mark(lane: Lane) -> LookMark:
    return LookMark(tenant=lane.tenant, connection=lane.connection)
