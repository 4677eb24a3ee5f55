"""A worker dies before or after any call of any port, alone or with its whole execution.

FAILURE-MODES row 29: whatever dies where, at most one start reaches the provider, nothing hangs and
the log tells the truth. The function that takes a webhook dies as any other; what it was sent then
comes again, or never.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.errors import StartUnknown, UpstreamUnavailable
from agentruns.event_types import EventType
from agentruns.model import EvidenceSource, OnStartUnknown, RetryPolicy
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import ConnectionLimits, LeapDialect
from agentruns.refusals import TokenRejected
from agentruns.secret import Secret
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver, Killed
from tests.fakes.upstream import TimedLeapApi, TimedLeenaApi, Timeline
from tests.fakes.world import CONNECTION, LEAP_ADAPTER, LEAP_CONNECTION, REQUEST, TENANT, World
from tests.unit.core.hooked import BULK_REQUEST, a_body
from tests.unit.core.invariants import check_invariants
from tests.unit.core.killing import LATEST_SECONDS, KillSwitch

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 7200

EARLY = "before the start's answer"
WHILE_PARKING = "before the callback token is stored"
SENT_AGAIN_AFTER_SECONDS = 30


@dataclass(frozen=True)
class Scenario:
    """`dialect`: its work is a workflow of Leap, not an AOP. `webhooks`: when each is sent, in
    seconds after the run's end or at a moment. `request`: a bulk run's names a CSV."""

    timelines: tuple[Timeline, ...] = (((0.0, "in_progress"), (60.0, "completed")),)
    agent: dict[str, Any] = field(default_factory=dict)
    script: tuple[Exception, ...] = ()
    expected: ActivityStatus = ActivityStatus.DONE
    requests_per_minute: int | None = None
    dialect: LeapDialect | None = None
    webhooks: tuple[float | str, ...] = (0.0,)
    request: ActivityRequest = REQUEST


AT_ONCE: Timeline = ((0.0, "completed"),)
IN_BOTH = {
    "ends": Scenario(),
    "is refused for a while": Scenario(
        script=(UpstreamUnavailable("429", retry_after_seconds=20),)
    ),
    "starts without an answer": Scenario(script=(StartUnknown("reset"),)),
    "ends before its start is answered": Scenario(timelines=(AT_ONCE,), webhooks=(EARLY,)),
    "ends before its start's answer is lost": Scenario(
        timelines=(AT_ONCE,), webhooks=(EARLY,), script=(StartUnknown("reset"),)
    ),
    "ends while its execution parks": Scenario(timelines=(AT_ONCE,), webhooks=(WHILE_PARKING,)),
    "is told twice": Scenario(webhooks=(0.0, 40.0)),
    "fails and is retried": Scenario(
        timelines=(((0.0, "failed"),), ((0.0, "running"), (30.0, "completed"))),
        agent={"retry": RetryPolicy(max_attempts=2, backoff_seconds=10)},
    ),
    "is told after the deadline": Scenario(
        timelines=(((0.0, "running"), (400.0, "completed")),),
        agent={"timeout_seconds": 300},
        expected=ActivityStatus.FAILED,
    ),
}
"""Of workflows, whether they can be asked or not."""

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
    **{
        f"{dialect.value}: {name}": replace(scenario, dialect=dialect)
        for name, scenario in IN_BOTH.items()
        for dialect in LeapDialect
    },
    **{
        f"bulk runs: {name}": replace(IN_BOTH[name], dialect=LeapDialect.RUNS, request=BULK_REQUEST)
        for name in ("ends", "starts without an answer", "fails and is retried")
    },
    "runs: its webhook is lost": Scenario(dialect=LeapDialect.RUNS, webhooks=()),
    "workflows: its webhook is lost": Scenario(
        dialect=LeapDialect.WORKFLOWS, webhooks=(), expected=ActivityStatus.FAILED
    ),
}


class Webhooks:
    """What the provider sends; `again`: also what a function died of. `died`: whether one did."""

    def __init__(self, driver: Driver, switch: KillSwitch, scenario: Scenario, *, again: bool):
        self.world, self.driver, self.switch = driver.world, driver, switch
        self.scenario = scenario
        self.again = again
        self.died = False
        self.arrived: set[str] = set()
        self.world.leap.before_answer = self.plan

    def plan(self, run: WorkflowRun, url: Secret) -> None:
        def send() -> None:
            self.send(url.reveal().rsplit("/", 1)[-1], run.workflow_run_id)

        for when in self.scenario.webhooks:
            if when == EARLY:
                send()
            elif when == WHILE_PARKING:
                self.switch.before["activities.save_run"] = send
            else:
                ends_after = self.world.leap.ends_after_seconds(run.workflow_run_id)
                self.driver.at(ends_after + float(when), send)

    def send(self, name: str, workflow_run_id: str) -> None:
        try:
            self.world.accept_hook(name, a_body(self.world.leap.look(workflow_run_id)))
        except Killed:
            self.died = True
            if self.again:
                self.driver.at(SENT_AGAIN_AFTER_SECONDS, lambda: self.send(name, workflow_run_id))
        else:
            self.arrived.add(name.split(".")[0])


@dataclass(frozen=True)
class Played:
    world: World
    activity_id: str
    webhooks: Webhooks

    @property
    def activity(self) -> Any:
        return self.world.record(self.activity_id).activity

    @property
    def run(self) -> Any:
        return self.world.record(self.activity_id).current_run

    @property
    def nobody_knows(self) -> bool:
        """How it ended: it was not told, and cannot be asked."""
        dialect, run = self.webhooks.scenario.dialect, self.run
        if dialect is None or run.run_id in self.webhooks.arrived:
            return False
        if EvidenceSource.WEBHOOK in {each.source for each in run.evidence}:
            return False  # what took it died after that
        return run.remote_id is None or not dialect.can_be_asked


def play(
    scenario: Scenario, switch: KillSwitch, *, kill_execution: bool, again: bool = True
) -> Played:
    agent: dict[str, Any] = {"timeout_seconds": TIMEOUT_SECONDS} | scenario.agent
    if scenario.dialect is not None:
        agent["adapter"] = LEAP_ADAPTER
    world = World(
        leena=lambda clock: TimedLeenaApi(clock, *scenario.timelines),
        leap=lambda clock: TimedLeapApi(clock, *scenario.timelines),
        wrap=switch.wrap,
        requests_per_minute=scenario.requests_per_minute,
        **agent,
    )
    if scenario.dialect is None:
        world.leena.on_execute(*scenario.script)
    else:
        world.connections.put(replace(LEAP_CONNECTION, dialect=scenario.dialect))
        world.leap.on_start(*scenario.script)
    driver = Driver(world, kill_execution=kill_execution)
    webhooks = Webhooks(driver, switch, scenario, again=again)
    activity_id = world.accept(scenario.request).activity_id
    switch.armed = True
    driver.run()
    switch.armed = False
    return Played(world, activity_id, webhooks)


@pytest.mark.parametrize("kill_execution", [False, True], ids=["worker", "execution"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_29_whatever_dies_nothing_is_started_twice_and_everything_ends(
    name, kill_execution, record_property
):
    scenario = SCENARIOS[name]
    untouched = KillSwitch()
    with contextlib.redirect_stdout(io.StringIO()):
        alive = play(scenario, untouched, kill_execution=kill_execution)
    assert scenario.expected is alive.activity.status
    in_hooks = 0
    for number, call in enumerate(untouched.calls):
        for after in (False, True):
            where = f"{name}: killed {'after' if after else 'before'} call {number}, {call}"
            played = play_killed(scenario, number, after, kill_execution, again=True)
            check_kill(played, alive, where)
            if played.webhooks.died:
                in_hooks += 1
                never_again = play_killed(scenario, number, after, kill_execution, again=False)
                check_kill(never_again, alive, f"{where}, and it is not sent again")
    assert (in_hooks > 0) == (scenario.dialect is not None and bool(scenario.webhooks))
    record_property("kill_points", 2 * len(untouched.calls) + in_hooks)  # told by the session


def play_killed(
    scenario: Scenario, number: int, after: bool, kill_execution: bool, *, again: bool
) -> Played:
    with contextlib.redirect_stdout(io.StringIO()):
        switch = KillSwitch(number, after)
        return play(scenario, switch, kill_execution=kill_execution, again=again)


def check_kill(played: Played, alive: Played, where: str) -> None:
    world, activity, scenario = played.world, played.activity, played.webhooks.scenario
    check_invariants(world, played.activity_id)
    accepted_for = world.leena.accepted_for + world.leap.accepted_for
    assert len(set(accepted_for)) == len(accepted_for), where
    assert activity.status.is_terminal, where
    assert not world.store.list_due_runs(NOON + timedelta(days=365), 10), where
    types = [event.type for event in world.events(played.activity_id)]
    assert EventType.DUPLICATE_START_DETECTED not in types, where
    if EventType.RUN_START_UNKNOWN in types and scenario.dialect is None:
        return  # told, and ended by the policy or the deadline
    if played.nobody_knows:
        assert RunStatus.TIMEOUT is played.run.status, where
        return
    assert scenario.expected is activity.status, where
    latest = alive.activity.ended_at + timedelta(seconds=LATEST_SECONDS)
    assert activity.ended_at <= latest, where


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
    called = {call.name for call in untouched.calls}
    assert {"activities.read_slots", "executions.wake"} <= called
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
