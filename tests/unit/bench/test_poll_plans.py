"""The bound by arithmetic, and how near to it the planner comes on what it has not seen."""

from __future__ import annotations

import math

import pytest

from bench.poll_bound import (
    least_product,
    look_ages,
    looks_and_delay,
    outcome,
    root_integral,
)
from bench.poll_plans import STATIONARY, compare, compare_drifting, fixed, log_normal

MONTH = 30 * 86_400.0


def test_for_exponential_durations_the_fixed_loop_is_the_bound():
    integral = root_integral(lambda age: math.exp(-age / 3600), until=MONTH)
    assert 1800 == pytest.approx(least_product(integral), rel=0.001)


@pytest.mark.parametrize(("sigma", "share"), [(0.1, 0.195), (0.3, 0.511), (0.8, 0.917)])
def test_the_bound_of_log_normal_durations_as_a_share_of_the_fixed_loops(sigma, share):
    mean = 3600 * math.exp(sigma**2 / 2)
    bound = least_product(root_integral(log_normal(3600, sigma), until=MONTH))
    assert share == pytest.approx(bound / (mean / 2), abs=0.005)


def test_looks_and_delay_of_a_plan():
    ages = look_ages(fixed, until=25)
    assert [10, 20, 30] == ages
    assert [(1, 7), (1, 0), (3, 5)] == [looks_and_delay(ages, each) for each in (3, 10, 25)]
    seen = outcome([(1, 7.0), (3, 5.0)])
    assert (2, 6, 7, 12) == (seen.looks, seen.mean_delay, seen.p95_delay, seen.product)


SLOW = {"log-normal, sigma 0.8", "exponential", "heavy tail, 1/(1 + t/h)^3"}
"""Long runs among them: a second or more each."""


@pytest.mark.parametrize(
    "durations",
    [
        pytest.param(each, id=each.name, marks=[pytest.mark.slow] if each.name in SLOW else [])
        for each in STATIONARY
    ],
)
def test_the_learned_plan_comes_close_to_the_bound(durations):
    comparison = compare(durations, count=1000)
    learned, by_age = comparison.outcomes["ours, learned"], comparison.outcomes["ours, no history"]
    assert comparison.is_met, f"{comparison.learned_ratio:.2f} times the bound"
    assert learned.product < by_age.product


@pytest.mark.slow
def test_where_durations_drift_it_stays_below_the_fixed_loop():
    comparison = compare_drifting(count=1500)
    assert comparison.is_met
    assert comparison.learned_ratio <= 1.5
