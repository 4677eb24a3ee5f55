"""Whole activities behind the gate: the provider is down, asks to wait, refuses the credentials."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

import pytest

from agentruns.errors import UpstreamUnavailable
from agentruns.statuses import ActivityStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.gated_world import GatedWorld, most_in_a_minute

HOUR = 3600.0
PREFIX = "agentruns/test"


@pytest.mark.parametrize(
    "down_from_seconds",
    [pytest.param(0.0, id="starts", marks=pytest.mark.slow), pytest.param(40.0, id="looks")],
)
def test_down_for_two_hours_with_fifty_runs_is_probed_and_all_end_well(down_from_seconds, capsys):
    world = GatedWorld(((0.0, "in_progress"), (3 * HOUR, "completed")), timeout_seconds=86_400)
    driver = Driver(world)
    back_at = NOON + timedelta(seconds=down_from_seconds + 2 * HOUR)
    driver.at(down_from_seconds, lambda: setattr(world.leena, "down_until", back_at))
    activity_ids = world.accept_many(50)
    driver.run(seconds=86_400)
    down_from = NOON + timedelta(seconds=down_from_seconds)
    asked = [at for at in world.leena.asked_at if down_from <= at < back_at]
    with capsys.disabled():
        sys.stdout.write(f" {len(asked)} calls in two hours of 50 runs ")
    assert 10 <= len(asked) <= 5 + 6 + 2 * HOUR / 150
    assert {ActivityStatus.DONE} == world.statuses(activity_ids)
    assert 50 == len(world.leena.accepted_for) == len(set(world.leena.accepted_for))


def test_without_an_end_of_the_outage_runs_wait_until_their_deadline_and_name_it():
    world = GatedWorld(timeout_seconds=int(HOUR))
    world.leena.down_until = NOON + timedelta(days=2)
    activity_ids = world.accept_many(10)
    Driver(world).run(seconds=2 * HOUR)
    assert {ActivityStatus.FAILED} == world.statuses(activity_ids)
    for activity_id in activity_ids:
        activity = world.record(activity_id).activity
        assert "deadline_passed" == activity.error.code
        assert "connection refused" in activity.error.message
        assert activity.ended_at >= activity.deadline_at


def test_a_retry_after_of_one_run_is_kept_by_all():
    world = GatedWorld(((0.0, "in_progress"), (600.0, "completed")))
    driver = Driver(world)
    activity_ids = world.accept_many(20)
    limited_at: list[datetime] = []
    driver.at(30, lambda: world.leena.on_read_status(limit(world, limited_at)))
    driver.run(seconds=HOUR)
    (at,) = limited_at
    within = [each for each in world.leena.asked_at if at < each < at + timedelta(seconds=60)]
    assert [] == within
    assert {ActivityStatus.DONE} == world.statuses(activity_ids)


def limit(world: GatedWorld, limited_at: list[datetime]) -> Exception:
    """The next look is answered 429; its time is noted."""
    arrive = world.leena._arrive

    def note() -> None:
        arrive()
        limited_at.append(world.clock())
        world.leena._arrive = arrive

    world.leena._arrive = note
    return UpstreamUnavailable("answered 429", retry_after_seconds=60)


@pytest.mark.parametrize("refused", ["reject_credentials", "reject_tokens"])
def test_one_moment_of_refusals_does_not_end_who_starts_after_it(refused):
    world = GatedWorld()
    setattr(world.leena, refused, True)
    driver = Driver(world)
    unlucky = world.accept_many(1)
    driver.run(seconds=1)
    setattr(world.leena, refused, False)
    others = world.accept_many(10)
    driver.run(seconds=HOUR)
    assert {ActivityStatus.FAILED} == world.statuses(unlucky)
    assert {ActivityStatus.DONE} == world.statuses(others)


@pytest.mark.parametrize("refused", ["reject_credentials", "reject_tokens"])
def test_wrong_credentials_are_tried_twice_a_minute_at_most(refused):
    world = GatedWorld()
    setattr(world.leena, refused, True)
    driver = Driver(world)
    activity_ids = world.accept_many(10)
    for seconds in range(5, 105, 5):
        driver.at(seconds, lambda: activity_ids.extend(world.accept_many(1)))
    driver.run(seconds=HOUR)
    assert 30 == len(activity_ids)
    assert {ActivityStatus.FAILED} == world.statuses(activity_ids)
    assert 2 <= len(world.leena.minted_at)
    assert most_in_a_minute(world.leena.minted_at) <= 2
