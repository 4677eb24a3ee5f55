"""A redrive that is killed, repeated or sent many times at once: one successor, one start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from agentruns.errors import ActivityAlreadyRedriven, StoreConflict, StoreContention
from agentruns.ports import ActivityFilter
from agentruns.redriving import Redrive
from agentruns.statuses import ActivityStatus
from tests.fakes.driver import Driver, Killed
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import TENANT, World
from tests.unit.core.invariants import check_invariants
from tests.unit.core.killing import KillSwitch

REASON = Redrive(reason="the AOP is repaired")
FAILS = ((0.0, "in_progress"), (60.0, "failed"))
COMPLETES = ((0.0, "in_progress"), (60.0, "completed"))
AT_ONCE = 8


def failed_world(wrap: Any = lambda name, port: port) -> tuple[World, Driver, str]:
    """A world, its driver, and an activity whose AOP failed; the next start will do."""
    world = World(leena=lambda clock: TimedLeenaApi(clock, FAILS, COMPLETES), wrap=wrap)
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.run()
    assert ActivityStatus.FAILED is world.record(activity_id).activity.status
    return world, driver, activity_id


def all_ids(world: World) -> set[str]:
    page = world.store.list_activities(TENANT, ActivityFilter(), 100, None)
    return {activity.activity_id for activity in page.items}


def count_calls() -> int:
    switch = KillSwitch()
    world, _, old = failed_world(switch.wrap)
    switch.armed = True
    world.redrive_activity(TENANT, old, REASON, "k")
    return len(switch.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kill_at", range(count_calls()))
def test_killed_at_any_call_and_repeated_it_has_one_successor_that_is_started_once(kill_at, after):
    switch = KillSwitch(kill_at=kill_at, after=after)
    world, driver, old = failed_world(switch.wrap)
    switch.armed = True
    with pytest.raises(Killed):
        world.redrive_activity(TENANT, old, REASON, "k")
    switch.armed = False
    new = world.redrive_activity(TENANT, old, REASON, "k").activity_id
    driver.run()
    assert {old, new} == all_ids(world)
    assert 2 == len(world.leena.executes)
    assert ActivityStatus.DONE is world.record(new).activity.status
    for activity_id in (old, new):
        check_invariants(world, activity_id)


@pytest.mark.parametrize("key", ["k", None], ids=["with one key", "without a key"])
def test_of_many_at_once_there_is_one_successor(key):
    world, driver, old = failed_world()
    barrier = Barrier(AT_ONCE)

    def redrive(_: int) -> str:
        barrier.wait(timeout=10)
        try:
            return world.redrive_activity(TENANT, old, REASON, key).activity_id
        except ActivityAlreadyRedriven as error:
            assert key is None
            return error.successor_id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        successors = set(pool.map(redrive, range(AT_ONCE)))
    driver.run()
    assert {old, *successors} == all_ids(world)
    assert (1, 2) == (len(successors), len(world.leena.executes))


def test_a_store_that_always_conflicts_ends_in_contention_and_nothing_is_stored():
    class Conflicting:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def create(self, activity: Any, *rest: Any) -> None:
            if activity.redrive_of:
                raise StoreConflict(activity.activity_id)
            self._store.create(activity, *rest)

    world, _, old = failed_world(
        lambda name, port: Conflicting(port) if name == "activities" else port
    )
    with pytest.raises(StoreContention):
        world.redrive_activity(TENANT, old, REASON, None)
    assert {old} == all_ids(world)
    assert world.record(old).activity.redriven_as is None
