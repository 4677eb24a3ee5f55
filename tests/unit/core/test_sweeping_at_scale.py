"""The sweeper with many runs, slow and broken connections, and a second sweeper beside it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.providers import LeenaAopAdapter
from agentruns.statuses import ActivityStatus
from agentruns.sweeping import LOOKS_PER_CONNECTION
from tests.fakes.clock import NOON
from tests.fakes.leena import FakeLeenaApi, observation
from tests.fakes.world import CONNECTION, TENANT, World
from tests.unit.core.invariants import check_invariants
from tests.unit.core.test_accept_activity import Wrapped

DAY = 86_400


class SlowLeenaApi(FakeLeenaApi):
    """Each look takes its connection's seconds. Keeps who was looked at, and how many at once."""

    def __init__(self, seconds: dict[str, float], words: dict[str, str] | None = None) -> None:
        super().__init__()
        self.seconds = seconds
        self.words = words or {}
        self.looks: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def read_status(self, connection, token, aop_item_id):
        name = connection.name
        with self._lock:
            self.looks[name] += 1
            self._now[name] += 1
            self.most_at_once[name] = max(self.most_at_once[name], self._now[name])
        time.sleep(self.seconds.get(name, 0.0))
        with self._lock:
            self._now[name] -= 1
        return observation(aop_item_id, self.words.get(name, "paused"))


def world_with(leena: SlowLeenaApi, **wrap) -> World:
    world = World(leena=lambda clock: leena, **wrap)
    for name in leena.seconds:
        world.connections.put(replace(CONNECTION, name=name))
    return world


def park(world: World, connection: str, number: int) -> list[str]:
    """So many runs of a connection, parked and not looked at for a day."""
    words, world.leena.words = world.leena.words, {}
    seconds, world.leena.seconds = world.leena.seconds, {}
    ids = []
    for index in range(number):
        adapter = LeenaAopAdapter(connection=connection, aop_id="reset-vpn")
        task = world.started(ActivityRequest(adapter=adapter, timeout_seconds=30 * DAY))
        world.check_run(task)
        token = f"{connection}-{index}"
        world.executions.wait_on(token)
        world.park_run(task, token)
        ids.append(task.activity_id)
    world.leena.words, world.leena.seconds = words, seconds
    world.leena.looks.clear()
    world.leena.most_at_once.clear()
    return ids


def test_all_that_is_due_is_looked_at_in_one_tick_on_many_threads():
    leena = SlowLeenaApi({"a": 0.02, "b": 0.02, "c": 0.02, "d": 0.02})
    world = world_with(leena)
    for name in leena.seconds:
        park(world, name, 100)
    world.clock.set(NOON + timedelta(days=1))
    began = time.monotonic()
    swept = world.sweep(lambda: True)
    took = time.monotonic() - began
    assert (400, 400, 0) == (swept.due, swept.still_parked, swept.not_reached)
    assert {"a": 100, "b": 100, "c": 100, "d": 100} == leena.looks
    assert max(leena.most_at_once.values()) <= LOOKS_PER_CONNECTION
    assert took < 400 * 0.02 / 2
    assert 0 == world.sweep(lambda: True).due


@pytest.mark.slow  # two seconds of real time
def test_a_slow_connection_does_not_keep_the_others_waiting():
    """Its runs are the oldest, and more than there are workers."""
    leena = SlowLeenaApi({"slow": 2.0, "fast": 0.0})
    world = world_with(leena)
    park(world, "slow", 100)
    world.clock.advance(1)
    park(world, "fast", 100)
    world.clock.set(NOON + timedelta(days=1))
    until = time.monotonic() + 1.6
    swept = world.sweep(lambda: time.monotonic() < until)
    assert {"slow": LOOKS_PER_CONNECTION, "fast": 100} == leena.looks
    assert 100 - LOOKS_PER_CONNECTION == swept.not_reached


def test_runs_that_cannot_be_swept_are_due_later_and_later():
    """Unreadable for the sweeper, whatever the reason: 200 of them would fill a tick."""
    broken: set[str] = set()

    def wrap(name, port):
        if name != "connections":
            return port

        def get(tenant, connection):
            if connection in broken:
                raise RuntimeError("a bug")
            return port.get(tenant, connection)

        return Wrapped(port, get=get)

    leena = SlowLeenaApi({"bad": 0.0, "good": 0.0})
    world = world_with(leena, wrap=wrap)
    park(world, "bad", 40)
    park(world, "good", 5)
    broken.add("bad")
    world.clock.advance(120)
    failed = []
    for _ in range(30):
        failed.append(world.sweep(lambda: True).failed)
        world.clock.advance(60)
    assert 40 == failed[0]
    assert failed.count(40) == 6, "at once, after 1, 1, 2, 4, 8 minutes and so on"
    assert leena.looks["good"] > 0
    broken.clear()
    world.clock.advance(900)
    assert 0 == world.sweep(lambda: True).failed
    assert 40 == leena.looks["bad"]


@pytest.mark.parametrize("word", ["completed", "paused", "in_progress"])
def test_two_sweepers_at_once_wake_once_and_lose_nothing(word):
    leena = SlowLeenaApi({"hr": 0.003}, {"hr": word})
    world = world_with(leena)
    ids = park(world, "hr", 60)
    world.clock.set(NOON + timedelta(days=1))
    start = threading.Barrier(2)
    swept = []

    def sweep():
        start.wait()
        swept.append(world.sweep(lambda: True))

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [0, 0] == [each.failed for each in swept]
    woken = [token for token, _ in world.executions.woken]
    assert len(woken) == len(set(woken)) == (60 if word == "completed" else 0)
    assert 60 == len(world.executions.started)
    for activity_id in ids:
        check_invariants(world, activity_id)
        run: Any = world.count_looks.with_next(world.record(activity_id)).current_run
        assert run.due_at > world.clock() or run.next_check_at > world.clock()
        assert run.polls >= 2


def test_a_failed_look_of_one_thread_names_its_run_alone(capsys):
    from agentruns import telemetry

    def wrap(name, port):
        if name != "tokens":
            return port

        def get(connection):
            time.sleep(0.01)
            raise RuntimeError("a bug")

        return Wrapped(port, get=get) if broken else port

    broken: list[bool] = []
    leena = SlowLeenaApi({"hr": 0.0})
    world = world_with(leena)
    ids = park(world, "hr", 20)
    broken.append(True)
    world._build(wrap)
    world.clock.set(NOON + timedelta(days=1))
    capsys.readouterr()
    telemetry.begin_invocation(None)
    world.sweep(lambda: True)
    lines = lines_of(capsys.readouterr().out, "sweep_failed")
    assert sorted(ids) == sorted(line["activity_id"] for line in lines)
    runs = {world.record(each).current_run.run_id: each for each in ids}
    assert [line["activity_id"] for line in lines] == [runs[line["run_id"]] for line in lines]
    assert {TENANT} == {line["tenant"] for line in lines}


def lines_of(output: str, message: str) -> list[dict[str, str]]:
    import json

    documents = [json.loads(line) for line in output.splitlines()]
    return [document for document in documents if document.get("message") == message]


def test_the_lag_is_the_age_of_the_oldest_due_run(capsys):
    leena = SlowLeenaApi({"hr": 0.0})
    world = world_with(leena)
    (activity_id,) = park(world, "hr", 1)
    due_at = world.record(activity_id).current_run.due_at
    world.clock.set(due_at + timedelta(seconds=321))
    capsys.readouterr()
    world.sweep(lambda: True)
    assert '"SweepLagSeconds":[321.0]' in capsys.readouterr().out
    world.sweep(lambda: True)
    assert '"SweepLagSeconds":[0.0]' in capsys.readouterr().out


def test_a_parked_run_ends_without_any_sweeper():
    from tests.fakes.driver import Driver
    from tests.fakes.upstream import TimedLeenaApi

    timeline = ((0.0, "in_progress"), (30.0, "paused"), (7200.0, "completed"))
    world = World(leena=lambda clock: TimedLeenaApi(clock, timeline), timeout_seconds=30 * DAY)
    driver = Driver(world, has_sweeper=False)
    activity_id = world.accept().activity_id
    driver.run()
    check_invariants(world, activity_id)
    activity = world.record(activity_id).activity
    assert (ActivityStatus.DONE, 0, 1) == (activity.status, driver.ticks, activity.generation)
    assert activity.ended_at - NOON <= timedelta(seconds=7230 * 25 + 60)
