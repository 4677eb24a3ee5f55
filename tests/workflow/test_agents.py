"""Agents of one's own on the embedded stack: dispatched, called back, resolved; IAM enforced."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from agentruns.agent_reports import AgentReport
from agentruns.model import Problem
from agentruns.statuses import ActivityStatus, RunStatus
from local.reference_agent import ReferenceAgent
from tests.deployment import Deployment


@pytest.fixture
def agent() -> Iterator[ReferenceAgent]:
    with ReferenceAgent() as serving:
        yield serving


def put_agent(deployment: Deployment, agent: ReferenceAgent, role: str, **settings: Any) -> None:
    body = {"adapter": {"type": "webhook", "url": agent.url}, **settings}
    agent.signing_secret = deployment.call("PUT", f"/v1/agents/{role}", body)["signing_secret"]


def start(deployment: Deployment, role: str, message: str) -> str:
    body = {"agent_role": role, "message": message}
    return str(deployment.call("POST", "/v1/activities", body)["activity_id"])


def test_an_agent_takes_its_dispatch_and_delivers(deployment: Deployment, agent: ReferenceAgent):
    put_agent(deployment, agent, "writer_delivers")

    activity_id = start(deployment, "writer_delivers", "Write about VPN")

    record = deployment.wait_for_end(activity_id)
    assert record.activity.status is ActivityStatus.DONE
    assert record.current_run.output == "Done: Write about VPN"
    assert record.current_run.report == AgentReport(input_tokens=3, output_tokens=4, duration_ms=1)
    assert len(agent.dispatches) == 1


def test_a_failure_is_retried_with_another_run(deployment: Deployment, agent: ReferenceAgent):
    retry = {"max_attempts": 2, "backoff_seconds": 0}
    put_agent(deployment, agent, "writer_fails", retry=retry)

    record = deployment.wait_for_end(start(deployment, "writer_fails", "fail: no quota"))

    assert record.activity.status is ActivityStatus.FAILED
    assert record.activity.error == Problem(code="agent_failed", message="no quota")
    assert [each["wakeReason"] for each in agent.dispatches] == ["new_task", "retry"]


def test_an_unknown_start_is_resolved_by_the_agent(deployment: Deployment, agent: ReferenceAgent):
    put_agent(deployment, agent, "writer_unknown")
    agent.answers_with = 500
    activity_id = start(deployment, "writer_unknown", "Write")
    deployment.wait_for(
        activity_id, lambda seen: seen.current_run.status is RunStatus.START_UNKNOWN
    )

    agent.work(agent.dispatches[0])

    assert deployment.wait_for_end(activity_id).activity.status is ActivityStatus.DONE
    assert len(agent.dispatches) == 1


def test_a_second_result_and_a_dead_token(deployment: Deployment, agent: ReferenceAgent):
    put_agent(deployment, agent, "writer_twice")
    deployment.wait_for_end(start(deployment, "writer_twice", "Write"))
    dispatch = agent.dispatches[0]
    headers = {"Authorization": f"Bearer {dispatch['taskToken']}"}

    again = requests.post(
        dispatch["callbackUrl"],
        json={"status": "success", "text": "other"},
        headers=headers,
        timeout=10,
    )
    context = requests.get(dispatch["contextUrl"], headers=headers, timeout=10)
    stranger = requests.get(dispatch["contextUrl"], timeout=10)

    assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
    assert (context.status_code, context.json()["code"]) == (401, "UNAUTHORIZED")
    assert (stranger.status_code, stranger.json()["code"]) == (401, "UNAUTHORIZED")


def test_the_history_holds_no_token_and_no_prompt(deployment: Deployment, agent: ReferenceAgent):
    put_agent(deployment, agent, "writer_secret")
    record = deployment.wait_for_end(start(deployment, "writer_secret", "CANARY-prompt"))

    events = str(deployment.execution(deployment.execution_arn(record.activity.activity_id)).events)
    assert "CANARY-prompt" not in events
    assert agent.dispatches[0]["taskToken"] not in events


def test_shuffled_text_with_a_loss_comes_out_in_order(
    deployment: Deployment, agent: ReferenceAgent, monkeypatch: pytest.MonkeyPatch
):
    """50 pieces in any order, one lost and one twice; then the result."""
    lost, numbers = 23, list(range(1, 51))
    random.Random(7).shuffle(numbers)

    def stream(dispatch: dict[str, Any], text: str) -> None:
        url = agent.run_url(dispatch, "stream")
        for number in [*numbers, 1]:
            if number != lost:
                body = {"delta": f"{number} ", "sequenceNum": number}
                agent.call(dispatch, "POST", url, body)

    monkeypatch.setattr(agent, "stream", stream)
    put_agent(deployment, agent, "writer_streams")
    activity_id = start(deployment, "writer_streams", "Write about VPN")
    run = deployment.wait_for_end(activity_id).current_run
    path = f"/v1/runs/{run.run_id}"
    headers = {"Accept": "text/event-stream"}

    told = deployment.request("GET", f"{path}/events", headers=headers).text

    entries = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: ")]
    text = [entry for entry in entries if entry["type"].startswith("Text")]
    expected: list[Any] = [[number, f"{number} "] for number in range(1, 51)]
    expected[lost - 1] = [lost, lost]
    assert [list(entry["detail"].values()) for entry in text] == expected
    types = [entry["type"] for entry in entries]
    first = types.index("TextDelta")
    assert types.index("ToolCalled") < first
    assert types[first + 50] == "RunCompleted"
    seen = [line[4:] for line in told.splitlines() if line.startswith("id: ")]
    headers["Last-Event-ID"] = seen[first + 10]
    rest = deployment.request("GET", f"{path}/events", headers=headers).text
    assert rest.count("\ndata: ") == len(entries) - first - 11

    (call,) = deployment.call("GET", f"{path}/tool-calls")["items"]
    assert (call["tool_name"], call["output"]) == ("dictionary", {"words": 3})
    shown = deployment.call("GET", path)
    assert (shown["tool_calls"], shown["cost_usd"]) == (1, 0.0)
    assert shown["usage"] == {"input_tokens": 3, "output_tokens": 4}


def test_the_command_line_shows_the_text(deployment: Deployment, agent: ReferenceAgent):
    put_agent(deployment, agent, "writer_shown")

    watched = deployment.agentruns("start", "writer_shown", "-m", "Write about VPN", "--watch")

    assert watched.exit_code == 0, watched.stderr
    assert "Done: Write about VPN\n" in watched.stdout
    assert "[tool dictionary.countWords success, 1 ms]" in watched.stdout
