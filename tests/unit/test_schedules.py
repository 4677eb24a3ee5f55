"""Schedules: what they hold and what goes to EventBridge Scheduler."""

from __future__ import annotations

import json

import pytest

from agentruns.definitions import ActivityRequest, Agent
from agentruns.errors import InvalidRequest
from agentruns.providers import LeenaAopAdapter
from agentruns.schedules import StoreSchedule, scheduler_input
from tests.fakes import (
    FakeClock,
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemoryScheduleStore,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store_schedule(clock: FakeClock) -> StoreSchedule:
    agents = InMemoryAgentStore()
    adapter = LeenaAopAdapter(connection="main", aop_id="aop-1")
    agents.put(
        Agent(
            tenant="acme-corp", role="it", adapter=adapter, created_at=clock(), updated_at=clock()
        )
    )
    return StoreSchedule(
        schedules=InMemoryScheduleStore(),
        agents=agents,
        connections=InMemoryConnectionStore(),
        validate_csv_url=lambda url: None,
        clock=clock,
    )


def test_the_input_holds_the_name_and_the_placeholder_only():
    assert json.loads(scheduler_input("default", "nightly")) == {
        "tenant": "default",
        "schedule": "nightly",
        "occurrence": "<aws.scheduler.schedule-arn>@<aws.scheduler.scheduled-time>",
    }


def test_replacing_keeps_when_it_was_created(store_schedule: StoreSchedule, clock: FakeClock):
    request = ActivityRequest(agent_role="it", message="one")
    first = store_schedule("acme-corp", "nightly", request)
    clock.advance(60)
    second = store_schedule("acme-corp", "nightly", ActivityRequest(agent_role="it", message="two"))
    assert (second.created_at, second.updated_at) == (first.created_at, clock())
    assert store_schedule.schedules.get("acme-corp", "nightly").request.message == "two"


@pytest.mark.parametrize(
    ("tenant", "request_", "field"),
    [
        ("acme-corp", ActivityRequest(agent_role="nobody"), "activity.agent_role"),
        ("other", ActivityRequest(agent_role="it"), "activity.agent_role"),
        (
            "acme-corp",
            ActivityRequest(adapter=LeenaAopAdapter(connection="none", aop_id="a")),
            "activity.adapter.connection",
        ),
    ],
)
def test_what_would_fail_when_it_fires_is_refused(
    store_schedule: StoreSchedule, tenant: str, request_: ActivityRequest, field: str
):
    with pytest.raises(InvalidRequest) as caught:
        store_schedule(tenant, "nightly", request_)
    assert [name for name, _ in caught.value.problems] == [field]
    assert store_schedule.schedules.list(tenant) == ()
