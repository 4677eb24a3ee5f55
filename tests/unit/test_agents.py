"""Agents: storing and replacing."""

from __future__ import annotations

from dataclasses import fields

import pytest

from agentruns.agent_credentials import StoredAgentCredentials
from agentruns.agents import AgentSettings, StoreAgent
from agentruns.definitions import Agent
from agentruns.errors import InvalidRequest
from agentruns.providers import LeenaAopAdapter, LeenaConnection
from tests.fakes import (
    FakeClock,
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemorySecretStore,
)
from tests.fakes.agent_stores import InMemorySkillStore

ADAPTER = LeenaAopAdapter(connection="main", aop_id="aop-1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store_agent(clock: FakeClock) -> StoreAgent:
    connections = InMemoryConnectionStore()
    connections.put(
        LeenaConnection(
            tenant="acme-corp",
            name="main",
            region="us-east-1",
            auth_url="https://auth",
            api_url="https://api",
            created_at=clock(),
            updated_at=clock(),
        )
    )
    return StoreAgent(
        agents=InMemoryAgentStore(),
        connections=connections,
        credentials=StoredAgentCredentials(secrets=InMemorySecretStore(), secret_prefix="x"),
        validate_url=str,
        skills=InMemorySkillStore(),
        clock=clock,
    )


def test_replacing_keeps_when_it_was_created(store_agent: StoreAgent, clock: FakeClock):
    first = store_agent("acme-corp", "it", AgentSettings(adapter=ADAPTER)).agent
    clock.advance(60)
    second = store_agent("acme-corp", "it", AgentSettings(adapter=ADAPTER, enabled=False)).agent
    assert (second.created_at, second.updated_at) == (first.created_at, clock())
    assert store_agent.agents.get("acme-corp", "it") == second


def test_a_connection_of_another_tenant_is_unknown(store_agent: StoreAgent):
    with pytest.raises(InvalidRequest) as caught:
        store_agent("other", "it", AgentSettings(adapter=ADAPTER))
    assert [field for field, _ in caught.value.problems] == ["adapter.connection"]


def test_the_settings_are_those_of_the_stored_agent():
    stored = {field.name: field.default for field in fields(Agent)}
    for setting in fields(AgentSettings):
        if setting.name in {"auth", "keeps_auth"}:
            continue  # stored as a secret
        assert setting.name in stored
        if setting.name not in {"adapter", "retry"}:
            assert setting.default == stored[setting.name]
