from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.polling import (
    MAX_POLLS_IN_LOOP,
    MAX_RETRY_AFTER_SECONDS,
    PARK_FROM_SECONDS,
    PollPolicy,
    first_offset_seconds,
    longest_park,
    plan_next_check,
    plan_next_start,
    worst_case,
)
from agentruns.statuses import RunStatus
from tests.fakes.world import World

DAY = 86_400
POLICY = PollPolicy()


def wait(age_seconds: float, status: RunStatus = RunStatus.RUNNING, **arguments) -> int:
    values: dict[str, Any] = {"deadline_in_seconds": 30.0 * DAY, "policy": POLICY} | arguments
    return plan_next_check(status=status, age_seconds=age_seconds, **values).wait_seconds


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [(-3, 5), (0, 5), (20, 5), (40, 10), (100, 25), (239, 60), (240, 60), (100_000, 60)],
)
def test_a_running_run_is_looked_at_after_a_quarter_of_its_age(age_seconds, expected):
    assert expected == wait(age_seconds)


@pytest.mark.parametrize(
    ("age_seconds", "expected"), [(0, 60), (240, 60), (1000, 250), (3600, 900), (20 * DAY, 900)]
)
def test_a_paused_run_is_looked_at_more_slowly(age_seconds, expected):
    assert expected == wait(age_seconds, RunStatus.PAUSED)


@pytest.mark.parametrize(
    ("retry_after_seconds", "expected"), [(0, 5), (5, 5), (7.2, 8), (120, 120), (9999, 300)]
)
def test_retry_after_wins_up_to_five_minutes(retry_after_seconds, expected):
    assert expected == wait(0, retry_after_seconds=retry_after_seconds)
    assert 300 == MAX_RETRY_AFTER_SECONDS


def test_failed_checks_back_off_up_to_the_cap():
    waits = [wait(0, failed_checks=failures) for failures in range(7)]
    assert [5, 5, 10, 20, 40, 60, 60] == waits
    assert 60 == wait(0, failed_checks=10**6)


@pytest.mark.parametrize(("age_seconds", "park"), [(0, False), (176, False), (180, True)])
def test_a_wait_of_about_a_minute_is_the_sweepers(age_seconds, park):
    plan = plan_next_check(
        status=RunStatus.RUNNING,
        age_seconds=age_seconds,
        deadline_in_seconds=DAY,
        policy=POLICY,
    )
    assert park == plan.park


@given(age=st.floats(0, 40 * DAY), failed_checks=st.integers(0, 50))
def test_whoever_reads_the_whole_seconds_parks_where_the_plan_does(age, failed_checks):
    plan = plan_next_check(
        status=RunStatus.RUNNING,
        age_seconds=age,
        deadline_in_seconds=100 * DAY,
        policy=POLICY,
        failed_checks=failed_checks,
    )
    assert (plan.wait_seconds >= PARK_FROM_SECONDS) == plan.park


@given(
    status=st.sampled_from([RunStatus.RUNNING, RunStatus.PAUSED]),
    age=st.floats(-60, 40 * DAY),
    deadline=st.floats(-DAY, 30 * DAY),
    failed_checks=st.integers(0, 10_000),
    retry_after=st.none() | st.floats(0, 10**9),
    offset=st.floats(0, 5),
)
def test_the_deadline_is_never_overslept(status, age, deadline, failed_checks, retry_after, offset):
    plan = plan_next_check(
        status=status,
        age_seconds=age,
        deadline_in_seconds=deadline,
        policy=POLICY,
        offset_seconds=offset,
        failed_checks=failed_checks,
        retry_after_seconds=retry_after,
    )
    assert 1 <= plan.wait_seconds <= max(1, math.ceil(deadline))
    assert plan.wait_seconds <= 906


@given(st.text(min_size=1, max_size=40), st.floats(0.1, 60))
def test_the_first_offset_is_the_runs_own_and_below_the_floor(run_id, floor):
    policy = PollPolicy(floor_seconds=floor)
    offset = first_offset_seconds(run_id, policy)
    assert 0 <= offset < floor
    assert offset == first_offset_seconds(run_id, policy)


def test_first_offsets_spread_runs_that_start_together():
    offsets = [first_offset_seconds(f"run_{n}", POLICY) for n in range(1000)]
    assert 2.2 < sum(offsets) / 1000 < 2.8


@pytest.mark.parametrize("deadline_days", [1, 7, 30])
def test_an_upstream_that_stays_down_costs_a_few_hundred_starts(deadline_days):
    age, starts, deadline = 0, 0, deadline_days * DAY
    while age < deadline:
        age += plan_next_start(age_seconds=age, deadline_in_seconds=deadline - age)
        starts += 1
    assert deadline == age
    assert starts <= 300


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"age_seconds": 0}, 5),
        ({"age_seconds": 100}, 25),
        ({"age_seconds": 5000}, 900),
        ({"age_seconds": 100_000}, 2000),
        ({"age_seconds": 0, "retry_after_seconds": 90}, 90),
        ({"age_seconds": 0, "retry_after_seconds": 9000}, 300),
        ({"age_seconds": 5000, "retry_after_seconds": 3}, 900),
        ({"age_seconds": 5000, "deadline_in_seconds": 12.5}, 13),
        ({"age_seconds": 5000, "deadline_in_seconds": -4}, 1),
    ],
)
def test_a_start_that_was_not_taken_is_planned_by_age(arguments: dict[str, Any], expected):
    assert expected == plan_next_start(**({"deadline_in_seconds": 30.0 * DAY} | arguments))


@pytest.mark.parametrize("deadline_seconds", [1, 60, 3600, DAY, 30 * DAY])
@pytest.mark.parametrize(
    "policy",
    [POLICY, PollPolicy(cap_seconds=20), PollPolicy(floor_seconds=1, cap_seconds=1)],
)
def test_no_execution_grows_with_time_whatever_the_policy(policy, deadline_seconds):
    worst = worst_case(policy, deadline_seconds)
    assert worst.polls_in_loop <= MAX_POLLS_IN_LOOP
    assert worst.history_events <= 1050
    assert worst.dollars == pytest.approx(worst.transitions * 0.000025)


@pytest.mark.parametrize("deadline_seconds", [60, 600, 3600, DAY, 7 * DAY, 30 * DAY])
def test_the_usual_policy_stays_within_60_transitions_and_250_events(deadline_seconds):
    worst = worst_case(POLICY, deadline_seconds)
    assert worst.looks_by_itself <= 2
    assert worst.transitions <= 60
    assert worst.history_events <= 250


def test_many_polls_park_a_run_for_good():
    world = World(policy=PollPolicy(cap_seconds=5))
    task = world.started()
    for _ in range(MAX_POLLS_IN_LOOP):
        world.clock.advance(5)
        step = world.check_run(task)
    assert "park" == step.next_step
    assert MAX_POLLS_IN_LOOP == world.run(task).polls


def test_a_parked_execution_looks_for_itself_ever_more_rarely_and_past_the_deadline():
    world = World(timeout_seconds=30 * DAY)
    task = world.started()
    world.leena.on_read_status("paused")
    assert ("park", 900) == (world.check_run(task).next_step, world.check_run(task).park_seconds)
    world.clock.advance(DAY)
    assert 24 * DAY == longest_park(age_seconds=DAY, deadline_in_seconds=29 * DAY)
    assert 24 * DAY <= world.check_run(task).park_seconds <= 24 * DAY + 1
    world.clock.advance(28 * DAY)
    assert DAY + 900 == longest_park(age_seconds=29 * DAY, deadline_in_seconds=DAY)
    assert DAY <= world.check_run(task).park_seconds <= DAY + 900


def test_the_next_check_and_the_sweepers_look_are_written_down():
    world = World()
    task = world.started()
    run = world.run(task)
    wait_seconds = (run.next_check_at - world.clock()).total_seconds()
    assert 5 <= wait_seconds <= 10
    assert timedelta(seconds=120) == run.due_at - run.next_check_at
