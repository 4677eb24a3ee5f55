"""Health and probes of agents: real checks of each adapter, for the agent's key and an operator."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.errors import AgentrunsError, StartUnknown, UpstreamUnavailable
from agentruns.model import Activity, Page, RetryPolicy
from agentruns.refusals import AgentRefused, CredentialsRejected
from agentruns.statuses import ActivityStatus
from tests.fakes.driver import Driver
from tests.fakes.world import (
    LEAP_ADAPTER,
    ROLE,
    SECRET_PREFIX,
    TENANT,
    WRITER,
    WRITER_ADAPTER,
    World,
)
from tests.unit.api.agent_driver import AgentApi
from tests.unit.api.driver import Api
from tests.unit.core.agents import DRAFT, FAILURE, Writer

HEALTH = f"/agent/v1/health/{WRITER}"


@pytest.fixture
def api() -> AgentApi:
    api = AgentApi()
    credentials = dict.fromkeys(("client_id", "client_secret", "username", "password"), "x")
    api.world.secrets.put(f"{SECRET_PREFIX}/connections/{TENANT}/hr", credentials, "")
    return api


def health(api: AgentApi, role: str = WRITER) -> Any:
    answer = api.call("GET", f"/agent/v1/health/{role}", key=api.issued_key(role))
    assert answer.status == 200, answer.text
    return answer.json


def failed(answer: Any) -> list[str]:
    assert answer["ok"] is (not [each for each in answer["checks"] if not each["ok"]])
    return [each["name"] for each in answer["checks"] if not each["ok"]]


def test_an_agent_of_one_s_own_is_checked_with_nothing_sent(api: AgentApi):
    answer = health(api)

    assert answer == {
        "agentRole": WRITER,
        "adapterType": "webhook",
        "ok": True,
        "message": "everything that can be checked is well",
        "checks": [
            {"name": "enabled", "ok": True, "detail": "takes new work"},
            {"name": "secret_present", "ok": True, "detail": "1 to sign dispatches with"},
            {"name": "url_allowed", "ok": True, "detail": WRITER_ADAPTER.url},
            {
                "name": "host_reachable",
                "ok": True,
                "detail": "a connection was made; nothing was sent over it",
            },
            {
                "name": "last_success",
                "ok": True,
                "detail": "none: no activity of this agent has ended well",
            },
        ],
        "checkedAt": "2026-01-02T12:00:00Z",
    }
    assert (api.world.agent.reached, api.world.agent.sent) == ([WRITER_ADAPTER.url], [])


def test_each_check_of_an_agent_fails_by_itself(api: AgentApi):
    api.world.agent.on_reach(UpstreamUnavailable("the agent at agents.example: no connection"))
    assert failed(health(api)) == ["host_reachable"]

    private = type(WRITER_ADAPTER)(url="https://10.0.0.1/x")
    api.world.put_agent(role=WRITER, adapter=private, enabled=False)
    answer = health(api)
    assert failed(answer) == ["enabled", "url_allowed"]
    assert answer["message"] == "2 of 4 checks failed: enabled, url_allowed"

    api.world.secrets.delete(f"{SECRET_PREFIX}/agents/{TENANT}/{WRITER}")
    assert "secret_present" in failed(health(api))


def test_an_aop_is_checked_over_its_connection(api: AgentApi):
    answer = health(api, ROLE)

    assert (answer["adapterType"], failed(answer)) == ("leena_aop", [])
    assert [each["name"] for each in answer["checks"]] == [
        "enabled",
        "credentials_stored",
        "token_minted",
        "api_reachable",
        "gate",
        "last_success",
    ]
    api.world.leena.on_mint(CredentialsRejected("hr", 401, "refused"))
    assert failed(health(api, ROLE)) == ["token_minted"]


def test_a_workflow_is_checked_over_its_connection(api: AgentApi):
    api.world.put_agent(role="flow", adapter=LEAP_ADAPTER)

    answer = health(api, "flow")

    assert (answer["adapterType"], failed(answer)) == ("leap_workflow", [])
    names = [each["name"] for each in answer["checks"]]
    assert names == ["enabled", "credentials_stored", "api_reachable", "gate", "last_success"]
    api.world.connections.delete(TENANT, "flows")
    assert failed(health(api, "flow")) == ["connection"]


def test_the_last_success_is_told(api: AgentApi):
    writer = Writer(api.world, Driver(api.world))
    activity_id = writer.asked()
    writer.driver.run(seconds=5)
    writer.delivers()
    writer.driver.run(seconds=600)

    (last,) = [each for each in health(api)["checks"] if each["name"] == "last_success"]

    assert last["ok"]
    assert activity_id in last["detail"]
    assert last["detail"].startswith("2026-01-02 12:0")


def last_success(api: AgentApi) -> Any:
    (last,) = [each for each in health(api)["checks"] if each["name"] == "last_success"]
    return last


def test_that_there_was_none_is_told(api: AgentApi):
    assert last_success(api) == {
        "name": "last_success",
        "ok": True,
        "detail": "none: no activity of this agent has ended well",
    }


def test_that_nobody_looked_further_back_is_not_told_as_never(
    api: AgentApi, monkeypatch: pytest.MonkeyPatch
):
    """So many other activities are newer that its own were not reached."""
    endless: Page[Activity] = Page(items=(), next_cursor="more")
    monkeypatch.setattr(api.world.store, "list_activities", lambda *_: endless)
    assert last_success(api)["detail"] == (
        "unknown: none among the newest activities of all agents, and older ones are not looked at"
    )


# Probes.


def probe(api: AgentApi, writer: Writer, *deliveries: Any) -> Any:
    """What the agent delivers while it is waited for, a look each."""
    left = list(deliveries)

    def meanwhile() -> None:
        writer.driver.run(seconds=0)
        if left and api.world.agent.sent:
            writer.delivers(left.pop(0))
            writer.driver.run(seconds=0)

    api.meanwhile = meanwhile
    answer = api.call("POST", f"{HEALTH}/test", key=api.issued_key())
    assert answer.status == 200, answer.text
    return answer.json


@pytest.fixture
def writer(api: AgentApi) -> Writer:
    return Writer(api.world, Driver(api.world))


def activity_of(world: World) -> Any:
    run_id = world.agent.sent[-1].dispatch_id
    return world.record(f"act_{run_id.split('_')[1]}").activity


def test_a_probe_goes_to_the_agent_and_back(api: AgentApi, writer: Writer):
    answer = probe(api, writer, DRAFT)

    assert answer == {
        "ok": True,
        "probeOutput": "the draft",
        "durationMs": 500,
        "detail": "the agent was given real work, with the wake reason probe",
    }
    (sent,) = api.world.agent.sent
    assert sent.document["wakeReason"] == "probe"
    assert "probe" in sent.document["prompt"]
    writer.driver.run(seconds=600)
    activity = activity_of(api.world)
    assert (activity.status, activity.trigger, activity.tags) == (
        ActivityStatus.DONE,
        "probe",
        ("probe",),
    )


def test_a_probe_that_fails_says_why_and_is_not_tried_again(api: AgentApi, writer: Writer):
    retry = RetryPolicy(max_attempts=3, backoff_seconds=60)
    api.world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, retry=retry)

    answer = probe(api, writer, FAILURE)

    assert (answer["ok"], answer["error"]) == (False, "no quota")
    assert activity_of(api.world).status is ActivityStatus.CANCELLED
    writer.driver.run(seconds=300)
    assert len(api.world.agent.sent) == 1


def test_a_probe_without_an_end_is_cancelled(api: AgentApi, writer: Writer):
    answer = probe(api, writer)

    assert (answer["ok"], answer["durationMs"]) == (False, 20_000)
    assert answer["error"] == "no end after 20 s: the run is running"
    assert activity_of(api.world).status is ActivityStatus.CANCELLED


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AgentRefused("agents.example", 403, "forbidden"), "403"),
        (StartUnknown("the agent at agents.example answered 500"), "answered 500"),
        (UpstreamUnavailable("the agent at agents.example: no connection"), "no connection"),
    ],
)
def test_a_dispatch_that_fails_is_told(
    api: AgentApi, writer: Writer, error: AgentrunsError, said: str
):
    api.world.agent.on_dispatch(*[error] * 50)

    answer = probe(api, writer)

    assert not answer["ok"]
    assert said in answer["error"]


def test_a_disabled_agent_gets_no_probe(api: AgentApi, writer: Writer):
    api.world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, enabled=False)

    answer = probe(api, writer)

    assert (answer["ok"], answer["durationMs"]) == (False, 0)
    assert "disabled" in answer["error"]
    assert answer["detail"] == "nothing was started"
    assert api.world.agent.sent == []


def test_a_probe_of_an_aop_says_that_it_really_ran_and_goes_on(api: AgentApi):
    driver = Driver(api.world)
    api.meanwhile = lambda: driver.run(seconds=0)

    answer = api.call("POST", f"/agent/v1/health/{ROLE}/test", key=api.issued_key(ROLE)).json

    assert not answer["ok"]
    assert answer["detail"].startswith(
        "AOP reset-vpn was really started at Leena AI; what it does is not taken back; "
        "cancel_unsupported: Leena AI has no call to stop an AOP; item item-1 goes on there"
    )


def test_a_probe_of_a_workflow_says_that_it_really_ran(api: AgentApi):
    api.world.put_agent(role=ROLE, adapter=LEAP_ADAPTER)
    driver = Driver(api.world)
    api.meanwhile = lambda: driver.run(seconds=0)

    answer = api.call("POST", f"/agent/v1/health/{ROLE}/test", key=api.issued_key(ROLE)).json

    assert answer["detail"].startswith("workflow wkf_1 was really started at Leap")
    assert "cancel_unsupported" in answer["detail"]


# Who may.


@pytest.mark.parametrize(("method", "path"), [("GET", HEALTH), ("POST", f"{HEALTH}/test")])
def test_only_the_agents_own_key_may(api: AgentApi, method: str, path: str):
    other = api.issued_key(ROLE)
    foreign = api.call(method, path, key=other)
    assert (foreign.status, foreign.json["code"]) == (404, "NOT_FOUND")

    api.at_work()
    with_token = api.call(method, path)
    assert (with_token.status, with_token.json["code"]) == (401, "UNAUTHORIZED")
    assert api.call(method, path, token=None).status == 401


# The operator's side.


@pytest.fixture
def operator() -> Api:
    return Api().with_agent()


def test_an_operator_sees_the_same(operator: Api):
    assert operator.call("GET", "/v1/agents/nobody/health").status == 404
    answer = operator.call("GET", "/v1/agents/it_support/health")

    assert answer.status == 200
    assert answer.json["agent_role"] == "it_support"
    assert answer.json["adapter_type"] == "leena_aop"
    assert answer.json["ok"] is True
    assert [each["name"] for each in answer.json["checks"]][:2] == ["enabled", "credentials_stored"]


def test_an_operator_gives_a_probe(operator: Api):
    answer = operator.call("POST", "/v1/agents/it_support/probe")

    assert answer.status == 200
    assert answer.json["ok"] is False
    assert answer.json["error"] == "no end after 20 s: the run is pending"
    assert answer.json["detail"] == "nothing was started"
    shown = operator.call("GET", f"/v1/activities/{answer.json['activity_id']}").json
    assert (shown["status"], shown["trigger"]) == ("cancelled", "probe")
