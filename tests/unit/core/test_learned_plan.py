"""The planner with a history: its limits, and when it goes by age all the same."""

from __future__ import annotations

import contextlib
import io
import math
import random
import statistics
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.durations import NO_HISTORY, RUNS_KEPT, DurationHistory, StoredDurations
from agentruns.learned_plan import Aim, learn
from agentruns.learning import subject_of
from agentruns.polling import (
    LONGEST_LEARNED_WAIT_SECONDS,
    Detection,
    PollPolicy,
    plan_next_check,
    worst_case,
)
from agentruns.statuses import RunStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import TENANT, World

pytestmark = pytest.mark.slow

DAY = 86_400
POLICY = PollPolicy()
AIM = Aim(share=0.25, floor_seconds=5, cap_seconds=60)
HISTORIES = st.lists(st.floats(1, 30 * DAY), max_size=RUNS_KEPT).map(DurationHistory.of)


def log_normal(median: float, sigma: float, count: int = 50, seed: int = 1) -> DurationHistory:
    source = random.Random(seed)
    return DurationHistory.of([median * source.lognormvariate(0, sigma) for _ in range(count)])


def wait(age_seconds: float, history: DurationHistory, **arguments: Any) -> int:
    values: dict[str, Any] = {
        "status": RunStatus.RUNNING,
        "deadline_in_seconds": 30.0 * DAY,
        "policy": POLICY,
    }
    plan = plan_next_check(age_seconds=age_seconds, history=history, **(values | arguments))
    return plan.wait_seconds


def look_ages(history: DurationHistory, until: float, policy: PollPolicy = POLICY) -> list[float]:
    ages = [0.0]
    while ages[-1] < until:
        ages.append(ages[-1] + wait(ages[-1], history, policy=policy))
    return ages[1:]


def test_looks_go_where_runs_end():
    ages = look_ages(log_normal(3600, 0.1), 5000)
    before = [age for age in ages if age < 2600]
    around = [age for age in ages if 2600 <= age < 4700]
    assert len(before) <= 3
    assert 10 <= len(around) <= 40
    assert len(look_ages(NO_HISTORY, 5000)) > 90


@settings(max_examples=60, deadline=None)
@given(
    history=HISTORIES,
    status=st.sampled_from([RunStatus.RUNNING, RunStatus.PAUSED]),
    age=st.floats(-60, 40 * DAY),
    deadline=st.floats(-DAY, 30 * DAY),
    polls=st.integers(0, 200),
    failed_checks=st.integers(0, 100),
    retry_after=st.none() | st.floats(0, 10**6),
)
def test_no_limit_is_broken_whatever_the_history(
    history, status, age, deadline, polls, failed_checks, retry_after
):
    plan = plan_next_check(
        status=status,
        age_seconds=age,
        deadline_in_seconds=deadline,
        policy=POLICY,
        polls=polls,
        failed_checks=failed_checks,
        retry_after_seconds=retry_after,
        history=history,
    )
    assert 1 <= plan.wait_seconds <= max(1, math.ceil(deadline))
    assert plan.wait_seconds <= LONGEST_LEARNED_WAIT_SECONDS
    if deadline > 300:
        assert plan.wait_seconds >= POLICY.floor_seconds
        assert plan.wait_seconds >= min(retry_after or 0, 300)
        if status is RunStatus.PAUSED:
            assert plan.wait_seconds >= 60


@settings(max_examples=40, deadline=None)
@given(history=HISTORIES, ages=st.lists(st.floats(0, 40 * DAY), min_size=2, max_size=20))
def test_an_older_run_is_never_looked_at_before_a_younger_one(history, ages):
    plan = learn(history, AIM)
    if plan is None:
        return
    assert sorted(plan.ages) == list(plan.ages)
    assert sorted(plan.looks) == list(plan.looks)
    nexts = [look for age in sorted(ages) if (look := plan.next_look(age)) is not None]
    for earlier, later in pairwise(nexts):
        assert earlier <= later * (1 + 1e-9)


@pytest.mark.parametrize(
    "history",
    [NO_HISTORY, log_normal(3600, 0.1, count=7), DurationHistory.of([600.0] * 30 + [6000.0] * 5)],
    ids=["none", "thin", "drifted"],
)
def test_it_goes_by_age_where_the_history_says_little(history):
    assert learn(history, AIM) is None
    for age in (0, 10, 100, 3600, DAY):
        assert wait(age, NO_HISTORY) == wait(age, history)


def test_a_run_that_outlives_the_history_is_followed_by_its_age():
    history = log_normal(600, 0.1)
    plan = learn(history, AIM)
    assert plan is not None
    assert 700 < plan.outlived_after < 1200
    for age in (plan.outlived_after, 5000, DAY):
        assert wait(age, NO_HISTORY) == wait(age, history)


def test_a_pause_and_a_failed_check_are_planned_as_without_a_history():
    history = log_normal(3600, 0.1)
    for arguments in ({"status": RunStatus.PAUSED}, {"failed_checks": 2}):
        for age in (0, 100, 2000):
            assert wait(age, NO_HISTORY, **arguments) == wait(age, history, **arguments)
    assert wait(10, history) > 600 > wait(10, history, failed_checks=1)


@pytest.mark.parametrize(("median", "sigma"), [(60, 0.1), (600, 0.3), (3600, 0.1), (3600, 0.8)])
def test_the_mean_delay_is_that_of_the_plan_by_age(median, sigma):
    source = random.Random(5)
    unseen = [median * source.lognormvariate(0, sigma) for _ in range(4000)]
    delays = {}
    for name, history in (("by age", NO_HISTORY), ("learned", log_normal(median, sigma))):
        ages = look_ages(history, max(unseen) + 1)
        delays[name] = sum(min(age for age in ages if age >= each) - each for each in unseen)
    assert delays["learned"] <= 1.25 * delays["by age"]


@pytest.mark.parametrize("seconds", [10, 30, 120])
def test_no_wait_is_longer_than_the_longest_delay_where_runs_ended(seconds):
    policy = Detection(relative_delay=None, max_delay_seconds=seconds).applied_to(POLICY)
    history = log_normal(3600, 0.3)
    ages = look_ages(history, 20_000, policy)
    gaps = [later - age for age, later in pairwise(ages) if age > 1500]
    assert max(gaps) <= seconds + 1
    assert len([age for age in ages if age < 600]) <= 5
    by_age = look_ages(NO_HISTORY, 20_000, policy)
    assert max(b - a for a, b in pairwise(by_age)) <= seconds


@pytest.mark.parametrize(
    ("age_seconds", "history", "park"),
    [
        (0, log_normal(60, 0.1), False),  # 43 s, and then looks a few seconds apart
        (0, log_normal(150, 0.1), False),  # 117 s in one wait
        (0, log_normal(600, 0.1), True),
        (230, log_normal(600, 0.1), True),
    ],
)
def test_a_long_wait_is_the_sweepers_where_a_minute_more_hardly_matters(age_seconds, history, park):
    plan = plan_next_check(
        status=RunStatus.RUNNING,
        age_seconds=age_seconds,
        deadline_in_seconds=DAY,
        policy=POLICY,
        history=history,
    )
    assert plan.wait_seconds > 40
    assert park == plan.park


def world_of_one_run(seconds: float) -> World:
    timeline = ((0.0, "in_progress"), (seconds, "completed"))
    return World(leena=lambda clock: TimedLeenaApi(clock, timeline))


@pytest.mark.parametrize("seconds", [60.0, 100.0, 200.0])
def test_a_learned_run_of_minutes_is_noticed_as_soon_as_one_by_age(seconds, monkeypatch):
    """A tick of the sweeper is half a minute late on average: too late for such a run.

    A run's id sets its first offset: random ones would scatter the mean of nine by a second."""
    delays = []
    for number in range(9):
        activity_id = f"act_{number:026d}"
        monkeypatch.setattr("agentruns.activities.new_activity_id", lambda _, own=activity_id: own)
        lasts = seconds * (0.9 + 0.025 * number)
        world = world_of_one_run(lasts)
        world.accept()
        subject = subject_of(world.record(activity_id).activity)
        history = log_normal(seconds, 0.1)
        world.durations.write(
            StoredDurations(tenant=TENANT, subject=subject, history=history), NOON
        )
        with contextlib.redirect_stdout(io.StringIO()):
            Driver(world).run()
        run = world.record(activity_id).current_run
        delays.append((run.ended_at - run.started_at).total_seconds() - lasts)
    assert statistics.fmean(delays) <= max(0.125 * seconds, POLICY.floor_seconds)


def test_the_setting_is_todays_behaviour_by_default():
    assert Detection().applied_to(POLICY) == POLICY
    assert Detection(relative_delay=0.1).applied_to(POLICY) == replace(POLICY, share=0.1)
    assert 10 == wait(100, NO_HISTORY, policy=Detection(relative_delay=0.1).applied_to(POLICY))
    below_floor = Detection(relative_delay=None, max_delay_seconds=1).applied_to(POLICY)
    assert 5 == wait(1000, NO_HISTORY, policy=below_floor)


RUNS_FOR_EVER = ((0.0, "in_progress"),)
PASTS = {
    "10 s": log_normal(10, 0.5),
    "1 min": log_normal(60, 0.1),
    "5 min": log_normal(300, 1.0),
    "1 h": log_normal(3600, 0.3),
    "20 s or 150 min": DurationHistory.of([20.0, 9000.0] * 20),
}
DEADLINES = [(past, seconds) for past in PASTS for seconds in (60, 600, 3600, DAY)]
# whoever has outlived its history is followed by its age: a week of that for two of them
DEADLINES += [("10 s", 7 * DAY), ("20 s or 150 min", 7 * DAY)]


@pytest.mark.parametrize(("past", "deadline_seconds"), DEADLINES)
@pytest.mark.parametrize("policy", [POLICY, PollPolicy(floor_seconds=1, cap_seconds=20)])
def test_a_run_with_a_history_costs_no_more_than_the_printed_worst_case(
    past, deadline_seconds, policy
):
    history = PASTS[past]
    world = World(
        policy=policy,
        leena=lambda clock: TimedLeenaApi(clock, RUNS_FOR_EVER),
        timeout_seconds=deadline_seconds,
    )
    stored = world.durations.read("acme", "it_support hr reset-vpn")
    world.durations.write(replace(stored, history=history), world.clock())
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.run()
    worst = worst_case(policy, deadline_seconds)
    (visited,) = driver.visits.values()
    run = world.record(activity_id).current_run
    assert RunStatus.TIMEOUT is run.status
    assert history == world.record(activity_id).activity.durations
    assert len(visited) <= worst.transitions
    assert run.polls <= worst.polls_in_loop + worst.polls_parked + worst.looks_by_itself
