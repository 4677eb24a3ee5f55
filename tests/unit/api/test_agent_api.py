"""`/agent/v1`: the run's lifecycle through the front door, in the names of the document."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentruns.model import RetryPolicy
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.steps import RunTask
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER
from tests.unit.api.agent_driver import AgentApi

SUCCESS = {
    "status": "success",
    "text": "the draft",
    "usage": {"inputTokens": 1200, "outputTokens": 800},
    "durationMs": 4200,
    "metadata": {"model": "large"},
}
CALLBACK = {
    "status": "completed",
    "output": "the draft",
    "sessionId": "session-1",
    "usage": {"inputTokens": 1200, "outputTokens": 800},
    "error": None,
}


@pytest.fixture
def api() -> AgentApi:
    return AgentApi()


@pytest.fixture
def task(api: AgentApi) -> RunTask:
    return api.at_work()


def path_of(task: RunTask, what: str) -> str:
    return f"/agent/v1/runs/{task.run_id}/{what}"


def test_a_result_is_received_and_wakes_the_execution(api: AgentApi, task: RunTask):
    answer = api.call("POST", path_of(task, "result"), SUCCESS)

    assert (answer.status, answer.json) == (200, {"received": True, "runId": task.run_id})
    run = api.world.run(task)
    assert (run.status, run.output) == (RunStatus.COMPLETED, "the draft")
    assert (run.report.input_tokens, run.report.output_tokens) == (1200, 800)
    assert (run.report.duration_ms, run.report.metadata) == (4200, {"model": "large"})
    assert [output["next_step"] for _, output in api.world.executions.woken] == ["settle"]


def test_the_other_published_form_is_the_same(api: AgentApi, task: RunTask):
    answer = api.call("POST", f"/api/agent-callback/{task.run_id}", CALLBACK)

    assert answer.status == 200
    run = api.world.run(task)
    assert (run.status, run.output) == (RunStatus.COMPLETED, "the draft")
    assert run.report.session_id == "session-1"


def test_an_error_fails_the_run_and_says_why(api: AgentApi, task: RunTask):
    body = {"status": "error", "error": "no quota", "text": "half a draft"}
    assert api.call("POST", path_of(task, "result"), body).status == 200

    run = api.world.run(task)
    assert (run.status, run.error.code, run.error.message) == (
        RunStatus.FAILED,
        "agent_failed",
        "no quota",
    )
    assert run.output == "half a draft"


def test_a_second_result_is_a_conflict_and_changes_nothing(api: AgentApi, task: RunTask):
    api.call("POST", path_of(task, "result"), SUCCESS)
    before = api.world.record(task.activity_id)

    answer = api.call("POST", path_of(task, "result"), SUCCESS | {"text": "another"})

    assert (answer.status, answer.json["code"]) == (409, "CONFLICT")
    assert answer.json["type"].endswith(":result_already_received")
    assert api.world.record(task.activity_id) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        ({"status": "done"}, "status"),
        ({"status": "success"}, "text"),
        ({"status": "completed", "text": None}, "text"),
        ({"status": "success", "text": 1}, "text"),
        ({"status": "error"}, "error"),
        ({"status": "error", "error": ""}, "error"),
        ({"status": "success", "text": "x", "usage": {"inputTokens": 1}}, "usage.outputTokens"),
        (
            {"status": "success", "text": "x", "usage": {"inputTokens": -1, "outputTokens": 0}},
            "usage.inputTokens",
        ),
        ({"status": "success", "text": "x", "durationMs": "1"}, "durationMs"),
        ({"status": "success", "text": "x", "metadata": []}, "metadata"),
    ],
)
def test_a_wrong_result_names_the_field(api: AgentApi, task: RunTask, body: Any, field: str):
    answer = api.call("POST", path_of(task, "result"), body)

    assert (answer.status, answer.json["code"], answer.fields) == (422, "UNPROCESSABLE", [field])
    assert api.world.run(task).status is RunStatus.RUNNING


def test_fields_that_the_document_does_not_know_are_passed_over(api: AgentApi, task: RunTask):
    assert api.call("POST", path_of(task, "result"), SUCCESS | {"vendor": 1}).status == 200


def test_the_context_is_all_that_the_agent_needs(api: AgentApi):
    api.world.put_agent(
        role=WRITER,
        adapter=WRITER_ADAPTER,
        system_prompt="You write.",
        model="large",
        max_turns=12,
    )
    task = api.at_work()

    answer = api.call("GET", path_of(task, "context"))

    assert answer.status == 200
    assert answer.json == {
        "runId": task.run_id,
        "activityId": task.activity_id,
        "tenantId": TENANT,
        "agentRole": WRITER,
        "wakeReason": "new_task",
        "prompt": 'Write it\n\nContext:\n{\n  "topic": "VPN"\n}',
        "systemPrompt": "You write.",
        "skills": [],
        "comments": [],
        "model": "large",
        "maxTurns": 12,
        "timeoutMs": 86_400_000,
    }


def test_the_status_is_told_also_of_a_run_that_has_ended(api: AgentApi, task: RunTask):
    running = api.call("GET", path_of(task, "status")).json
    assert (running["runId"], running["status"]) == (task.run_id, "running")
    assert running["startedAt"] == "2026-01-02T12:00:00Z"
    assert running["expiresAt"] == "2026-01-03T12:05:00Z"

    api.call("POST", path_of(task, "result"), SUCCESS)
    assert api.call("GET", path_of(task, "status")).json["status"] == "completed"


def test_a_token_is_renewed_while_the_run_goes_on(api: AgentApi, task: RunTask):
    api.world.clock.advance(3600)
    answer = api.call("POST", path_of(task, "token"))

    assert answer.status == 200
    renewed = answer.json["taskToken"]
    assert renewed != api.world.agent.sent[-1].task_token
    assert api.call("GET", path_of(task, "status"), token=renewed).status == 200


@pytest.mark.parametrize(("method", "what"), [("GET", "context"), ("POST", "token")])
def test_after_the_end_the_token_is_dead(api: AgentApi, task: RunTask, method: str, what: str):
    api.call("POST", path_of(task, "result"), SUCCESS)

    answer = api.call(method, path_of(task, what))

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("token", [None, "x", "a.b.c", "Bearer"])
@pytest.mark.parametrize(
    ("method", "what", "body"),
    [
        ("POST", "result", SUCCESS),
        ("GET", "context", None),
        ("GET", "status", None),
        ("POST", "token", None),
        ("GET", "nothing", None),
    ],
)
def test_without_a_valid_token_nothing_is_told(  # a matrix
    api: AgentApi, task: RunTask, method: str, what: str, body: Any, token: str | None
):
    answer = api.call(method, path_of(task, what), body, token=token)

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")
    assert (
        answer.headers["WWW-Authenticate"] == 'Bearer realm="agentruns", ApiKey realm="agentruns"'
    )
    assert api.world.record(task.activity_id).activity.status is ActivityStatus.IN_PROGRESS


def test_an_operator_key_opens_nothing_here(api: AgentApi, task: RunTask):
    from tests.unit.api.driver import proxy_event

    event = proxy_event(
        "GET", path_of(task, "status"), headers={"authorization": "ApiKey ark_0123456789abcdef_x"}
    )
    assert api.app(event, None)["statusCode"] == 401


def test_a_token_of_another_run_is_told_nothing_of_this_one(api: AgentApi, task: RunTask):
    mine = api.world.agent.sent[-1].task_token
    other = api.at_work()
    for run_id in (other.run_id, "run_00000000000000000000000000_1", "x"):
        answer = api.call("GET", f"/agent/v1/runs/{run_id}/status", token=mine)
        assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("method", "path", "raw", "status", "code"),
    [
        ("GET", "/agent/v1/nothing", "", 404, "NOT_FOUND"),
        ("GET", "result", "", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "result", "{", 400, "BAD_REQUEST"),
        ("POST", "result", '{"text": "' + "x" * 1024 * 1024 + '"}', 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_what_is_refused_before_a_route_has_its_code(  # a table
    api: AgentApi, task: RunTask, method: str, path: str, raw: str, status: int, code: str
):
    path = path if path.startswith("/") else path_of(task, path)
    answer = api.call(method, path, raw=raw)
    assert (answer.status, answer.json["code"]) == (status, code)


def test_every_status_of_a_problem_has_a_code():
    from agentruns.api.agent_codes import CODES
    from agentruns.api.problems import STATUSES

    assert set(STATUSES.values()) <= set(CODES)


def test_the_log_shows_the_run_and_never_the_token(
    api: AgentApi, task: RunTask, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("DEBUG", logger="agentruns"):
        api.call("GET", path_of(task, "status"))
        api.call("POST", path_of(task, "result"), SUCCESS)

    token = api.world.agent.sent[-1].task_token
    lines = [str(vars(record)) for record in caplog.records]
    assert any(task.run_id in line for line in lines)
    assert not any(token in line or "the draft" in line for line in lines)


@pytest.mark.parametrize("length", [10, 500_000], ids=["in its row", "too large for its row"])
def test_the_context_has_what_an_earlier_run_made(api: AgentApi, length: int):
    retry = RetryPolicy(max_attempts=2, backoff_seconds=0)
    api.world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, retry=retry)
    task = api.at_work()
    failed = {"status": "error", "error": "no quota", "text": "x" * length}
    assert api.call("POST", path_of(task, "result"), failed).status == 200
    api.world.settle_run(task)
    following = replace(task, run_id=api.world.run(task).run_id)
    api.world.dispatch_agent(following)

    context = api.call("GET", path_of(following, "context")).json

    assert context["wakeReason"] == "retry"
    assert context["priorOutput"] == "x" * length
