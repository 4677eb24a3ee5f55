"""Sessions of agents: whose they are, and which is the latest."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.agent_keys import CallingAgent
from agentruns.agent_records import AgentSession
from agentruns.errors import RunNotFound
from agentruns.sessions import StoreSession
from tests.contracts.samples import create
from tests.fakes import FakeClock, InMemoryActivityStore
from tests.fakes.agent_stores import InMemorySessionStore

CALLER = CallingAgent(tenant="acme", role="seo-writer", key_id="k")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> StoreSession:
    return StoreSession(
        sessions=InMemorySessionStore(), activities=InMemoryActivityStore(), clock=clock
    )


def run_of(store: StoreSession, **fields: Any) -> str:
    activity = create(store.activities, **({"agent_role": "seo-writer"} | fields))
    return store.activities.read(activity.tenant, activity.activity_id).current_run.run_id


def put(store: StoreSession, run_id: str, session_id: str = "s1", tokens: int = 1) -> AgentSession:
    return store(
        CALLER, session_id=session_id, run_id=run_id, input_tokens=tokens, output_tokens=tokens
    )


def test_a_session_keeps_when_it_began(store: StoreSession, clock: FakeClock):
    run_id = run_of(store)
    first = put(store, run_id)
    clock.advance(60)
    again = put(store, run_id, tokens=2)

    assert (again.created_at, again.updated_at) == (first.created_at, clock())
    assert store.sessions.latest("acme", "seo-writer") == again


def test_the_latest_is_the_one_told_of_last(store: StoreSession):
    run_id = run_of(store)
    for session_id in ("s1", "s2", "s1"):
        put(store, run_id, session_id)
        latest = store.sessions.latest("acme", "seo-writer")
        assert latest is not None
        assert latest.session_id == session_id


def test_the_run_of_a_role_in_its_other_spelling_is_its_own(store: StoreSession):
    assert put(store, run_of(store, agent_role="seo_writer")).role == "seo-writer"


@pytest.mark.parametrize(
    "fields", [{"tenant": "other"}, {"agent_role": "hr"}, {"agent_role": None}]
)
def test_the_run_of_another_tenant_or_role_is_not_there(store: StoreSession, fields):
    with pytest.raises(RunNotFound):
        put(store, run_of(store, **fields))
    assert store.sessions.latest("acme", "seo-writer") is None


@pytest.mark.parametrize("run_id", ["", "run_1", "run_01M80GFP03H6B59AJ2NHV0531H_1"])
def test_a_run_that_is_missing_is_not_there(store: StoreSession, run_id: str):
    with pytest.raises(RunNotFound):
        put(store, run_id)


def test_an_attempt_that_was_never_made_is_not_there(store: StoreSession):
    with pytest.raises(RunNotFound):
        put(store, run_of(store).removesuffix("_1") + "_2")
