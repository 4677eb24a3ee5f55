from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.errors import AgentDisabled, InvalidRequest, StoreConflict
from agentruns.ids import execution_name
from agentruns.model import OnStartUnknown, RetryPolicy, Trigger
from agentruns.providers import LeenaAopAdapter
from agentruns.request_errors import IdempotencyKeyReused, RequestInFlight
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.world import REQUEST, ROLE, TENANT, World


class Wrapped:
    """A port with some of its calls replaced."""

    def __init__(self, port: Any, **calls: Any) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._port, name)


def listed(world: World) -> list[str]:
    page = world.store.list_activities(TENANT, _any(), 10, None)
    return [activity.activity_id for activity in page.items]


def _any():
    from agentruns.ports import ActivityFilter

    return ActivityFilter()


def test_an_activity_is_stored_with_its_run_and_event_and_then_its_execution_is_started(world):
    accepted = world.accept()
    record = world.record(accepted.activity_id)
    assert (ActivityStatus.QUEUED, RunStatus.PENDING) == (
        record.activity.status,
        record.current_run.status,
    )
    assert ["ActivityOpened"] == world.event_types(accepted.activity_id)
    (started,) = world.executions.started
    assert execution_name(accepted.activity_id, 1) == started.name
    assert {
        "tenant": TENANT,
        "activity_id": accepted.activity_id,
        "generation": 1,
    } == started.payload
    assert world.clock() + timedelta(seconds=120) == record.current_run.due_at


def test_the_settings_are_the_agents_where_the_request_has_none_of_its_own():
    retry = RetryPolicy(max_attempts=3, backoff_seconds=7)
    world = World(timeout_seconds=50, retry=retry, on_start_unknown=OnStartUnknown.FAIL)
    activity = world.record(world.accept().activity_id).activity
    assert (50, retry, OnStartUnknown.FAIL) == (
        (activity.deadline_at - activity.created_at).total_seconds(),
        activity.retry,
        activity.on_start_unknown,
    )
    own = replace(REQUEST, timeout_seconds=9, on_start_unknown=OnStartUnknown.RETRY)
    activity = world.record(world.accept(own).activity_id).activity
    assert (9, OnStartUnknown.RETRY) == (
        (activity.deadline_at - activity.created_at).total_seconds(),
        activity.on_start_unknown,
    )


def test_the_same_key_and_body_give_the_same_activity_and_one_execution(world):
    first, second = world.accept(key="k"), world.accept(key="k")
    assert (first.activity_id, first.run_id) == (second.activity_id, second.run_id)
    assert (False, True) == (first.repeated, second.repeated)
    assert 1 == len(world.executions.started)


def test_the_same_key_with_another_body_is_refused(world):
    world.accept(key="k")
    with pytest.raises(IdempotencyKeyReused) as refused:
        world.accept(replace(REQUEST, message="something else"), key="k")
    assert ["Idempotency-Key"] == [field for field, _ in refused.value.problems]


def test_a_key_is_free_again_after_a_day(world):
    first = world.accept(key="k")
    world.clock.advance(86_400)
    assert first.activity_id != world.accept(key="k").activity_id


def test_keys_of_different_triggers_and_tenants_do_not_meet(world):
    ids = {
        world.accept_activity(TENANT, REQUEST, trigger=trigger, idempotency_key="k").activity_id
        for trigger in Trigger
    }
    assert len(Trigger) == len(ids)


def test_without_a_key_every_request_is_a_new_activity(world):
    assert world.accept().activity_id != world.accept().activity_id


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ActivityRequest(agent_role="nobody"), "agent_role"),
        (
            ActivityRequest(adapter=LeenaAopAdapter(connection="none", aop_id="a")),
            "adapter.connection",
        ),
    ],
)
def test_what_does_not_exist_is_named_and_nothing_is_stored(world, request_, field):
    with pytest.raises(InvalidRequest) as refused:
        world.accept(request_, key="k")
    assert [field] == [name for name, _ in refused.value.problems]
    assert [] == listed(world)
    assert [] == world.executions.started


def test_an_agent_without_its_connection_is_refused_by_the_role(world):
    world.connections.delete(TENANT, "hr")
    with pytest.raises(InvalidRequest) as refused:
        world.accept()
    assert ["agent_role"] == [name for name, _ in refused.value.problems]


def test_a_disabled_agent_is_refused():
    world = World(enabled=False)
    with pytest.raises(AgentDisabled, match=ROLE):
        world.accept()
    assert [] == listed(world)


def test_an_inline_adapter_needs_no_agent(world):
    adapter = LeenaAopAdapter(connection="hr", aop_id="other")
    activity = world.record(world.accept(ActivityRequest(adapter=adapter)).activity_id).activity
    assert (adapter, None) == (activity.adapter, activity.agent_role)


def test_an_execution_that_cannot_be_started_is_the_sweepers_and_the_request_is_accepted(world):
    world.executions.fail_next_start(RuntimeError("throttled"))
    accepted = world.accept()
    assert ActivityStatus.QUEUED is world.record(accepted.activity_id).activity.status
    world.clock.advance(120)
    assert 1 == world.sweep(lambda: True).resumed
    assert [execution_name(accepted.activity_id, 1)] == [e.name for e in world.executions.started]


def test_of_two_requests_with_one_key_at_once_the_later_gets_the_earliers_answer():
    looks: list[None] = []

    def wrap(name, port):
        if name != "activities":
            return port

        def find_idempotency(scope, key, now):
            looks.append(None)
            return None if len(looks) <= 2 else port.find_idempotency(scope, key, now)

        return Wrapped(port, find_idempotency=find_idempotency)

    world = World(wrap=wrap)
    first = world.accept(key="k")
    second = world.accept(key="k")
    assert (first.activity_id, True) == (second.activity_id, second.repeated)
    assert 1 == len(world.executions.started)


def test_a_twin_that_is_not_to_be_seen_yet_is_in_flight():
    def conflict(*args):
        raise StoreConflict("taken")

    world = World(
        wrap=lambda name, port: Wrapped(port, create=conflict) if name == "activities" else port
    )
    with pytest.raises(RequestInFlight):
        world.accept(key="k")


def test_cancelling_twice_changes_nothing_and_says_what_the_provider_does(world):
    task = world.started()
    first = world.cancel_activity(TENANT, task.activity_id, "")
    second = world.cancel_activity(TENANT, task.activity_id, "again")
    assert (False, False) == (first.provider_stopped, second.provider_stopped)
    assert "cancel_unsupported" in first.detail
    assert "item-1" in first.detail
    assert first.record.activity.version == second.record.activity.version
    assert 1 == len(world.executions.stopped)


def test_cancelling_before_the_start_needs_no_provider(world):
    task = world.opened()
    assert world.cancel_activity(TENANT, task.activity_id, "").provider_stopped
    assert "end_cancelled" == world.execute_aop(task).next_step
    assert [] == world.leena.executes
