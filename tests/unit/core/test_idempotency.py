"""The same key within 24 hours gives the same answer, whichever trigger asks.

Clause by clause of promise P4, on all three ways in. What the API makes of it (202, 422, 409) is
in tests/unit/api; a write whose reply is lost in tests/contracts/test_lost_replies.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from agentruns.api.events import AcceptEvent
from agentruns.definitions import ActivityRequest, Schedule
from agentruns.errors import AgentDisabled, InvalidRequest, StoreConflict
from agentruns.model import Trigger
from agentruns.ports import ActivityFilter
from agentruns.request_errors import IdempotencyKeyReused, RequestInFlight
from agentruns.statuses import ActivityStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver, Killed
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import CONNECTION, ROLE, TENANT, World
from tests.unit.core.invariants import check_invariants
from tests.unit.core.test_accept_activity import Wrapped

DAY = 86_400
OTHER_TENANT = "other"
Send = Callable[..., str]
"""World, key, message, tenant: the activity's id."""


def by_api(world: World, key: str, message: str = "go", tenant: str = TENANT) -> str:
    request = ActivityRequest(agent_role=ROLE, message=message)
    return world.accept_activity(
        tenant, request, trigger=Trigger.API, idempotency_key=key
    ).activity_id


def by_event(world: World, key: str, message: str = "go", tenant: str = TENANT) -> str:
    event = {
        "id": key,
        "source": "agentruns.request",
        "detail-type": "ActivityRequested",
        "detail": {"agent_role": ROLE, "message": message},
    }
    return AcceptEvent(accept_activity=world.accept_activity, tenant=tenant)(event).activity_id


EXECUTION_NUMBERS = count(1)


def by_schedule(world: World, key: str, message: str = "go", tenant: str = TENANT) -> str:
    """Each delivery of the firing is an execution of its own, as EventBridge Scheduler starts it;
    a message other than the stored one is a schedule that was changed meanwhile."""
    request = ActivityRequest(agent_role=ROLE, message=message)
    world.schedules.put(
        Schedule(tenant=tenant, name="nightly", request=request, created_at=NOON, updated_at=NOON)
    )
    opened = world.open_run(
        {
            "tenant": tenant,
            "schedule": "nightly",
            "occurrence": key,
            "execution_arn": world.executions.arn_of(f"firing-{next(EXECUTION_NUMBERS)}"),
        }
    )
    return opened.activity_id


TRIGGERS: dict[str, Send] = {"api": by_api, "event": by_event, "schedule": by_schedule}
every_trigger = pytest.mark.parametrize("send", TRIGGERS.values(), ids=TRIGGERS)


def stored(world: World, tenant: str = TENANT) -> set[str]:
    page = world.store.list_activities(tenant, ActivityFilter(), 100, None)
    return {activity.activity_id for activity in page.items}


def world_whose(**calls: Callable[..., Any]) -> World:
    """Its store of activities answers these calls otherwise: each is given the store first."""

    def wrap(name: str, port: Any) -> Any:
        if name != "activities":
            return port
        replaced = {call: partial(instead, port) for call, instead in calls.items()}
        return Wrapped(port, **replaced)

    return World(wrap=wrap)


@every_trigger
def test_the_same_body_gets_the_stored_answer_for_24_hours(world, send):
    first = send(world, "k")
    world.clock.advance(DAY - 1)
    assert first == send(world, "k")
    assert {first} == stored(world)
    world.clock.advance(1)
    second = send(world, "k")
    assert first != second
    assert {first, second} == stored(world)
    assert second == send(world, "k")


@every_trigger
def test_the_answer_stays_when_the_agent_is_gone_or_disabled_meanwhile(world, send):
    first = send(world, "k")
    world.put_agent(enabled=False)
    assert first == send(world, "k")
    with pytest.raises(AgentDisabled):
        send(world, "another")
    world.agents.delete(TENANT, ROLE)
    assert first == send(world, "k")
    assert {first} == stored(world)


@every_trigger
def test_another_body_is_refused_and_changes_nothing(world, send):
    first = send(world, "k")
    before = world.record(first), world.events(first)
    with pytest.raises(IdempotencyKeyReused) as refused:
        send(world, "k", message="something else")
    assert "Idempotency-Key" == refused.value.problems[0][0]
    assert before == (world.record(first), world.events(first))
    assert {first} == stored(world)
    assert first == send(world, "k")


@every_trigger
def test_a_key_is_the_tenants_own(world, send):
    world.connections.put(replace(CONNECTION, tenant=OTHER_TENANT))
    world.put_agent(tenant=OTHER_TENANT)
    ours, theirs = send(world, "k"), send(world, "k", message="theirs", tenant=OTHER_TENANT)
    assert ({ours}, {theirs}) == (stored(world), stored(world, OTHER_TENANT))
    assert theirs == send(world, "k", message="theirs", tenant=OTHER_TENANT)


def test_a_key_is_the_routes_own(world):
    ids = {send(world, "k", message=name) for name, send in TRIGGERS.items()}
    assert len(TRIGGERS) == len(ids)
    assert ids == {send(world, "k", message=name) for name, send in TRIGGERS.items()}


@every_trigger
def test_a_twin_in_flight_is_refused_and_the_repeat_gets_its_answer(send):
    looks = count()

    def find(port, *args):
        """The twin's write is not to be seen by the second request's two looks."""
        return None if next(looks) in {0, 1, 2} else port.find_idempotency(*args)

    world = world_whose(find_idempotency=find)
    first = send(world, "k")
    with pytest.raises(RequestInFlight):
        send(world, "k")
    assert first == send(world, "k")
    assert {first} == stored(world)


@every_trigger
def test_of_two_at_once_the_slower_gets_the_answer_of_the_faster(send):
    looks = count()

    def find(port, *args):
        return None if next(looks) in {0, 1} else port.find_idempotency(*args)

    world = world_whose(find_idempotency=find)
    first = send(world, "k")
    assert first == send(world, "k")
    assert {first} == stored(world)


@every_trigger
def test_an_invalid_request_stores_nothing_and_leaves_its_key_free(world, send):
    world.agents.delete(TENANT, ROLE)
    with pytest.raises(InvalidRequest):
        send(world, "k", message="first try")
    assert set() == stored(world)
    world.put_agent()
    assert {send(world, "k", message="second try")} == stored(world)


@every_trigger
@pytest.mark.parametrize("meanwhile", ["", "changed"])
def test_a_crash_between_the_write_and_the_answer_changes_neither(send, meanwhile):
    """The caller comes again and gets the answer it was not given; nothing is started twice. What
    comes with another body meanwhile, also the schedule's own, is refused: the activity that is
    stored is carried to its end all the same."""
    crashes = [True]

    def create(port, *args):
        port.create(*args)
        if crashes:
            crashes.pop()
            raise Killed("after the write")

    def wrap(name: str, port: Any) -> Any:
        return (
            Wrapped(port, create=lambda *args: create(port, *args))
            if name == "activities"
            else port
        )

    timeline = ((0.0, "in_progress"), (30.0, "completed"))
    world = World(wrap=wrap, leena=lambda clock: TimedLeenaApi(clock, timeline))
    with pytest.raises(Killed):
        send(world, "k")
    (first,) = stored(world)
    if meanwhile:
        with pytest.raises(IdempotencyKeyReused):
            send(world, "k", message=meanwhile)
    else:
        assert first == send(world, "k")
    Driver(world).run()
    assert ActivityStatus.DONE is world.record(first).activity.status
    assert {first} == stored(world)
    assert 1 == len(world.leena.accepted_for)
    check_invariants(world, first)


@every_trigger
def test_a_write_that_fails_leaves_the_key_free(send):
    failures = [StoreConflict("not this time")]

    def create(port, *args):
        if failures:
            raise failures.pop()
        port.create(*args)

    world = world_whose(create=create)
    with pytest.raises(RequestInFlight):
        send(world, "k")
    assert set() == stored(world)
    assert {send(world, "k", message="another body")} == stored(world)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterRequest(ActivityRequest):
    """As a version of tomorrow has it, with one field more."""

    dry_run: bool = False


def test_a_deployment_within_the_day_does_not_make_a_body_another(world):
    said: dict[str, Any] = {"agent_role": ROLE, "message": "go", "tags": ("a",)}
    earlier, later = ActivityRequest(**said), LaterRequest(**said)
    first = world.accept(earlier, key="k")
    assert first.activity_id == world.accept(later, key="k").activity_id
    with pytest.raises(IdempotencyKeyReused):
        world.accept(replace(later, dry_run=True), key="k")
