"""Whole activities behind the gate: the provider is down, asks to wait, refuses the credentials."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from agentruns.errors import UpstreamUnavailable
from agentruns.gating import ConnectionGate, GatedLeenaApi
from agentruns.ports import AopAccepted, AopObservation, MintedToken
from agentruns.providers import LeenaConnection, LeenaCredentials
from agentruns.refusals import CredentialsRejected, TokenRejected
from agentruns.secret import Secret
from agentruns.statuses import ActivityStatus
from agentruns.tokens import CachedTokenSource, credentials_secret_name
from tests.fakes import InMemoryLeaseStore, InMemorySecretStore
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.driver import Driver
from tests.fakes.gates import InMemoryGateStore
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import CONNECTION, REQUEST, TENANT, World
from tests.unit.core.invariants import check_invariants

HOUR = 3600.0
PREFIX = "agentruns/test"


class WatchedUpstream(TimedLeenaApi):
    """`asked_at`: when each request arrived, mints apart. `reject_tokens`: every call is a 401."""

    def __init__(self, clock: FakeClock, *timelines: Any) -> None:
        super().__init__(clock, *timelines)
        self.asked_at: list[datetime] = []
        self.minted_at: list[datetime] = []
        self.reject_credentials = False
        self.reject_tokens = False

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        self.minted_at.append(self.clock())
        if self.reject_credentials:
            raise CredentialsRejected(connection.name, 401, "invalid_client")
        return super().mint(connection, credentials)

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        self._arrive()
        return super().execute(
            connection, token, aop_id=aop_id, message_to_start=message_to_start, context=context
        )

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        self._arrive()
        return super().read_status(connection, token, aop_item_id)

    def _arrive(self) -> None:
        self.asked_at.append(self.clock())
        if self.reject_tokens:
            raise TokenRejected("hr")


class GatedWorld(World):
    """As `wiring` builds it: real tokens and the gate before the provider."""

    def __init__(self, *timelines: Any, **agent: Any) -> None:
        super().__init__(leena=lambda clock: WatchedUpstream(clock, *timelines), **agent)

    def _build(self, wrap: Callable[[str, Any], Any]) -> None:
        self.gates = InMemoryGateStore()
        connection_gate = ConnectionGate(gates=self.gates, clock=self.clock)
        gated = GatedLeenaApi(self.leena, connection_gate, self.clock)
        secrets = InMemorySecretStore()
        secrets.put(
            credentials_secret_name(PREFIX, TENANT, CONNECTION.name),
            dict.fromkeys(("client_id", "client_secret", "username", "password"), "x"),
            "",
        )
        self.tokens: Any = CachedTokenSource(
            api=gated,
            secrets=secrets,
            leases=InMemoryLeaseStore(),
            clock=self.clock,
            secret_prefix=PREFIX,
            sleep=self._sleep,
        )
        super()._build(lambda name, port: gated if name == "leena" else wrap(name, port))

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def accept_many(self, count: int) -> list[str]:
        return [self.accept(REQUEST).activity_id for _ in range(count)]

    def statuses(self, activity_ids: list[str]) -> set[ActivityStatus]:
        for activity_id in activity_ids:
            check_invariants(self, activity_id)
        return {self.record(activity_id).activity.status for activity_id in activity_ids}


def most_in_a_minute(times: list[datetime]) -> int:
    minute = timedelta(seconds=60)
    return max(sum(at <= other < at + minute for other in times) for at in times)


@pytest.mark.parametrize("down_from_seconds", [0.0, 40.0], ids=["starts", "looks"])
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
