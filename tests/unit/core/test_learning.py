"""What the end of a run teaches: counted once, by whoever, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.durations import DurationHistory, bucket_of
from agentruns.errors import StoreConflict
from agentruns.learning import ATTEMPTS, duration_seconds, subject_of
from agentruns.provider_ports import AopObservation
from agentruns.providers import LeenaAopAdapter
from agentruns.statuses import ActivityStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import World

SUBJECT = "it_support hr reset-vpn"
ENDS_AFTER_A_MINUTE = ((0.0, "in_progress"), (60.0, "completed"))


def world_of(*timeline: tuple[float, str], **arguments: Any) -> World:
    return World(leena=lambda clock: TimedLeenaApi(clock, timeline), **arguments)


def run_through(world: World, request: ActivityRequest | None = None) -> Any:
    activity_id = (world.accept(request) if request else world.accept()).activity_id
    Driver(world).run()
    return world.record(activity_id)


def counted(world: World, subject: str = SUBJECT) -> int:
    return len(world.durations.read("acme", subject).history.buckets)


def test_the_end_of_a_run_is_counted_and_the_next_run_knows_it():
    world = world_of(*ENDS_AFTER_A_MINUTE)
    first = run_through(world)
    assert () == first.activity.durations.buckets
    (bucket,) = world.durations.read("acme", SUBJECT).history.buckets
    assert bucket_of(55) <= bucket <= bucket_of(80)
    assert (bucket,) == run_through(world).activity.durations.buckets


def test_an_agent_that_was_seen_fifty_times_is_looked_at_less():
    world = world_of((0.0, "in_progress"), (900.0, "completed"))
    before = run_through(world).current_run
    stored = world.durations.read("acme", SUBJECT)
    fifty = DurationHistory.of([900.0 + each for each in range(-50, 50, 2)])
    world.durations.write(replace(stored, history=fifty), world.clock())
    after = run_through(world).current_run
    assert before.polls >= 20
    assert after.polls <= 8
    assert after.ended_at - after.started_at <= timedelta(seconds=900 + 120)


def test_a_run_without_a_role_teaches_its_aop():
    world = world_of(*ENDS_AFTER_A_MINUTE)
    adapter = LeenaAopAdapter(connection="hr", aop_id="reset-vpn")
    run_through(world, ActivityRequest(adapter=adapter, message="go"))
    assert (0, 1) == (counted(world), counted(world, "- hr reset-vpn"))


def test_another_aop_of_the_same_role_starts_from_nothing():
    world = world_of(*ENDS_AFTER_A_MINUTE)
    activity = run_through(world).activity
    other = replace(activity, adapter=replace(activity.adapter, aop_id="other"))
    assert SUBJECT == subject_of(activity)
    assert subject_of(other) != subject_of(activity)


def test_a_repeated_worker_counts_none_twice():
    world = world_of(*ENDS_AFTER_A_MINUTE)
    record = run_through(world)
    task = world.task(record.activity.activity_id)
    for _ in range(3):
        world.settle_run(task)
    assert 1 == counted(world)
    assert 1 == world.durations.read("acme", SUBJECT).version


@pytest.mark.parametrize(
    ("timeline", "agent"),
    [(((0.0, "in_progress"),), {"timeout_seconds": 300})],
    ids=["deadline"],
)
def test_an_end_that_nobody_saw_teaches_nothing(timeline, agent):
    world = world_of(*timeline, **agent)
    run_through(world)
    assert 0 == counted(world)


def test_a_cancelled_run_teaches_nothing():
    world = world_of((0.0, "in_progress"))
    task = world.started()
    world.cancel_activity("acme", task.activity_id, "no longer needed")
    world.settle_run(task)
    assert 0 == counted(world)


def test_the_providers_own_times_are_believed_within_ours():
    world = World()
    task = world.started()
    world.clock.advance(100)
    seen = AopObservation(
        aop_item_id="item-1",
        status="completed",
        reference_id=None,
        initiated_at=NOON,
        completed_at=NOON + timedelta(seconds=70),
    )
    world.leena.on_read_status(seen)
    world.check_run(task)
    run = world.run(task)
    assert 70 == duration_seconds(run)
    late = replace(run, completed_at=NOON + timedelta(days=1))
    assert 100 == duration_seconds(late)
    assert 100 == duration_seconds(replace(run, completed_at=None))


class Broken:
    """A store that is down, or always too late."""

    def __init__(self, store: Any, error: Exception, *, reads: bool) -> None:
        self._store, self._error, self._reads = store, error, reads
        self.writes = 0

    def read(self, tenant: str, subject: str) -> Any:
        if not self._reads:
            raise self._error
        return self._store.read(tenant, subject)

    def write(self, durations: Any, now: Any) -> None:
        self.writes += 1
        raise self._error


@pytest.mark.parametrize(
    ("error", "reads", "writes"),
    [
        (RuntimeError("down"), False, 0),
        (RuntimeError("down"), True, 1),
        (StoreConflict("moved on"), True, ATTEMPTS),
    ],
    ids=["not readable", "not writable", "always too late"],
)
def test_neither_a_start_nor_an_end_waits_for_the_history(error, reads, writes):
    broken: list[Broken] = []

    def wrap(name: str, port: Any) -> Any:
        if name != "durations":
            return port
        broken.append(Broken(port, error, reads=reads))
        return broken[0]

    world = world_of(*ENDS_AFTER_A_MINUTE, wrap=wrap)
    record = run_through(world)
    assert ActivityStatus.DONE is record.activity.status
    assert writes == broken[0].writes
    assert 0 == counted(world)
