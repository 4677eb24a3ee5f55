"""The contracts of the stores of connections, agents, schedules and operator keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.errors import (
    AgentNotFound,
    ConnectionNotFound,
    OperatorKeyNotFound,
    ScheduleNotFound,
)
from agentruns.model import OnStartUnknown, Priority, RetryPolicy
from agentruns.polling import Detection
from agentruns.ports import OperatorKeyStore
from agentruns.store.agents import DynamoDbAgentStore
from agentruns.store.connections import DynamoDbConnectionStore
from agentruns.store.operator_keys import DynamoDbOperatorKeyStore
from agentruns.store.schedules import DynamoDbScheduleStore
from tests.contracts.samples import ADAPTER, a_connection, a_schedule, an_agent, an_operator_key
from tests.fakes import (
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemoryOperatorKeyStore,
    InMemoryScheduleStore,
)
from tests.fakes.clock import NOON

LATER = NOON + timedelta(microseconds=1)
EVERY_FIELD_SET: dict[str, Any] = {
    "connections": a_connection(region="eu-west-1", updated_at=LATER),
    "agents": an_agent(
        updated_at=LATER,
        enabled=False,
        retry=RetryPolicy(max_attempts=3, backoff_seconds=7),
        timeout_seconds=60,
        on_start_unknown=OnStartUnknown.RETRY,
        detection=Detection(relative_delay=None, max_delay_seconds=30),
    ),
    "schedules": a_schedule(
        updated_at=LATER,
        request=ActivityRequest(
            adapter=ADAPTER,
            message="hé",
            context={"a": [1, None]},
            title="t",
            priority=Priority.HIGH,
            tags=("x", "y"),
            timeout_seconds=5,
            on_start_unknown=OnStartUnknown.FAIL,
        ),
    ),
}
NOT_FOUND = {
    "connections": ConnectionNotFound,
    "agents": AgentNotFound,
    "schedules": ScheduleNotFound,
}
DEFAULTS: dict[str, Any] = {
    "connections": a_connection(),
    "agents": an_agent(),
    "schedules": a_schedule(),
}
IN_MEMORY: dict[str, Any] = {
    "connections": InMemoryConnectionStore,
    "agents": InMemoryAgentStore,
    "schedules": InMemoryScheduleStore,
}
DYNAMODB: dict[str, Any] = {
    "connections": DynamoDbConnectionStore,
    "agents": DynamoDbAgentStore,
    "schedules": DynamoDbScheduleStore,
}


@pytest.fixture(params=["connections", "agents", "schedules"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["in_memory", "dynamodb"])
def store(request: pytest.FixtureRequest, kind: str) -> Any:
    if request.param == "in_memory":
        return IN_MEMORY[kind]()
    return DYNAMODB[kind](request.getfixturevalue("table"))


def name_of(value: Any) -> str:
    return str(value.role if hasattr(value, "role") else value.name)


def named(value: Any, name: str) -> Any:
    return replace(value, **{"role" if hasattr(value, "role") else "name": name})


class TestNamedStores:
    def test_what_was_put_is_read_back(self, store, kind):
        for value in (DEFAULTS[kind], EVERY_FIELD_SET[kind]):
            store.put(value)
            assert store.get("acme", name_of(value)) == value

    def test_they_are_listed_by_name_per_tenant(self, store, kind):
        for name in ("b", "a", "C"):
            store.put(named(DEFAULTS[kind], name))
        store.put(replace(DEFAULTS[kind], tenant="other"))
        assert [name_of(value) for value in store.list("acme")] == ["C", "a", "b"]
        assert store.list("nobody") == ()

    def test_missing_and_foreign_are_the_same(self, store, kind):
        store.put(replace(DEFAULTS[kind], tenant="other"))
        name = name_of(DEFAULTS[kind])
        for call in (store.get, store.delete):
            with pytest.raises(NOT_FOUND[kind]):
                call("acme", name)
        assert len(store.list("other")) == 1

    def test_deleted_is_gone(self, store, kind):
        store.put(DEFAULTS[kind])
        name = name_of(DEFAULTS[kind])
        store.delete("acme", name)
        with pytest.raises(NOT_FOUND[kind]):
            store.delete("acme", name)
        assert store.list("acme") == ()


@pytest.fixture(params=["in_memory", "dynamodb"])
def operator_keys(request: pytest.FixtureRequest) -> OperatorKeyStore:
    if request.param == "in_memory":
        return InMemoryOperatorKeyStore()
    return DynamoDbOperatorKeyStore(request.getfixturevalue("table"))


class TestOperatorKeys:
    def test_a_key_is_found_by_its_id_alone(self, operator_keys):
        for key in (an_operator_key(), an_operator_key(key_id="k2", scopes=(), expires_at=LATER)):
            operator_keys.put(key)
            assert operator_keys.find(key.key_id) == key
        assert operator_keys.find("k3") is None

    def test_they_are_listed_by_tenant(self, operator_keys):
        for key_id, tenant in (("k2", "acme"), ("k1", "acme"), ("k3", "other")):
            operator_keys.put(an_operator_key(key_id=key_id, tenant=tenant))
        assert [key.key_id for key in operator_keys.list("acme")] == ["k1", "k2"]

    def test_only_its_tenant_deletes_it(self, operator_keys):
        operator_keys.put(an_operator_key())
        with pytest.raises(OperatorKeyNotFound):
            operator_keys.delete("other", "k1")
        assert operator_keys.find("k1") is not None
        operator_keys.delete("acme", "k1")
        assert operator_keys.find("k1") is None
        with pytest.raises(OperatorKeyNotFound):
            operator_keys.delete("acme", "k1")
