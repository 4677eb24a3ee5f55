"""A worker dies before or after any call of any port, alone or with its whole execution.

FAILURE-MODES row 29: whatever dies where, at most one start reaches the provider, nothing hangs and
the log tells the truth.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.errors import StartUnknown, UpstreamUnavailable
from agentruns.model import EventType, OnStartUnknown, RetryPolicy
from agentruns.providers import ConnectionLimits
from agentruns.refusals import TokenRejected
from agentruns.statuses import ActivityStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver, Killed
from tests.fakes.upstream import TimedLeenaApi, Timeline
from tests.fakes.world import CONNECTION, TENANT, World
from tests.unit.core.invariants import check_invariants

TIMEOUT_SECONDS = 7200
LATEST_SECONDS = 900
"""How much later than without the kill an activity may end."""


@dataclass
class KillSwitch:
    """Kills before or after the n-th call (from 0) since it was armed."""

    kill_at: int | None = None
    after: bool = False
    calls: list[str] = field(default_factory=list)
    armed: bool = False

    def wrap(self, name: str, port: Any) -> Any:
        return _Watched(self, name, port)

    def pass_(self, call: Callable[[], Any], name: str) -> Any:
        if not self.armed:
            return call()
        number = len(self.calls)
        self.calls.append(name)
        if number == self.kill_at and not self.after:
            raise Killed(name)
        result = call()
        if number == self.kill_at:
            raise Killed(name)
        return result


class _Watched:
    def __init__(self, switch: KillSwitch, name: str, port: Any) -> None:
        self._switch, self._name, self._port = switch, name, port

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._switch.pass_(
                lambda: getattr(self._port, method)(*args, **kwargs), f"{self._name}.{method}"
            )

        return call


@dataclass(frozen=True)
class Scenario:
    timelines: tuple[Timeline, ...] = (((0.0, "in_progress"), (60.0, "completed")),)
    agent: dict[str, Any] = field(default_factory=dict)
    script: tuple[Exception, ...] = ()
    expected: ActivityStatus = ActivityStatus.DONE
    requests_per_minute: int | None = None


SCENARIOS = {
    "completes": Scenario(),
    "parks": Scenario(timelines=(((0.0, "in_progress"), (20.0, "paused"), (1800.0, "completed")),)),
    "wakes into the loop": Scenario(
        timelines=(
            ((0.0, "in_progress"), (5.0, "paused"), (100.0, "in_progress"), (240.0, "completed")),
        )
    ),
    "fails and is retried": Scenario(
        timelines=(((0.0, "failed"),), ((0.0, "in_progress"), (30.0, "completed"))),
        agent={"retry": RetryPolicy(max_attempts=2, backoff_seconds=10)},
    ),
    "is refused for a while": Scenario(
        script=(UpstreamUnavailable("429", retry_after_seconds=20),)
    ),
    "has its token revoked": Scenario(script=(TokenRejected("hr"),)),
    "starts without an answer": Scenario(
        script=(StartUnknown("reset"),), expected=ActivityStatus.FAILED
    ),
    "starts without an answer and tries again": Scenario(
        script=(StartUnknown("reset"),),
        agent={
            "on_start_unknown": OnStartUnknown.RETRY,
            "retry": RetryPolicy(max_attempts=2, backoff_seconds=10),
        },
    ),
    "waits for its budget": Scenario(
        timelines=(((0.0, "in_progress"), (20.0, "paused"), (300.0, "completed")),),
        requests_per_minute=1,
    ),
    "runs into the deadline": Scenario(
        timelines=(((0.0, "in_progress"),),),
        agent={"timeout_seconds": 300},
        expected=ActivityStatus.FAILED,
    ),
}


def play(scenario: Scenario, switch: KillSwitch, *, kill_execution: bool) -> tuple[World, str]:
    world = World(
        leena=lambda clock: TimedLeenaApi(clock, *scenario.timelines),
        wrap=switch.wrap,
        requests_per_minute=scenario.requests_per_minute,
        **({"timeout_seconds": TIMEOUT_SECONDS} | scenario.agent),
    )
    world.leena.on_execute(*scenario.script)
    driver = Driver(world, kill_execution=kill_execution)
    activity_id = world.accept().activity_id
    switch.armed = True
    driver.run()
    switch.armed = False
    return world, activity_id


@pytest.mark.parametrize("kill_execution", [False, True], ids=["worker", "execution"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_29_whatever_dies_nothing_is_started_twice_and_everything_ends(
    name, kill_execution, record_property
):
    scenario = SCENARIOS[name]
    untouched = KillSwitch()
    with contextlib.redirect_stdout(io.StringIO()):
        world, activity_id = play(scenario, untouched, kill_execution=kill_execution)
    ended_at = world.record(activity_id).activity.ended_at
    assert scenario.expected is world.record(activity_id).activity.status
    for number, call in enumerate(untouched.calls):
        for after in (False, True):
            where = f"{name}: killed {'after' if after else 'before'} call {number}, {call}"
            with contextlib.redirect_stdout(io.StringIO()):
                world, activity_id = play(
                    scenario, KillSwitch(number, after), kill_execution=kill_execution
                )
            check_kill(world, activity_id, scenario, ended_at, where)
    record_property("kill_points", 2 * len(untouched.calls))  # told by the session


def check_kill(world: World, activity_id: str, scenario: Scenario, ended_at: Any, where: str):
    check_invariants(world, activity_id)
    activity = world.record(activity_id).activity
    accepted_for = world.leena.accepted_for
    assert len(set(accepted_for)) == len(accepted_for), where
    assert activity.status.is_terminal, where
    assert not world.store.list_due_runs(NOON + timedelta(days=365), 10), where
    types = [event.type for event in world.events(activity_id)]
    if EventType.RUN_START_UNKNOWN in types:
        return  # told, and ended by the policy or the deadline
    assert scenario.expected is activity.status, where
    assert activity.ended_at <= ended_at + timedelta(seconds=LATEST_SECONDS), where


def play_in_turn(switch: KillSwitch, *, kill_execution: bool) -> tuple[World, list[str]]:
    """Three activities over a connection that takes one at a time."""
    world = World(
        leena=lambda clock: TimedLeenaApi(clock, ((0.0, "in_progress"), (20.0, "completed"))),
        wrap=switch.wrap,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    world.connections.put(replace(CONNECTION, limits=ConnectionLimits(max_concurrent_runs=1)))
    driver = Driver(world, kill_execution=kill_execution)
    activity_ids = [world.accept().activity_id for _ in range(3)]
    switch.armed = True
    driver.run()
    switch.armed = False
    return world, activity_ids


@pytest.mark.parametrize("kill_execution", [False, True], ids=["worker", "execution"])
def test_whatever_dies_no_slot_is_lost_or_given_twice(kill_execution):
    untouched = KillSwitch()
    with contextlib.redirect_stdout(io.StringIO()):
        play_in_turn(untouched, kill_execution=kill_execution)
    assert {"activities.read_slots", "executions.wake"} <= set(untouched.calls)
    for number, call in enumerate(untouched.calls):
        for after in (False, True):
            where = f"killed {'after' if after else 'before'} call {number}, {call}"
            switch = KillSwitch(kill_at=number, after=after)
            with contextlib.redirect_stdout(io.StringIO()):
                world, activity_ids = play_in_turn(switch, kill_execution=kill_execution)
            for activity_id in activity_ids:
                check_invariants(world, activity_id)
                activity = world.record(activity_id).activity
                if activity.status is ActivityStatus.BLOCKED:  # killed where nobody can tell
                    world.cancel_activity(TENANT, activity_id, "an operator looked")
            Driver(world).run()
            starts = world.leena.accepted_for
            assert len(starts) == len(set(starts)), where
            statuses = [world.record(each).activity.status for each in activity_ids]
            assert all(status.is_terminal for status in statuses), where
            slots = world.store.read_slots(TENANT, "hr", 10)
            assert (frozenset(), ()) == (slots.taken, slots.waiting), where
    print(f"three in turn: {2 * len(untouched.calls)} kill points")  # noqa: T201  # as above
