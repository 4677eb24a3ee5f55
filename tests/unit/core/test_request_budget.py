"""Whole activities within their connection's request budget, counted where requests arrive."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from agentruns import sweeping
from agentruns.budget import share_of
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.gated_world import GatedWorld, most_in_a_minute
from tests.fakes.world import REQUEST

HOUR = 3600.0
TEN_MINUTES = ((0.0, "in_progress"), (600.0, "completed"))
A_PAUSE = ((0.0, "in_progress"), (60.0, "paused"), (2 * HOUR, "completed"))


@pytest.fixture(autouse=True)
def one_look_at_a_time(monkeypatch):
    """The world has one clock: threads that wait would each move it on for all."""
    monkeypatch.setattr(sweeping, "WORKERS", 1)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("agentruns.telemetry.count", lambda name, *_, **__: found.append(name))
    return found


@pytest.mark.parametrize(
    "timeline",
    [
        pytest.param(TEN_MINUTES, id="run"),
        pytest.param(A_PAUSE, id="pause", marks=pytest.mark.slow),
    ],
)
def test_a_hundred_runs_on_thirty_requests_a_minute_all_end_well(timeline, counted, capsys):
    world = GatedWorld(timeline, requests_per_minute=30, timeout_seconds=86_400)
    activity_ids = world.accept_many(100)
    Driver(world).run(seconds=86_400)
    times = world.leena.asked_at
    ended_at = max(world.record(each).activity.ended_at for each in activity_ids)
    with capsys.disabled():
        minutes = (ended_at - NOON).total_seconds() / 60
        sys.stdout.write(
            f" {len(times)} requests, {counted.count('RequestsHeldBack')} held back, "
            f"{minutes:.0f} min "
        )
    assert {ActivityStatus.DONE} == world.statuses(activity_ids)
    assert 100 == len(world.leena.accepted_for) == len(set(world.leena.accepted_for))
    assert most_in_a_minute(times) <= 30
    assert "RequestsHeldBack" in counted
    assert {"FailedChecks", "ConnectionClosed"}.isdisjoint(counted)
    assert 0 == world.gates.writes
    # as long as the starts take, the run, and what it takes to see a hundred ends
    patience = timedelta(minutes=30) + timedelta(seconds=timeline[-1][0])
    assert ended_at - NOON <= patience


def test_a_start_comes_through_however_many_runs_are_looked_at():
    world = GatedWorld(((0.0, "in_progress"), (6 * HOUR, "completed")), requests_per_minute=10)
    driver = Driver(world)
    world.accept_many(60)
    late: list[str] = []
    driver.at(2 * HOUR, lambda: late.append(world.accept(REQUEST).activity_id))
    driver.run(seconds=2 * HOUR + 120)
    looks = [at for at in world.leena.asked_at if at > NOON + timedelta(hours=1)]
    assert len(looks) >= 0.75 * 60 * share_of(10)  # they want more than there is
    run = world.record(late[0]).current_run
    assert RunStatus.RUNNING is run.status
    assert run.started_at - run.created_at <= timedelta(seconds=90)


def test_a_budget_that_is_too_small_ends_runs_at_their_deadline_and_is_named():
    world = GatedWorld(TEN_MINUTES, requests_per_minute=1, timeout_seconds=1800)
    activity_ids = world.accept_many(60)
    Driver(world).run(seconds=2 * HOUR)
    assert {ActivityStatus.DONE, ActivityStatus.FAILED} >= world.statuses(activity_ids)
    assert most_in_a_minute(world.leena.asked_at) == 1
    records = [world.record(each) for each in activity_ids]
    failed = [each for each in records if each.activity.status is ActivityStatus.FAILED]
    never_started = [each for each in failed if each.current_run.started_at is None]
    assert never_started
    for record in failed:
        activity = record.activity
        assert activity.error is not None
        assert "deadline_passed" == activity.error.code
        assert activity.ended_at is not None
        assert timedelta(0) <= activity.ended_at - activity.deadline_at <= timedelta(minutes=2)
        if record in never_started:
            assert "budget of 1 requests a minute is used up" in activity.error.message


def test_a_budget_that_is_taken_away_holds_nobody_back_from_then_on():
    world = GatedWorld(TEN_MINUTES, requests_per_minute=2)
    driver = Driver(world)
    activity_ids = world.accept_many(40)
    driver.at(120, lambda: world.limit_requests(None))
    driver.run(seconds=HOUR)
    assert {ActivityStatus.DONE} == world.statuses(activity_ids)
    writes = world.budgets.writes
    driver.run(seconds=HOUR)
    assert writes == world.budgets.writes
    started_at = [world.record(each).runs[0].started_at for each in activity_ids]
    assert max(at for at in started_at if at) <= NOON + timedelta(seconds=120 + 300)


def test_looks_held_back_are_no_failed_looks():
    world = GatedWorld(A_PAUSE, requests_per_minute=2)
    driver = Driver(world)
    activity_ids = world.accept_many(10)
    driver.run(seconds=HOUR)
    runs = [world.record(each).current_run for each in activity_ids]
    held_back = [run for run in runs if run.last_problem is not None]
    assert held_back
    for run in held_back:
        assert "request_budget_spent" == run.last_problem.code
        assert 0 == run.failed_checks
