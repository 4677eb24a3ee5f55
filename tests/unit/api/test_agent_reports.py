"""`/agent/v1`: what an agent tells while it works, through the front door."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentruns import agent_calls, agent_streams
from agentruns.agent_errors import RunLimitReached
from agentruns.api.agent_schemas.reports import ToolCallBody
from agentruns.secret import Secret
from agentruns.steps import RunTask
from agentruns.task_tokens import TaskCaller
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


def caller_of(api: AgentApi) -> TaskCaller:
    return api.world.task_tokens.read(Secret(api.world.agent.sent[-1].task_token))


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


def test_a_number_beyond_the_last_says_what_to_do(api: AgentApi, task: RunTask):
    answer = stream(api, task, 10_001)
    assert "10000" in answer.json["detail"]
    assert "send more text at a time" in answer.json["detail"]


def limit_text(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    monkeypatch.setattr(agent_streams, "RUN_TEXT_LIMIT_BYTES", size_bytes)


def test_a_run_s_text_has_a_limit_and_the_run_goes_on(
    api: AgentApi, task: RunTask, monkeypatch: pytest.MonkeyPatch
):
    limit_text(monkeypatch, 10)
    assert stream(api, task, 1, "äää").status == 200
    assert stream(api, task, 2, "1234").status == 200

    answer = stream(api, task, 3, "x")

    assert (answer.status, answer.json["code"], answer.fields) == (422, "UNPROCESSABLE", ["delta"])
    assert answer.json["type"].endswith(":run_limit_reached")
    assert "10 bytes" in answer.json["detail"]
    assert "the result" in answer.json["detail"]
    assert api.world.deltas.find(api.world.run(task), 3) is None
    assert stream(api, task, 2, "1234").status == 200  # a repeat
    assert stream(api, task, 2, "other").status == 409
    assert stream(api, task, 4, "").status == 200
    assert report(api, task, CALL).status == 201
    path = f"/agent/v1/runs/{task.run_id}/actions/request-review"
    assert api.call("POST", path, {"title": "t", "description": "d"}).status == 201
    end(api, task)
    assert api.world.run(task).status.value == "completed"


def test_repeats_do_not_use_up_the_text(
    api: AgentApi, task: RunTask, monkeypatch: pytest.MonkeyPatch
):
    limit_text(monkeypatch, 10)
    for _ in range(5):
        assert stream(api, task, 1, "12345").status == 200
    assert stream(api, task, 2, "67890").status == 200


def test_deltas_at_once_are_counted_each(
    api: AgentApi, task: RunTask, monkeypatch: pytest.MonkeyPatch
):
    limit_text(monkeypatch, 25 * 4)
    caller = caller_of(api)

    def send(number: int) -> int | None:
        try:
            api.world.receive_delta(caller, task.run_id, number // 2, "four")
        except RunLimitReached:
            return None
        return number // 2

    with ThreadPoolExecutor(16) as pool:
        taken = [number for number in pool.map(send, range(80)) if number is not None]

    kept = api.world.deltas.list(api.world.run(task), 0, 10_000, 100).items
    assert len(kept) == 25
    assert sorted(taken) == [delta.number for delta in kept for _ in range(2)]


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
    caller, told = caller_of(api), ToolCallBody.model_validate(CALL).report()

    def send(_: int) -> str:
        return api.world.report_tool_call(caller, task.run_id, told, "one")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(4)))) == 1
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


@pytest.mark.parametrize(
    ("limit", "size", "needle"),
    [
        ("TOOL_CALL_LIMIT", 3, "3 tool calls"),
        ("TOOL_CALLS_LIMIT_BYTES", 3 * (len('{"keyword": "x"}') + len("null")), "60 bytes"),
    ],
)
def test_a_run_s_tool_calls_have_a_limit_and_the_run_goes_on(
    api: AgentApi,
    task: RunTask,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    size: int,
    needle: str,
):
    monkeypatch.setattr(agent_calls, limit, size)
    call = CALL | {"input": {"keyword": "x"}, "output": None}
    for key in ("one", "two", "two", "three"):
        assert report(api, task, call, Idempotency_Key=key).status == 201

    answer = report(api, task, call)

    assert (answer.status, answer.json["code"]) == (422, "UNPROCESSABLE")
    assert answer.json["type"].endswith(":run_limit_reached")
    assert needle in answer.json["detail"]
    assert api.world.run(task).tool_calls == 3
    assert api.world.event_types(task.activity_id).count("ToolCalled") == 3
    assert report(api, task, call, Idempotency_Key="one").status == 201  # a repeat
    assert stream(api, task, 1).status == 200
    end(api, task)
    assert api.world.run(task).status.value == "completed"


def test_tool_calls_at_once_are_counted_each(
    api: AgentApi, task: RunTask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(agent_calls, "TOOL_CALL_LIMIT", 3)
    caller, told = caller_of(api), ToolCallBody.model_validate(CALL).report()

    def send(_: int) -> str | None:
        try:
            return api.world.report_tool_call(caller, task.run_id, told, None)
        except RunLimitReached:
            return None

    with ThreadPoolExecutor(4) as pool:
        taken = {call_id for call_id in pool.map(send, range(8)) if call_id is not None}

    assert len(taken) == 3
    assert api.world.run(task).tool_calls == 3


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
