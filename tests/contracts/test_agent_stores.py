"""The contracts of the stores of agents' keys, skills, sessions, text and tool calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.agent_errors import AgentKeyNotFound, SkillNotFound
from agentruns.agent_records import AgentKey, AgentSession, Skill, SkillReference, SkillSummary
from agentruns.agent_reports import ToolCall, ToolCallStatus
from agentruns.agent_stores import (
    AgentKeyStore,
    DeltaStore,
    SessionStore,
    SkillStore,
    Stretch,
    ToolCallStore,
)
from agentruns.deltas import Delta
from agentruns.errors import StoreConflict
from agentruns.model import Change, Run
from agentruns.ports import ActivityStore
from agentruns.skills import CONTENT_LIMIT_BYTES, REFERENCES_LIMIT_BYTES
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.agent_keys import DynamoDbAgentKeyStore
from agentruns.store.deltas import DynamoDbDeltaStore
from agentruns.store.sessions import DynamoDbSessionStore
from agentruns.store.skills import DynamoDbSkillStore
from agentruns.store.tool_calls import DynamoDbToolCallStore
from tests.contracts.samples import a_run, an_activity, create
from tests.fakes.agent_stores import (
    InMemoryAgentKeyStore,
    InMemoryDeltaStore,
    InMemorySessionStore,
    InMemorySkillStore,
    InMemoryToolCallStore,
)
from tests.fakes.clock import NOON
from tests.fakes.stores import InMemoryActivityStore

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


@pytest.fixture(params=["in_memory", "dynamodb"])
def deltas(request: pytest.FixtureRequest) -> DeltaStore:
    if request.param == "in_memory":
        return InMemoryDeltaStore()
    return DynamoDbDeltaStore(request.getfixturevalue("table"))


RUN = a_run(an_activity())
LIMIT = 5 * 1024 * 1024


def a_delta(number: int, run: Run = RUN, **fields: Any) -> Delta:
    values: dict[str, Any] = {
        "tenant": run.tenant,
        "activity_id": run.activity_id,
        "run_id": run.run_id,
        "attempt": run.attempt,
        "number": number,
        "text": "héllo\n",
        "after_event": 7,
        "received_at": NOON,
    }
    return Delta(**(values | fields))


class TestDeltas:
    def test_what_was_put_is_read_back(self, deltas):
        for delta in (a_delta(0, text=""), a_delta(10_000, text="x" * 65_536)):
            deltas.put(delta, LIMIT)
            assert deltas.find(RUN, delta.number) == delta
        assert deltas.find(RUN, 1) is None

    def test_a_number_is_taken_once(self, deltas):
        deltas.put(a_delta(1), LIMIT)
        for text in ("héllo\n", "other"):
            with pytest.raises(StoreConflict):
                deltas.put(a_delta(1, text=text), LIMIT)
        assert deltas.find(RUN, 1) == a_delta(1)

    def test_together_they_stay_within_the_limit(self, deltas):
        for number, text in ((1, "ä" * 3), (2, ""), (4, "1234")):
            assert deltas.put(a_delta(number, text=text), 10)
        assert not deltas.put(a_delta(5, text="x"), 10)
        assert deltas.find(RUN, 5) is None
        assert deltas.put(a_delta(3, text=""), 10)
        with pytest.raises(StoreConflict):
            deltas.put(a_delta(4, text="1234"), 10)
        assert deltas.put(a_delta(1, a_run(an_activity(), attempt=2)), 10)

    @pytest.mark.parametrize(("limit", "is_put"), [(20, True), (19, False)])
    def test_one_that_another_overtook_is_counted_after_it(self, aws, table, limit, is_put):
        """moto's transactions know no threads, so the other comes just before the write."""
        others = [a_delta(number, text="x" * 5) for number in (1, 2, 3)]

        def overtake(**event: Any) -> None:
            if others:
                assert DynamoDbDeltaStore(table).put(others.pop(), LIMIT)

        events = aws.dynamodb().meta.events
        events.register("before-call.dynamodb.TransactWriteItems", overtake)
        deltas = DynamoDbDeltaStore(table)
        assert deltas.put(a_delta(4, text="x" * 5), limit) is is_put
        assert len(deltas.list(RUN, 0, 10_000, 100).items) == 3 + is_put

    def test_they_are_listed_by_number_in_stretches(self, deltas):
        for number in (9, 2, 10, 100, 0):
            deltas.put(a_delta(number), LIMIT)
        first = deltas.list(RUN, 1, 10_000, 2)
        assert ([each.number for each in first.items], first.has_more) == ([2, 9], True)
        rest = deltas.list(RUN, 10, 10_000, 50)
        assert ([each.number for each in rest.items], rest.has_more) == ([10, 100], False)
        assert deltas.list(RUN, 3, 8, 50).items == ()
        assert deltas.list(RUN, 5, 4, 50).items == ()

    def test_a_stretch_ends_at_a_megabyte_or_so_and_says_so(self, deltas):
        for number in range(40):
            deltas.put(a_delta(number, text="x" * 65_536), LIMIT)
        found, first = [], 0
        while True:
            stretch = deltas.list(RUN, first, 10_000, 1000)
            found += [each.number for each in stretch.items]
            if not stretch.has_more:
                break
            first = found[-1] + 1
        assert found == list(range(40))

    def test_each_run_and_tenant_has_its_own(self, deltas):
        activity = an_activity(activity_id=RUN.activity_id)
        second = a_run(activity, attempt=2)
        foreign = replace(RUN, tenant="other")
        deltas.put(a_delta(1), LIMIT)
        for run in (second, foreign):
            assert deltas.find(run, 1) is None
            assert deltas.list(run, 0, 10_000, 10).items == ()
            deltas.put(a_delta(1, run), LIMIT)


@pytest.fixture(params=["in_memory", "dynamodb"])
def both(request: pytest.FixtureRequest) -> tuple[ActivityStore, ToolCallStore]:
    if request.param == "in_memory":
        activities = InMemoryActivityStore()
        return activities, InMemoryToolCallStore(activities)
    table = request.getfixturevalue("table")
    return DynamoDbActivityStore(table), DynamoDbToolCallStore(table)


def a_call(run: Run, number: int = 1, **fields: Any) -> ToolCall:
    values: dict[str, Any] = {
        "tenant": run.tenant,
        "activity_id": run.activity_id,
        "run_id": run.run_id,
        "attempt": run.attempt,
        "number": number,
        "tool_name": "semrush",
        "method": "getKeywordData",
        "status": ToolCallStatus.SUCCESS,
        "input": {"keyword": ["é", None, 1.5]},
        "output": None,
        "error": None,
        "duration_ms": 120,
        "cost_nanousd": 15_000_000,
        "called_at": NOON,
        "key_sha256": None,
        "body_sha256": "f" * 64,
    }
    return ToolCall(**(values | fields))


def stored(activities: ActivityStore, *calls: ToolCall) -> None:
    for call in calls:
        record = activities.read(call.tenant, call.activity_id)
        activities.apply(Change(activity=record.activity, tool_call=call))


class TestToolCalls:
    def test_a_call_is_stored_with_its_change(self, both):
        activities, calls = both
        run = activities.read("acme", create(activities).activity_id).current_run
        first = a_call(run, key_sha256="a" * 64, error="x", status=ToolCallStatus.ERROR)
        second = a_call(run, 2, key_sha256="b" * 64, input="x", output=[{}])
        stored(activities, first, second)

        assert calls.list(run, 0, 10).items == (first, second)
        assert calls.list(run, 1, 10).items == (second,)
        assert calls.list(run, 0, 1) == Stretch(items=(first,), has_more=True)
        assert calls.find_by_key(run, "a" * 64) == first
        assert calls.find_by_key(run, "b" * 64) == second
        assert calls.find_by_key(run, "c" * 64) is None

    def test_a_change_that_lost_its_race_stores_no_call(self, both):
        activities, calls = both
        record = activities.read("acme", create(activities).activity_id)
        stale = record.activity
        stored(activities, a_call(record.current_run))
        change = Change(activity=stale, tool_call=a_call(record.current_run, 2))
        with pytest.raises(StoreConflict):
            activities.apply(change)
        assert len(calls.list(record.current_run, 0, 10).items) == 1

    def test_the_largest_one_fits_and_stays_out_of_the_activity(self, both):
        activities, calls = both
        activity = create(activities)
        run = activities.read("acme", activity.activity_id).current_run
        call = a_call(run, input="x" * (300 * 1024 - 6), error="ä" * 2000, method="m" * 200)
        stored(activities, call)
        assert calls.list(run, 0, 10).items == (call,)
        assert activities.read("acme", activity.activity_id).runs == (run,)

    def test_each_run_and_tenant_has_its_own(self, both):
        activities, calls = both
        run = activities.read("acme", create(activities).activity_id).current_run
        stored(activities, a_call(run, key_sha256="a" * 64))
        others = (
            replace(run, tenant="other"),
            replace(run, attempt=2, run_id=run.run_id[:-1] + "2"),
        )
        for other in others:
            assert calls.list(other, 0, 10).items == ()
            assert calls.find_by_key(other, "a" * 64) is None
