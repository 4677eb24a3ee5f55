"""The rules of a request budget: never too many, nearly all where they are wanted, both kinds."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns import budget
from agentruns.budget import BudgetState, Use, Verdict, ask, share_of
from tests.fakes.clock import NOON

UNUSED = BudgetState(tenant="acme", connection="hr")
PATIENCE = {Use.START: 0.0, Use.LOOK: 10.0}


@dataclass
class Asked:
    """Askers with a clock: whoever is refused comes again when it was told."""

    limit: int
    state: BudgetState = UNUSED
    sent: list[tuple[float, Use]] = field(default_factory=list)
    refusals: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def ask(self, use: Use, at: float) -> Verdict:
        now = NOON + timedelta(seconds=at)
        verdict = ask(self.state, use, self.limit, now, patience_seconds=PATIENCE[use], spread=0.75)
        self.state = verdict.state
        if verdict.is_granted:
            assert now <= verdict.at <= now + timedelta(seconds=PATIENCE[use])
            self.sent.append((seconds(verdict.at), use))
        else:
            assert now < verdict.at <= now + timedelta(seconds=budget.LONGEST_WAIT_SECONDS)
            self.refusals += 1
        return verdict

    def play(self, arrivals: list[tuple[float, Use]], until: float) -> None:
        """Each arrival asks until it is let through."""
        waiting = [(at, number, use) for number, (at, use) in enumerate(arrivals)]
        heapq.heapify(waiting)
        while waiting and waiting[0][0] <= until:
            at, number, use = heapq.heappop(waiting)
            verdict = self.ask(use, at)
            if not verdict.is_granted:
                heapq.heappush(waiting, (seconds(verdict.at), number, use))

    def count(self, use: Use, since: float = 0.0) -> int:
        return sum(at >= since and each is use for at, each in self.sent)


def seconds(at: datetime) -> float:
    return (at - NOON).total_seconds()


def most_in_a_minute(times: list[float]) -> int:
    """Over every stretch of 60 s."""
    times, most, first = sorted(times), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= 60:
            first += 1
        most = max(most, last + 1 - first)
    return most


uses = st.sampled_from(list(Use))
arrivals = st.lists(st.tuples(st.floats(0, 400), uses), max_size=120)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), arrivals, st.randoms(use_true_random=False))
def test_no_minute_sees_more_however_they_come_and_late_as_they_arrive(limit, found, rng):
    asked = Asked(limit)
    asked.play(found, until=1200)
    on_their_way = [at + rng.uniform(0, budget.MARGIN_SECONDS) for at, _ in asked.sent]
    assert most_in_a_minute(on_their_way) <= limit


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), arrivals, st.randoms(use_true_random=False))
def test_clocks_that_differ_let_no_more_through(limit, found, rng):
    asked = Asked(limit)
    for at, use in sorted(found):
        asked.ask(use, at + rng.uniform(0, budget.MARGIN_SECONDS))
    assert most_in_a_minute([at for at, _ in asked.sent]) <= limit


PATTERNS: dict[str, Callable[[random.Random, int], list[float]]] = {
    "all at once": lambda rng, count: [0.0] * count,
    "at random": lambda rng, count: [rng.uniform(0, 1200) for _ in range(count)],
    "each minute": lambda rng, count: [60.0 * (number % 20) for number in range(count)],
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("limit", [2, 3, 6, 10, 60])
def test_where_twice_as_many_want_to_nearly_all_of_it_is_used(pattern, limit):
    rng = random.Random(limit)
    asked = Asked(limit)
    times = PATTERNS[pattern](rng, 2 * 20 * limit)
    asked.play([(at, rng.choice(list(Use))) for at in times], until=1200)
    assert most_in_a_minute([at for at, _ in asked.sent]) <= limit
    assert len(asked.sent) >= 0.9 * 20 * limit
    for use in Use:
        assert asked.count(use) >= 0.9 * 20 * max(1, limit // 5)


@pytest.mark.parametrize("limit", [6, 10, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("use", list(Use))
def test_one_kind_alone_uses_four_fifths(limit, use):
    asked = Asked(limit)
    asked.play([(0.0, use)] * 40 * limit, until=1200)
    assert share_of(limit) >= 0.8 * limit
    assert len(asked.sent) >= 0.9 * 20 * share_of(limit)


@pytest.mark.parametrize("limit", [2, 5, 60, pytest.param(600, marks=pytest.mark.slow)])
def test_a_start_passes_however_many_looks_wait(limit):
    asked = Asked(limit)
    asked.play([(0.0, Use.LOOK)] * 10 * limit, until=300)
    for number in range(max(1, limit // 5)):
        assert asked.ask(Use.START, 300 + number / 1000).is_granted
    assert most_in_a_minute([at for at, _ in asked.sent]) <= limit


def test_with_one_a_minute_starts_and_looks_take_turns():
    asked = Asked(1)
    asked.play([(0.0, Use.START), (1.0, Use.LOOK)] * 40, until=1800)
    assert len(asked.sent) >= 0.5 * 30
    assert all(asked.count(use) >= 7 for use in Use)


@pytest.mark.parametrize("limit", [1, 6, pytest.param(60, marks=pytest.mark.slow)])
def test_who_comes_with_the_minute_tick_alone_uses_three_quarters_of_its_share(limit):
    """A tick's looks come all at once, and a request counts a little longer than a minute."""
    asked, waiting = Asked(limit), [0.0] * 50 * limit
    for tick in range(20):
        now = tick * 60.0
        verdicts = [asked.ask(Use.LOOK, now) for at in waiting if at <= now]
        waiting = [at for at in waiting if at > now]
        waiting += [seconds(verdict.at) for verdict in verdicts if not verdict.is_granted]
    assert len(asked.sent) >= 0.75 * 20 * share_of(limit)


def test_the_refused_are_told_later_and_later():
    asked = Asked(60)
    told = [asked.ask(Use.START, 0.0) for _ in range(100)][share_of(60) :]
    waits = [seconds(verdict.at) for verdict in told]
    assert sorted(waits) == waits
    assert {round(63 / 48, 6)} == {round(b - a, 6) for a, b in pairwise(waits)}
    assert 62 <= waits[0] <= 63


def test_those_behind_five_minutes_come_back_apart_and_leave_the_row_alone():
    asked = Asked(1)
    for _ in range(10):
        asked.ask(Use.LOOK, 0.0)
    before = asked.state
    late = [
        ask(before, Use.LOOK, 1, NOON, patience_seconds=0, spread=spread) for spread in (0.5, 1.0)
    ]
    assert [150.0, 300.0] == [seconds(verdict.at) for verdict in late]
    assert all(verdict.state is before for verdict in late)


def test_another_limit_counts_at_once():
    asked = Asked(10)
    for _ in range(30):
        asked.ask(Use.START, 0.0)
    assert 8 == len(asked.sent)
    asked.limit = 20
    granted = [asked.ask(Use.START, 1.0).is_granted for _ in range(20)]
    assert Counter({True: 8, False: 12}) == Counter(granted)
    asked.limit = 5
    verdict = asked.ask(Use.START, 2.0)
    assert not verdict.is_granted
    assert seconds(verdict.at) <= 64


def test_the_row_stays_small():
    asked = Asked(60_000)
    for second in range(600):
        asked.ask(Use.LOOK, float(second))
    assert len(asked.state.sent) <= 76


def test_a_limit_that_was_lowered_below_what_was_sent_waits_until_that_is_over():
    asked = Asked(20)
    for _ in range(16):
        asked.ask(Use.START, 0.0)
    asked.state = replace(asked.state, version=7)
    asked.limit = 2
    assert [False, True] == [asked.ask(Use.START, at).is_granted for at in (62.0, 63.0)]
