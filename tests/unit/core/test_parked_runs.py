"""Parked runs in compressed time: what is written, read, counted and shown of them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.durations import DurationHistory, StoredDurations
from agentruns.learning import subject_of
from agentruns.providers import (
    LeenaAopAdapter,
)
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi, Timeline
from tests.fakes.world import CONNECTION, TENANT, World
from tests.unit.core.invariants import check_invariants

DAY = 86_400
MONTH_PAUSED: Timeline = ((0.0, "in_progress"), (30.0, "paused"), (29.0 * DAY, "completed"))


class Counting:
    """Counts the calls of a port by name."""

    def __init__(self, port: Any, calls: Counter[str]) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._calls[method] += 1
            return getattr(self._port, method)(*args, **kwargs)

        return call


def counted_world(*timelines: Timeline, **agent: Any) -> tuple[World, Counter[str]]:
    calls: Counter[str] = Counter()
    world = World(
        leena=lambda clock: TimedLeenaApi(clock, *timelines),
        wrap=lambda name, port: Counting(port, calls) if name == "activities" else port,
        **({"timeout_seconds": 30 * DAY} | agent),
    )
    return world, calls


def driven(world: World, seconds: float) -> tuple[Driver, str]:
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.run(seconds=seconds)
    return driver, activity_id


def test_a_pause_of_thirty_days_is_written_at_its_beginning_and_its_end():
    world, calls = counted_world(MONTH_PAUSED)
    driver, activity_id = driven(world, 12 * 3600)
    looks_at_noon = len(world.leena.status_reads)
    calls.clear()
    own_looks = sum(each.count("CheckRun") for each in driver.visits.values())
    driver.run(seconds=28 * DAY)
    own_looks = sum(each.count("CheckRun") for each in driver.visits.values()) - own_looks
    looks = len(world.leena.status_reads) - looks_at_noon
    assert 28 * 96 - 5 <= looks <= 28 * 96 + 10
    assert calls["apply"] == 0
    assert calls["save_run"] <= 2 * own_looks, "the looks of the parked execution for itself"
    assert calls["read"] <= 4 * own_looks
    assert world.marks.writes <= len(world.leena.status_reads)
    driver.run(seconds=2 * DAY)
    record = world.record(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert record.activity.ended_at - NOON <= timedelta(days=29, seconds=960)
    check_invariants(world, activity_id)


def test_polls_are_the_looks_that_were_made():
    world, _ = counted_world(((0.0, "in_progress"), (30.0, "paused"), (2.0 * DAY, "completed")))
    _, activity_id = driven(world, 3 * DAY)
    polls = world.record(activity_id).current_run.polls
    assert abs(polls - len(world.leena.status_reads)) <= 2
    ended = [each for each in world.events(activity_id) if each.type.value == "RunCompleted"]
    assert [polls] == [each.detail["polls"] for each in ended]


def test_what_is_shown_of_a_parked_run_is_as_of_now():
    world, _ = counted_world(MONTH_PAUSED)
    _, activity_id = driven(world, 10 * 3600)
    world.clock.set(max(world.clock(), NOON + timedelta(hours=10)))
    record = world.record(activity_id)
    stored = record.current_run
    shown: Any = world.count_looks.with_next(record).current_run
    assert abs(shown.polls - len(world.leena.status_reads)) <= 2
    assert stored.polls < shown.polls
    assert timedelta(0) <= world.clock() - shown.last_checked_at <= timedelta(seconds=960)
    assert timedelta(seconds=-60) <= shown.next_check_at - world.clock() <= timedelta(seconds=900)


@pytest.mark.parametrize("how", ["cancelled", "refused", "at the deadline"])
def test_however_a_parked_run_ends_its_looks_are_counted(how):
    world, _ = counted_world(MONTH_PAUSED, timeout_seconds=5 * 3600)
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.run(seconds=4 * 3600)
    if how == "cancelled":
        world.cancel_activity(TENANT, activity_id, "")
    elif how == "refused":
        world.leena.started_at.clear()  # a 404 from here on
    looks = len(world.leena.status_reads)
    driver.run(seconds=3600 * 2)
    run = world.record(activity_id).current_run
    assert run.status.is_terminal
    made = looks if how == "cancelled" else max(looks, len(world.leena.status_reads))
    assert abs(run.polls - made) <= 2
    check_invariants(world, activity_id)


def test_a_failed_look_is_written_and_the_next_good_one_too():
    world, calls = counted_world(MONTH_PAUSED)
    driver, activity_id = driven(world, 6 * 3600)
    world.leena.down_until = world.clock() + timedelta(minutes=20)
    driver.run(seconds=1300)
    assert world.record(activity_id).current_run.failed_checks > 0
    driver.run(seconds=3600)
    run = world.record(activity_id).current_run
    assert (0, None) == (run.failed_checks, run.last_problem)
    assert run.is_watched
    calls.clear()
    driver.run(seconds=3600)
    assert calls["save_run"] + calls["apply"] == 0


def test_what_a_look_brings_besides_the_status_is_stored_once():
    world, calls = counted_world(MONTH_PAUSED)
    driver, activity_id = driven(world, 2 * 3600)
    run = world.record(activity_id).current_run
    answer = world.leena.read_status
    world.leena.read_status = lambda *args: replace(answer(*args), reference_id="REF-2")
    driver.run(seconds=1200)
    assert "REF-2" == world.record(activity_id).current_run.reference_id != run.reference_id
    calls.clear()
    driver.run(seconds=3600)
    assert 0 == calls["save_run"]


def test_a_dead_sweeper_is_made_up_for_in_its_first_tick():
    world, _ = counted_world(MONTH_PAUSED)
    driver, activity_id = driven(world, 3600)
    driver.has_sweeper = False
    driver.run(seconds=1800)
    world.clock.set(world.clock() + timedelta(hours=2))
    looks = len(world.leena.status_reads)
    assert 1 == world.sweep(lambda: True).still_parked
    assert looks + 1 == len(world.leena.status_reads)
    assert 0 == world.sweep(lambda: True).due
    check_invariants(world, activity_id)


def test_a_run_that_cannot_be_swept_is_put_off_and_keeps_no_mark_back():
    world, _ = counted_world(MONTH_PAUSED)
    world.connections.put(replace(CONNECTION, name="broken"))
    driver = Driver(world)
    for name in ("hr", "broken"):
        adapter = LeenaAopAdapter(connection=name, aop_id="reset-vpn")
        world.accept(ActivityRequest(adapter=adapter, timeout_seconds=30 * DAY))
    driver.run(seconds=3600)
    answer = world.leena.read_status

    def break_one(connection, *args):
        if connection.name == "broken":
            raise RuntimeError("a bug")
        return answer(connection, *args)

    world.leena.read_status = break_one
    now = world.clock.advance(960)
    swept = world.sweep(lambda: True)
    assert (1, 1) == (swept.failed, swept.still_parked)
    assert {"hr": now, "broken": now} == {
        each.connection: each.until for each in world.marks.list()
    }
    assert 0 == world.sweep(lambda: True).due
    world.clock.advance(900)
    assert 2 == world.sweep(lambda: True).due


def learned_world(timeline: Timeline, median: float, sigma: float) -> tuple[World, Counter[str]]:
    world, calls = counted_world(timeline)
    source = random.Random(11)
    seconds = [source.lognormvariate(0, sigma) * median for _ in range(50)]
    probe = World()
    subject = subject_of(probe.record(probe.accept().activity_id).activity)
    history = DurationHistory.of(seconds)
    world.durations.write(StoredDurations(tenant=TENANT, subject=subject, history=history), NOON)
    return world, calls


def test_a_run_that_is_parked_by_a_learned_plan_is_looked_at_without_a_write_too():
    world, calls = learned_world(((0.0, "in_progress"), (14_400.0, "completed")), 14_400, 0.1)
    driver, activity_id = driven(world, 10_000)
    assert world.record(activity_id).current_run.is_watched
    calls.clear()
    looks = len(world.leena.status_reads)
    driver.run(seconds=4_300)
    assert len(world.leena.status_reads) - looks >= 5
    assert calls["apply"] + calls["save_run"] <= 1
    driver.run(seconds=3600)
    record = world.record(activity_id)
    assert RunStatus.COMPLETED is record.current_run.status
    assert record.current_run.ended_at - record.current_run.started_at < timedelta(seconds=14_900)
    check_invariants(world, activity_id)
