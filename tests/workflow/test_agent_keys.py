"""Keys, skills, sessions and health of agents on the embedded stack; IAM enforced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agentruns.statuses import ActivityStatus
from local.leena_emulator import LeenaEmulator
from local.reference_agent import ReferenceAgent
from tests.deployment import Deployment

SKILL = "---\nname: seo_stack\ndescription: Use when writing for the web.\n---\n\n# SEO\n"


class PatientAgent(ReferenceAgent):
    """Takes what it is given, and works when a test lets it."""

    is_at_once = True

    def work(self, dispatch: dict[str, Any]) -> None:
        if self.is_at_once:
            super().work(dispatch)


@pytest.fixture
def agent() -> Iterator[PatientAgent]:
    serving = PatientAgent()
    with serving:
        yield serving


def put_agent(deployment: Deployment, agent: ReferenceAgent, role: str, **settings: Any) -> str:
    """The agent's key."""
    body = {"adapter": {"type": "webhook", "url": agent.url}, **settings}
    agent.signing_secret = deployment.call("PUT", f"/v1/agents/{role}", body)["signing_secret"]
    return str(deployment.call("POST", f"/v1/agents/{role}/keys", {"name": "test"})["key"])


def ask(deployment: Deployment, method: str, path: str, credential: str, body: Any = None) -> Any:
    url = f"{deployment.info.api_url}/agent/v1{path}"
    headers = {"Authorization": credential}
    return requests.request(method, url, json=body, headers=headers, timeout=30)


def test_skills_and_sessions_of_a_run(deployment: Deployment, agent: PatientAgent):
    agent.is_at_once = False
    deployment.call("PUT", "/v1/skills/seo_stack", {"content": SKILL})
    key = put_agent(deployment, agent, "stack-writer", skills=["seo_stack"])
    body = {"agent_role": "stack_writer", "message": "Write"}
    activity_id = deployment.call("POST", "/v1/activities", body)["activity_id"]
    deployment.wait_for(activity_id, lambda seen: bool(agent.dispatches))
    dispatch = agent.dispatches[0]
    token = f"Bearer {dispatch['taskToken']}"

    manifest = ask(deployment, "GET", "/skills/stack_writer", token)
    skill = ask(deployment, "GET", "/skills/stack-writer/seo_stack", token)
    missing = ask(deployment, "GET", "/skills/stack-writer/other", token)
    context = requests.get(dispatch["contextUrl"], headers={"Authorization": token}, timeout=30)

    entry = {"name": "seo_stack", "description": "Use when writing for the web."}
    assert (manifest.status_code, manifest.json()) == (200, {"manifest": [entry]})
    assert skill.json() == {"name": "seo_stack", "content": SKILL, "references": []}
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    assert dispatch["skillsContext"] == "- seo_stack: Use when writing for the web."
    assert context.json()["skills"] == [{"name": "seo_stack", "content": SKILL}]

    session = {
        "sessionId": "session-1",
        "activityRunId": dispatch["runId"],
        "inputTokensSoFar": 12,
        "outputTokensSoFar": 3,
    }
    stored = ask(deployment, "PUT", "/sessions/stack-writer", f"ApiKey {key}", session)
    latest = ask(deployment, "GET", "/sessions/stack_writer/latest", f"ApiKey {key}")
    with_token = ask(deployment, "GET", "/sessions/stack_writer/latest", token)

    assert (stored.status_code, stored.json()["upserted"]) == (200, True)
    assert (latest.json()["sessionId"], latest.json()["inputTokens"]) == ("session-1", 12)
    assert (with_token.status_code, with_token.json()["code"]) == (401, "UNAUTHORIZED")
    ReferenceAgent.work(agent, dispatch)
    assert deployment.wait_for_end(activity_id).activity.status is ActivityStatus.DONE


def test_health_and_a_probe_end_to_end(deployment: Deployment, agent: PatientAgent):
    key = f"ApiKey {put_agent(deployment, agent, 'stack_health')}"

    before = ask(deployment, "GET", "/health/stack-health", key)
    probed = ask(deployment, "POST", "/health/stack-health/test", key)

    assert (before.status_code, before.json()["ok"]) == (200, True), before.text
    assert probed.status_code == 200
    assert probed.json()["ok"], probed.text
    assert probed.json()["probeOutput"].startswith("Done: This is a probe.")
    assert probed.json()["durationMs"] > 0
    assert [each["wakeReason"] for each in agent.dispatches] == ["probe"]

    agent.stop()
    after = deployment.call("GET", "/v1/agents/stack_health/health")
    assert [each["name"] for each in after["checks"] if not each["ok"]] == ["host_reachable"]


def test_a_probe_of_an_aop_and_its_health(deployment: Deployment, leena: LeenaEmulator):
    role = "stack_aop"
    leena.define_aop(role, [{"status": "completed"}])
    adapter = {"type": "leena_aop", "connection": "leena", "aop_id": role}
    deployment.call("PUT", f"/v1/agents/{role}", {"adapter": adapter})
    key = f"ApiKey {deployment.call('POST', f'/v1/agents/{role}/keys')['key']}"

    health = ask(deployment, "GET", f"/health/{role}", key)
    probed = deployment.call("POST", f"/v1/agents/{role}/probe")

    assert health.json()["ok"], health.text
    assert {"token_minted", "api_reachable"} <= {each["name"] for each in health.json()["checks"]}
    assert probed["ok"], probed


def test_a_revoked_key_and_a_strangers_open_nothing(deployment: Deployment, agent: PatientAgent):
    put_agent(deployment, agent, "stack_keys")
    issued = deployment.call("POST", "/v1/agents/stack_keys/keys")
    deployment.call("DELETE", f"/v1/agents/stack_keys/keys/{issued['key_id']}")

    for credential in (f"ApiKey {issued['key']}", "ApiKey ak_0_x", "Bearer x", ""):
        answer = ask(deployment, "GET", "/health/stack_keys", credential)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
