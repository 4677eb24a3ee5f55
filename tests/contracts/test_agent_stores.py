"""The contracts of the stores of agents' keys, skills and sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.agent_errors import AgentKeyNotFound, SkillNotFound
from agentruns.agent_records import AgentKey, AgentSession, Skill, SkillReference, SkillSummary
from agentruns.agent_stores import AgentKeyStore, SessionStore, SkillStore
from agentruns.skills import CONTENT_LIMIT_BYTES, REFERENCES_LIMIT_BYTES
from agentruns.store.agent_keys import DynamoDbAgentKeyStore
from agentruns.store.sessions import DynamoDbSessionStore
from agentruns.store.skills import DynamoDbSkillStore
from tests.fakes.agent_stores import (
    InMemoryAgentKeyStore,
    InMemorySessionStore,
    InMemorySkillStore,
)
from tests.fakes.clock import NOON

LATER = NOON + timedelta(seconds=1)


def an_agent_key(**fields: Any) -> AgentKey:
    values: dict[str, Any] = {
        "tenant": "acme",
        "role": "seo",
        "key_id": "k1",
        "name": "",
        "secret_sha256": "f" * 64,
        "created_at": NOON,
    }
    return AgentKey(**(values | fields))


def a_skill(name: str = "seo", tenant: str = "acme", **fields: Any) -> Skill:
    summary = SkillSummary(
        tenant=tenant,
        name=name,
        description=fields.pop("description", "Use when writing."),
        created_at=NOON,
        updated_at=LATER,
    )
    values: dict[str, Any] = {"summary": summary, "content": "---\n"}
    return Skill(**(values | fields))


def a_session(session_id: str = "s1", **fields: Any) -> AgentSession:
    values: dict[str, Any] = {
        "tenant": "acme",
        "role": "seo",
        "session_id": session_id,
        "run_id": "run_1",
        "input_tokens": 0,
        "output_tokens": 7,
        "created_at": NOON,
        "updated_at": LATER,
    }
    return AgentSession(**(values | fields))


@pytest.fixture(params=["in_memory", "dynamodb"])
def keys(request: pytest.FixtureRequest) -> AgentKeyStore:
    if request.param == "in_memory":
        return InMemoryAgentKeyStore()
    return DynamoDbAgentKeyStore(request.getfixturevalue("table"))


@pytest.fixture(params=["in_memory", "dynamodb"])
def skills(request: pytest.FixtureRequest) -> SkillStore:
    if request.param == "in_memory":
        return InMemorySkillStore()
    return DynamoDbSkillStore(request.getfixturevalue("table"))


@pytest.fixture(params=["in_memory", "dynamodb"])
def sessions(request: pytest.FixtureRequest) -> SessionStore:
    if request.param == "in_memory":
        return InMemorySessionStore()
    return DynamoDbSessionStore(request.getfixturevalue("table"))


class TestAgentKeys:
    def test_a_key_is_found_by_its_id_alone(self, keys):
        for key in (an_agent_key(), an_agent_key(key_id="k2", name="here", created_at=LATER)):
            keys.put(key)
            assert keys.find(key.key_id) == key
        assert keys.find("k3") is None

    def test_they_are_listed_by_role_the_oldest_first(self, keys):
        for key in (
            an_agent_key(key_id="a", created_at=LATER),
            an_agent_key(key_id="b"),
            an_agent_key(key_id="c", role="hr"),
            an_agent_key(key_id="d", tenant="other"),
        ):
            keys.put(key)

        assert [key.key_id for key in keys.list("acme", "seo")] == ["b", "a"]
        assert keys.list("acme", "seo2") == ()

    def test_only_its_role_deletes_it_and_once(self, keys):
        keys.put(an_agent_key())
        for tenant, role in (("other", "seo"), ("acme", "hr")):
            with pytest.raises(AgentKeyNotFound):
                keys.delete(tenant, role, "k1")
        assert keys.find("k1") is not None
        keys.delete("acme", "seo", "k1")
        assert keys.find("k1") is None
        assert keys.list("acme", "seo") == ()
        with pytest.raises(AgentKeyNotFound):
            keys.delete("acme", "seo", "k1")


class TestSkills:
    def test_what_was_put_is_read_back(self, skills):
        references = (SkillReference(name="a", content="ä\n"), SkillReference(name="b", content=""))
        for skill in (a_skill(), a_skill(content="---\n—", references=references)):
            skills.put(skill)
            assert skills.get("acme", "seo") == skill
            assert skills.list("acme") == (skill.summary,)

    def test_the_largest_one_fits(self, skills):
        skill = a_skill(
            content="\n" * CONTENT_LIMIT_BYTES,
            description="ä" * 2000,
            references=(SkillReference(name="a", content="x" * (REFERENCES_LIMIT_BYTES - 64)),),
        )
        skills.put(skill)
        assert skills.get("acme", "seo") == skill

    def test_they_are_listed_by_name_per_tenant(self, skills):
        for name in ("b", "a", "C"):
            skills.put(a_skill(name))
        skills.put(a_skill("x", tenant="other"))
        assert [summary.name for summary in skills.list("acme")] == ["C", "a", "b"]

    def test_missing_and_foreign_are_the_same(self, skills):
        skills.put(a_skill(tenant="other"))
        for call in (skills.get, skills.delete):
            with pytest.raises(SkillNotFound):
                call("acme", "seo")
        assert len(skills.list("other")) == 1

    def test_deleted_is_gone(self, skills):
        skills.put(a_skill())
        skills.delete("acme", "seo")
        assert skills.list("acme") == ()
        with pytest.raises(SkillNotFound):
            skills.delete("acme", "seo")


class TestSessions:
    def test_the_latest_is_the_one_that_was_stored_last(self, sessions):
        assert sessions.latest("acme", "seo") is None
        first, second = a_session(), a_session("s2", created_at=LATER)
        again = replace(first, output_tokens=9)
        for session in (first, second, again):
            sessions.put(session, LATER)
            assert sessions.latest("acme", "seo") == session
            assert sessions.find("acme", "seo", session.session_id) == session
        assert sessions.find("acme", "seo", "s2") == second

    def test_each_role_and_tenant_has_its_own(self, sessions):
        sessions.put(a_session(), NOON)
        for tenant, role in (("acme", "hr"), ("other", "seo")):
            assert sessions.latest(tenant, role) is None
            assert sessions.find(tenant, role, "s1") is None

    def test_an_id_may_have_any_form(self, sessions):
        for session_id in ("a#b/c d", "ä" * 300, "LATEST"):
            session = a_session(session_id)
            sessions.put(session, NOON)
            assert sessions.find("acme", "seo", session_id) == session
