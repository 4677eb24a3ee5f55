from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.durations import (
    BUCKETS,
    LONGEST_SECONDS,
    NEWEST,
    NO_HISTORY,
    RUNS_KEPT,
    DurationHistory,
    StoredDurations,
    bucket_of,
    has_drifted,
)

SECONDS = st.floats(-10, 10**8, allow_nan=False)


def log_normal(median: float, sigma: float, count: int, seed: int = 1) -> list[float]:
    source = random.Random(seed)
    return [median * source.lognormvariate(0, sigma) for _ in range(count)]


@given(st.lists(SECONDS, max_size=200))
def test_the_history_has_a_constant_size_whatever_it_is_fed(seconds):
    stored = StoredDurations(tenant="acme", subject="s")
    for number, each in enumerate(seconds):
        stored = stored.counting(f"run_{number}", each) or stored
    assert len(stored.history.buckets) <= RUNS_KEPT
    assert len(stored.counted) <= RUNS_KEPT
    assert len(stored.history.text) <= 128


@given(st.lists(st.integers(0, BUCKETS - 1), max_size=RUNS_KEPT))
def test_it_is_read_back_as_it_was_written(buckets):
    history = DurationHistory(buckets=tuple(buckets))
    assert history == DurationHistory.from_text(history.text)


@given(SECONDS, SECONDS)
def test_a_longer_run_is_in_no_lower_bucket(first, second):
    shorter, longer = sorted((first, second))
    assert 0 <= bucket_of(shorter) <= bucket_of(longer) <= BUCKETS - 1


@given(st.floats(1, LONGEST_SECONDS))
def test_a_bucket_is_right_to_one_percent(seconds):
    ((log, _),) = DurationHistory.of([seconds]).weighted()
    assert abs(2.718281828459045**log / seconds - 1) < 0.01


def test_an_older_run_weighs_less():
    weights = [weight for _, weight in DurationHistory.of([60.0] * 100).weighted()]
    assert 1.0 == weights[0]
    assert all(later < earlier for earlier, later in pairwise(weights))
    assert weights[50] == pytest.approx(0.97**50)


def test_the_effective_count_grows_to_49():
    counts = [DurationHistory.of([60.0] * runs).effective_count for runs in (0, 1, 10, 64, 500)]
    assert [0, 1, 10, 49, 49] == [round(count) for count in counts]


@given(st.lists(st.tuples(st.integers(0, 30), SECONDS), max_size=60))
def test_a_run_that_is_counted_twice_counts_once(ended):
    """Any order of repetitions gives what the first of each gave."""
    repeated = once = StoredDurations(tenant="acme", subject="s")
    seen = set()
    for number, seconds in ended:
        repeated = repeated.counting(f"run_{number}", seconds) or repeated
        if number not in seen:
            once = once.counting(f"run_{number}", seconds) or once
        seen.add(number)
    assert once == repeated


def test_a_run_that_was_counted_is_none():
    first = StoredDurations(tenant="acme", subject="s").counting("run_1", 60)
    assert first is not None
    assert first.counting("run_1", 90) is None


def test_the_same_ways_are_no_drift():
    drifts = sum(
        has_drifted(DurationHistory.of(log_normal(600, 0.5, 64, seed))) for seed in range(300)
    )
    assert drifts <= 2


@pytest.mark.parametrize("factor", [0.25, 4])
def test_runs_that_become_longer_or_shorter_are_a_drift(factor):
    before = log_normal(600, 0.2, 40)
    assert has_drifted(DurationHistory.of(before + [600 * factor] * NEWEST))
    assert not has_drifted(DurationHistory.of([*before, 600 * factor]))


def test_a_short_history_cannot_drift():
    assert not has_drifted(DurationHistory.of([60.0] * 19 + [6000.0] * NEWEST))


def test_after_a_drift_the_old_ways_are_forgotten():
    history = NO_HISTORY
    for seconds in [*log_normal(600, 0.2, 40), *log_normal(6000, 0.2, 12, seed=2)]:
        history = history.then(seconds)
    assert NEWEST <= len(history.buckets) <= 14
    assert sum(bucket < bucket_of(2000) for bucket in history.buckets) <= 1
