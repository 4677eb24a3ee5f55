"""Every call of the Agent API document, with its request and its answer, through API Gateway."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests

from tests.deployment import Deployment

ROLE = "contract_writer"
NO_CHANNEL = {"blockerType": "channel_auth_expired", "description": "x"}
SKILL = "---\nname: contract-seo\ndescription: Use when writing for the web.\n---\n\n# SEO\n"


class _Taking(BaseHTTPRequestHandler):
    """An agent that takes whatever it is sent, and does nothing by itself."""

    dispatches: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        import json

        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.dispatches.append(json.loads(body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silent."""


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True


class AgentSide:
    """What an agent of the role can call: with a run's task token, and with its own key."""

    def __init__(self, deployment: Deployment, url: str) -> None:
        self.deployment = deployment
        self.base = deployment.info.agent_api_url
        skill = {"content": SKILL, "references": [{"name": "tone.md", "content": "Plain."}]}
        deployment.call("PUT", "/v1/skills/contract-seo", skill)
        for role in (ROLE, "contract_researcher"):
            body = {
                "adapter": {"type": "webhook", "url": url},
                "skills": ["contract-seo"],
                "system_prompt": "You write.",
                "model": "large",
                "max_turns": 3,
            }
            deployment.call("PUT", f"/v1/agents/{role}", body)
        self.key = deployment.call("POST", f"/v1/agents/{ROLE}/keys")["key"]

    def new_run(self) -> dict[str, Any]:
        """The dispatch of a run that goes on."""
        body = {"agent_role": ROLE, "message": "Write about VPN"}
        activity_id = self.deployment.call("POST", "/v1/activities", body)["activity_id"]
        self.deployment.wait_for(
            activity_id, lambda seen: seen.current_run.status.value == "running"
        )
        return next(each for each in _Taking.dispatches if each["activityId"] == activity_id)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        run: dict[str, Any] | None = None,
    ) -> tuple[int, Any]:
        """As the run, else with the agent's key."""
        credential = f"ApiKey {self.key}" if run is None else f"Bearer {run['taskToken']}"
        answer = requests.request(
            method, self.base + path, json=body, headers={"Authorization": credential}, timeout=60
        )
        return answer.status_code, answer.json()

    def of_run(
        self, run: dict[str, Any], method: str, what: str, body: Any = None
    ) -> tuple[int, Any]:
        return self.call(method, f"/runs/{run['runId']}/{what}", body, run=run)


@pytest.fixture(scope="module")
def agent(deployment: Deployment) -> Iterator[AgentSide]:
    with _Server(("127.0.0.1", 0), _Taking) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield AgentSide(deployment, f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()


def test_the_lifecycle_of_a_run(agent: AgentSide):
    run = agent.new_run()

    status, context = agent.of_run(run, "GET", "context")
    assert status == 200
    assert set(context) == {
        *("runId", "activityId", "tenantId", "agentRole", "wakeReason", "prompt"),
        *("systemPrompt", "skills", "comments", "model", "maxTurns", "timeoutMs"),
    }
    assert (context["wakeReason"], context["agentRole"]) == ("new_task", ROLE)
    assert context["skills"] == [{"name": "contract-seo", "content": SKILL}]

    status, answer = agent.of_run(run, "GET", "status")
    assert status == 200
    assert set(answer) == {"runId", "status", "startedAt", "expiresAt"}
    assert (answer["runId"], answer["status"]) == (run["runId"], "running")

    delta = {"delta": "The dr", "sequenceNum": 1}
    assert agent.of_run(run, "POST", "stream", delta) == (200, {"received": True})

    status, answer = agent.of_run(
        run,
        "POST",
        "tool-call",
        {
            "toolName": "google_search_console",
            "method": "getSearchAnalytics",
            "input": {"site": "example.com"},
            "output": {"clicks": 3},
            "status": "success",
            "durationMs": 812,
            "costUsd": 0.002,
        },
    )
    assert (status, set(answer)) == (201, {"toolCallId"})

    result = {
        "status": "success",
        "text": "The draft.",
        "usage": {"inputTokens": 1200, "outputTokens": 800},
        "durationMs": 4200,
        "metadata": {"model": "large"},
    }
    received = {"received": True, "runId": run["runId"]}
    assert agent.of_run(run, "POST", "result", result) == (200, received)
    status, answer = agent.of_run(run, "POST", "result", result)
    assert (status, answer["code"]) == (409, "CONFLICT")
    assert agent.of_run(run, "GET", "status")[1]["status"] == "completed"


@pytest.mark.parametrize(
    ("action", "body", "status", "fields"),
    [
        (
            "report-blocker",
            {
                "blockerType": "channel_auth_expired",
                "description": "The channel's login has expired.",
                "channelId": "ch_1",
                "resolution": "Log in again.",
            },
            200,
            {"activityId", "status", "humanTaskCreated"},
        ),
        (
            "create-subtask",
            {
                "title": "Find sources",
                "agentRole": "contract-researcher",
                "prompt": "Find three sources.",
                "blocking": True,
                "priority": "high",
            },
            201,
            {"subtaskActivityId", "blocking", "parentActivityId"},
        ),
        (
            "request-review",
            {"title": "Is it good?", "description": "The draft.", "contentRef": "ref_1"},
            201,
            {"approvalId", "activityId", "status"},
        ),
        (
            "create-approval",
            {
                "title": "Publish it?",
                "type": "channel_action",
                "description": "On the blog.",
                "options": ["today", "tomorrow"],
                "blockCurrentActivity": True,
            },
            201,
            {"approvalId", "type", "riskLevel", "expiresAt"},
        ),
        (
            "add-comment",
            {"text": "For @agent:contract_researcher", "type": "comment"},
            201,
            {"commentId"},
        ),
        (
            "reassign",
            {"toRole": "contract_researcher", "reason": "It is about sources."},
            201,
            {"originalActivityId", "newActivityId"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_action(agent: AgentSide, action: str, body: Any, status: int, fields: set[str]):
    run = agent.new_run()

    got, answer = agent.of_run(run, "POST", f"actions/{action}", body)

    assert (got, set(answer)) == (status, fields), answer


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        (
            "report-blocker",
            {"blockerType": "channel_auth_expired", "description": "x"},
            "channelId",
        ),
        ("create-subtask", {"title": "x", "agentRole": "nobody", "prompt": "x"}, "agentRole"),
        ("reassign", {"reason": "x"}, "toRole"),
    ],
)
def test_what_an_action_refuses(agent: AgentSide, action: str, body: Any, field: str):
    run = agent.new_run()

    status, answer = agent.of_run(run, "POST", f"actions/{action}", body)

    assert (status, answer["code"]) == (422, "UNPROCESSABLE"), answer
    assert field in {error["field"] for error in answer["errors"]}


def test_skills_sessions_and_health(agent: AgentSide):
    run = agent.new_run()

    status, answer = agent.call("GET", f"/skills/{ROLE}", run=run)
    manifest = [{"name": "contract-seo", "description": "Use when writing for the web."}]
    assert (status, answer) == (200, {"manifest": manifest})
    status, answer = agent.call("GET", f"/skills/{ROLE}/contract-seo", run=run)
    references = [{"name": "tone.md", "content": "Plain."}]
    skill = {"name": "contract-seo", "content": SKILL, "references": references}
    assert (status, answer) == (200, skill)
    status, answer = agent.call("GET", f"/skills/{ROLE}/nothing", run=run)
    assert (status, answer["code"]) == (404, "NOT_FOUND")

    session = {
        "sessionId": "session-1",
        "activityRunId": run["runId"],
        "inputTokensSoFar": 10,
        "outputTokensSoFar": 20,
    }
    upserted = {"sessionId": "session-1", "upserted": True}
    assert agent.call("PUT", f"/sessions/{ROLE}", session) == (200, upserted)
    status, answer = agent.call("GET", f"/sessions/{ROLE}/latest")
    assert status == 200
    assert set(answer) == {"sessionId", "inputTokens", "outputTokens", "createdAt"}
    assert (answer["sessionId"], answer["inputTokens"]) == ("session-1", 10)

    status, answer = agent.call("GET", f"/health/{ROLE}")
    assert status == 200
    assert set(answer) == {"agentRole", "adapterType", "ok", "message", "checks", "checkedAt"}
    assert (answer["agentRole"], answer["adapterType"], answer["ok"]) == (ROLE, "webhook", True)


def test_a_probe_of_an_agent_that_never_answers_says_so(agent: AgentSide):
    status, answer = agent.call("POST", f"/health/{ROLE}/test")

    assert (status, answer["ok"]) == (200, False)
    assert answer["durationMs"] > 0
    assert answer["error"]


def test_the_other_published_form_of_a_result(agent: AgentSide):
    run = agent.new_run()
    body = {"status": "completed", "output": "The draft.", "usage": None, "error": None}
    answer = requests.post(
        f"{agent.deployment.info.api_url}/api/agent-callback/{run['runId']}",
        json=body,
        headers={"Authorization": f"Bearer {run['taskToken']}"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["received"]) == (200, True)
