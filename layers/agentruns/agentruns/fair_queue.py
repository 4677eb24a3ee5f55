"""Who is looked at next: the due runs of one tick, shared fairly among the tick's workers.

A lane is a connection of a tenant. A lane's runs keep at most `lane_width` workers busy, and all
lanes together leave `placers` workers free, so that a provider that hangs holds up its own runs
and no others. Of the lanes with room the next worker goes to the tenant with the fewest looks
under way, then to its least busy connection. Which lane a run is in is not known before it is read;
until then it is unplaced; of a watched run the index tells it. Not here: reading and looking
(`sweeping`). Safe to share by threads.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentruns.ports import DueRun


@dataclass(frozen=True, slots=True)
class Lane:
    tenant: str
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A worker's turn with a run: to place it where `lane` is None, else to look at it."""

    run: DueRun
    lane: Lane | None


class FairQueue:
    """Every turn with a lane is ended with `finish`. `has_time`: whether to give another turn.

    `placed`: runs whose lane is known already, at least one each, in the order of their turns.
    """

    def __init__(
        self,
        runs: Iterable[DueRun],
        *,
        placed: Mapping[Lane, Iterable[DueRun]] | None = None,
        has_time: Callable[[], bool],
        workers: int,
        lane_width: int,
        placers: int,
    ) -> None:
        self._has_time = has_time
        self._unplaced = deque(runs)
        self._waiting = {lane: deque(waiting) for lane, waiting in (placed or {}).items()}
        self._looking: Counter[Lane] = Counter()
        self._looking_for: Counter[str] = Counter()
        self._most_looking = max(1, workers - placers)
        self._lane_width = lane_width
        self._changed = Condition()

    def take(self) -> Turn | None:
        """Waits for a turn; None where nothing is left to take, or no time."""
        with self._changed:
            while self._has_time():
                lane = self._lane_with_room()
                if lane is not None:
                    run = self._waiting[lane].popleft()
                    if not self._waiting[lane]:
                        del self._waiting[lane]
                    self._enter(lane)
                    return Turn(run=run, lane=lane)
                if self._unplaced:
                    return Turn(run=self._unplaced.popleft(), lane=None)
                if not self._waiting:
                    return None
                self._changed.wait()
            return None

    def place(self, run: DueRun, lane: Lane) -> bool:
        """True: look at it at once. False: it waits for its lane, and has a turn later."""
        with self._changed:
            if lane not in self._waiting and self._has_room(lane):
                self._enter(lane)
                return True
            self._waiting.setdefault(lane, deque()).append(run)
            return False

    def finish(self, lane: Lane) -> None:
        with self._changed:
            self._looking[lane] -= 1
            self._looking_for[lane.tenant] -= 1
            self._changed.notify_all()

    def count_left(self) -> int:
        """How many runs had no turn yet."""
        with self._changed:
            return len(self._unplaced) + sum(map(len, self._waiting.values()))

    def _lane_with_room(self) -> Lane | None:
        free = [lane for lane in self._waiting if self._has_room(lane)]
        return min(free, key=self._load, default=None)

    def _load(self, lane: Lane) -> tuple[int, int]:
        return self._looking_for[lane.tenant], self._looking[lane]

    def _has_room(self, lane: Lane) -> bool:
        if self._looking.total() >= self._most_looking:
            return False
        return self._looking[lane] < self._lane_width

    def _enter(self, lane: Lane) -> None:
        self._looking[lane] += 1
        self._looking_for[lane.tenant] += 1
