"""`/agent/v1`: what an agent tells while it works, through the front door."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentruns.steps import RunTask
from tests.fakes.world import TENANT
from tests.unit.api.agent_driver import AgentApi

CALL = {
    "toolName": "semrush",
    "method": "getKeywordData",
    "input": {"keyword": "CANARY-in"},
    "output": [{"volume": 12}, "CANARY-out"],
    "status": "success",
    "durationMs": 120.4,
    "costUsd": 0.015,
}


@pytest.fixture
def api() -> AgentApi:
    return AgentApi()


@pytest.fixture
def task(api: AgentApi) -> RunTask:
    return api.at_work()


def stream(api: AgentApi, task: RunTask, number: Any, delta: Any = "x", **options: Any) -> Any:
    path = f"/agent/v1/runs/{task.run_id}/stream"
    return api.call("POST", path, {"delta": delta, "sequenceNum": number}, **options)


def report(api: AgentApi, task: RunTask, body: Any, **headers: str) -> Any:
    return api.call("POST", f"/agent/v1/runs/{task.run_id}/tool-call", body, **headers)


def end(api: AgentApi, task: RunTask) -> None:
    body = {"status": "success", "text": "done"}
    api.call("POST", f"/agent/v1/runs/{task.run_id}/result", body)


# The text.


def test_a_delta_is_received_and_the_activity_s_row_is_left_alone(api: AgentApi, task: RunTask):
    before = api.world.record(task.activity_id)

    answer = stream(api, task, 3, "hello")

    assert (answer.status, answer.json) == (200, {"received": True})
    delta: Any = api.world.deltas.find(api.world.run(task), 3)
    assert (delta.text, delta.after_event) == ("hello", before.activity.last_sequence)
    assert api.world.record(task.activity_id) == before


def test_the_same_number_again_is_nothing_and_with_another_text_a_conflict(
    api: AgentApi, task: RunTask
):
    stream(api, task, 1, "hello")
    assert stream(api, task, 1, "hello").status == 200

    answer = stream(api, task, 1, "hallo")

    assert (answer.status, answer.json["code"]) == (409, "CONFLICT")
    assert answer.json["type"].endswith(":delta_already_received")
    kept: Any = api.world.deltas.find(api.world.run(task), 1)
    assert kept.text == "hello"


@pytest.mark.parametrize(
    ("number", "delta", "field"),
    [
        (-1, "x", "sequenceNum"),
        (10_001, "x", "sequenceNum"),
        ("1", "x", "sequenceNum"),
        (None, "x", "sequenceNum"),
        (1, None, "delta"),
        (1, "ä" * 32_769, "delta"),
    ],
)
def test_a_wrong_delta_names_the_field(
    api: AgentApi, task: RunTask, number: Any, delta: Any, field: str
):
    answer = stream(api, task, number, delta)
    assert (answer.status, answer.json["code"], answer.fields) == (422, "UNPROCESSABLE", [field])


def test_the_largest_ones_are_taken(api: AgentApi, task: RunTask):
    assert stream(api, task, 10_000, "x" * 65_536).status == 200
    assert stream(api, task, 0, "").status == 200


def test_a_delta_starts_a_run_whose_dispatch_was_not_answered(api: AgentApi):
    from agentruns.errors import StartUnknown
    from agentruns.statuses import RunStatus
    from tests.unit.core.agents import WRITING

    api.world.agent.on_dispatch(StartUnknown("no answer"))
    task = api.world.opened(WRITING)
    api.world.dispatch_agent(task)
    assert api.world.run(task).status is RunStatus.START_UNKNOWN

    assert stream(api, task, 1).status == 200
    assert api.world.run(task).status is RunStatus.RUNNING


@pytest.mark.parametrize("token", [None, "x"])
def test_without_a_token_nothing_is_taken(api: AgentApi, task: RunTask, token: str | None):
    assert stream(api, task, 1, token=token).status == 401
    assert api.world.deltas.find(api.world.run(task), 1) is None


def test_after_the_end_nothing_is_taken(api: AgentApi, task: RunTask):
    end(api, task)
    assert stream(api, task, 1).status == 401
    assert report(api, task, CALL).status == 401
    assert api.world.deltas.find(api.world.run(task), 1) is None
    assert api.world.run(task).tool_calls == 0


def test_a_token_of_another_run_streams_nothing_here(api: AgentApi, task: RunTask):
    mine = api.world.agent.sent[-1].task_token
    other = api.at_work()
    assert stream(api, other, 1, token=mine).status == 401


# Tool calls.


def test_a_tool_call_is_kept_in_full_and_told_without_what_went_in_or_out(
    api: AgentApi, task: RunTask
):
    answer = report(api, task, CALL)

    assert answer.status == 201
    assert answer.json == {"toolCallId": f"call_{task.run_id[4:]}_1"}
    event = api.world.events(task.activity_id)[-1]
    assert (event.type.value, event.run_id) == ("ToolCalled", task.run_id)
    assert event.detail == {
        "tool_call_id": answer.json["toolCallId"],
        "tool_name": "semrush",
        "method": "getKeywordData",
        "status": "success",
        "duration_ms": 120,
        "cost_usd": 0.015,
    }
    (call,) = api.world.tool_calls.list(api.world.run(task), 0, 10).items
    assert (call.input, call.output) == (CALL["input"], CALL["output"])


def test_costs_are_summed_exactly(api: AgentApi, task: RunTask):
    for cost in (0.1, 0.2, None, 0.000000001):
        report(api, task, CALL | {"costUsd": cost})

    run = api.world.run(task)
    assert (run.tool_calls, run.tool_cost_nanousd) == (4, 300_000_001)


def test_a_repeat_with_the_same_key_is_the_same_call(api: AgentApi, task: RunTask):
    first = report(api, task, CALL, Idempotency_Key="one")
    assert report(api, task, CALL, Idempotency_Key="one").json == first.json
    assert report(api, task, CALL, Idempotency_Key="two").json != first.json
    other = report(api, task, CALL | {"method": "other"}, Idempotency_Key="one")

    assert (other.status, other.fields) == (422, ["Idempotency-Key"])
    assert api.world.run(task).tool_calls == 2
    assert api.world.event_types(task.activity_id).count("ToolCalled") == 2


def test_twins_with_one_key_are_one_call(api: AgentApi, task: RunTask):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: report(api, task, CALL, Idempotency_Key="one"), range(4)))

    assert {answer.text for answer in answers} == {answers[0].text}
    assert api.world.run(task).tool_calls == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"toolName": ""}, "toolName"),
        ({"method": None}, "method"),
        ({"input": ...}, "input"),
        ({"status": "ok"}, "status"),
        ({"status": "error"}, "error"),
        ({"durationMs": ...}, "durationMs"),
        ({"durationMs": -1}, "durationMs"),
        ({"durationMs": "1"}, "durationMs"),
        ({"costUsd": -0.1}, "costUsd"),
        ({"input": "x" * 300 * 1024}, "input"),
    ],
)
def test_a_wrong_report_names_the_field(
    api: AgentApi, task: RunTask, change: dict[str, Any], field: str
):
    body = {name: value for name, value in (CALL | change).items() if value is not ...}
    answer = report(api, task, body)
    assert (answer.status, answer.json["code"], answer.fields) == (422, "UNPROCESSABLE", [field])
    assert api.world.run(task).tool_calls == 0


def test_a_failed_call_says_why_and_needs_no_output(api: AgentApi, task: RunTask):
    body = {
        **{name: value for name, value in CALL.items() if name not in {"output", "costUsd"}},
        "status": "error",
        "error": "quota",
        "input": None,
        "vendor": 1,
    }
    assert report(api, task, body).status == 201
    (call,) = api.world.tool_calls.list(api.world.run(task), 0, 10).items
    assert (call.error, call.input, call.output) == ("quota", None, None)


def test_the_log_shows_neither_text_nor_input(
    api: AgentApi, task: RunTask, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("DEBUG", logger="agentruns"):
        stream(api, task, 1, "CANARY-text")
        stream(api, task, 1, "CANARY-other")
        report(api, task, CALL)
        report(api, task, CALL | {"durationMs": -1})

    assert "CANARY" not in "".join(str(vars(record)) for record in caplog.records)
    events = [dict(event.detail) for event in api.world.events(task.activity_id)]
    assert "CANARY" not in json.dumps(events)
    assert api.world.record(task.activity_id).activity.tenant == TENANT
