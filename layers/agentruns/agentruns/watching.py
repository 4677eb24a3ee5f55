"""When a parked run is looked at: a function of what its index entry says.

A look that finds nothing new is written nowhere. So the looks of a parked run are not planned one
from the other but stand at fixed ages of its status, the rungs of a ladder that is the poll plan's:
whoever knows the entry and until when its looks are done (`look_marks`) knows which are to do.
Pure. Not here: looking (`aop.CheckRun`), who is looked at first (`sweeping`).
"""

from __future__ import annotations

import functools
import hashlib
import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentruns.durations import LONGEST_SECONDS, NO_HISTORY, DurationHistory
from agentruns.polling import (
    TICK_SECONDS,
    USUAL_DETECTION,
    Detection,
    PollPolicy,
    learned_until,
    plan_next_check,
    undisturbed_wait,
)
from agentruns.statuses import RunStatus

SHORTEST_PARKED_WAIT = timedelta(seconds=30)
"""A parked run's first look is no nearer: its entry has reached the index by then."""

LADDERS_KEPT = 10_000
"""In one container. A ladder takes up to 25 KB, of a run of a day by a learned plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the index of due runs knows of a parked run, so that no look has to read its row.

    `since`: when its status began, from which its age counts. `polls`: those that are written.
    `seen`: a mark of the last answer. `durations`: of a run that follows a learned plan.
    """

    connection: str
    aop_item_id: str
    status: RunStatus
    since: datetime
    deadline_at: datetime
    polls: int
    seen: str
    detection: Detection = USUAL_DETECTION
    durations: DurationHistory = NO_HISTORY


def mark_of_answer(*answer: object) -> str:
    """8 characters that differ where the answers do; a status is also compared as it is."""
    return hashlib.sha256(repr(answer).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class PlannedLooks:
    """The looks of a watched run: the first, then the rungs after it, and from the deadline on
    every tick until something is stored."""

    watch: Watch
    first_at: datetime
    policy: PollPolicy

    def any_in(self, after: datetime | None, until: datetime) -> bool:
        """Whether one is planned in (after, until]. `after` None: from the first on."""
        if until >= self.watch.deadline_at:
            return True
        if after is None:
            return until >= self.first_at
        return self.count(until) > self.count(after)

    def count(self, until: datetime) -> int:
        """How many are planned up to then, the deadline's included and the ticks after it not."""
        if until < self.first_at:
            return 0
        last = min(until, self.watch.deadline_at)
        rungs = self._ladder.count(self._age(last)) - self._ladder.count(self._age(self.first_at))
        return 1 + max(rungs, 0)

    def next_after(self, at: datetime | None) -> datetime:
        """The first planned look after then."""
        deadline_at = self.watch.deadline_at
        if at is None or at < self.first_at:
            return min(self.first_at, deadline_at)
        return min(self.rung_after(at), deadline_at)

    def rung_after(self, at: datetime) -> datetime:
        return self.watch.since + timedelta(seconds=self._ladder.next_after(self._age(at)))

    def last_until(self, at: datetime) -> datetime | None:
        """The last planned look up to then; None before the first."""
        if at < self.first_at:
            return None
        rung = self._ladder.last_until(self._age(min(at, self.watch.deadline_at)))
        return max(self.first_at, self.watch.since + timedelta(seconds=rung))

    def stays_parked(self, now: datetime) -> bool:
        """The plan does not want a closer look than the sweeper's ticks."""
        watch = self.watch
        plan = plan_next_check(
            status=watch.status,
            age_seconds=self._age(now),
            deadline_in_seconds=(watch.deadline_at - now).total_seconds(),
            policy=self._own_policy,
            polls=watch.polls + self.count(now),
            history=watch.durations,
        )
        return plan.park

    def _age(self, at: datetime) -> float:
        return (at - self.watch.since).total_seconds()

    @property
    def _own_policy(self) -> PollPolicy:
        return self.watch.detection.applied_to(self.policy)

    @property
    def _ladder(self) -> Ladder:
        return ladder(self.watch.status, self._own_policy, self.watch.durations)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Ages in seconds, ascending, and how far apart they go on after the last."""

    ages: array[float]
    then_every: float

    def count(self, age_seconds: float) -> int:
        """Rungs in (0, age]."""
        last = self.ages[-1]
        if age_seconds < last:
            return bisect_right(self.ages, age_seconds)
        return len(self.ages) + math.floor((age_seconds - last) / self.then_every)

    def next_after(self, age_seconds: float) -> float:
        return self._rung(self.count(age_seconds) + 1)

    def last_until(self, age_seconds: float) -> float:
        """0 before the first."""
        number = self.count(age_seconds)
        return self._rung(number) if number else 0.0

    def _rung(self, number: int) -> float:
        """From 1."""
        beyond = number - len(self.ages)
        return self.ages[number - 1] if beyond <= 0 else self.ages[-1] + beyond * self.then_every


@functools.lru_cache(maxsize=LADDERS_KEPT)
def ladder(status: RunStatus, policy: PollPolicy, history: DurationHistory) -> Ladder:
    """The plan's looks from age 0, a tick apart at least."""
    cap = policy.paused_cap_seconds if status is RunStatus.PAUSED else policy.cap_seconds
    longest = max(math.ceil(cap), TICK_SECONDS)
    outlived_after = learned_until(policy, history)
    ages = array("d")
    age, wait = 0.0, 0.0
    while age < LONGEST_SECONDS and (wait < longest or age < outlived_after):
        wait = max(math.ceil(undisturbed_wait(status, age, policy, history)), TICK_SECONDS)
        age += wait
        ages.append(age)
    return Ladder(ages, longest)
