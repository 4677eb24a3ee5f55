"""What every route has in common: refusals, problem documents, logs, tenants, hidden attributes."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from agentruns import definitions, errors, model, providers
from agentruns.api.problems import STATUSES, describe
from agentruns.api.schemas.activities import ActivityAnswer
from tests.unit.api.driver import (
    ACTIVITY,
    AGENT,
    BOOTSTRAP_KEY,
    CONNECTION,
    REQUEST_ID,
    Api,
    proxy_event,
)

WITH_BODY: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/v1/connections/acme", CONNECTION),
    ("PUT", "/v1/agents/it_support", AGENT),
    ("POST", "/v1/activities", ACTIVITY),
    ("PUT", "/v1/schedules/nightly", {"activity": ACTIVITY}),
    ("POST", "/v1/operator-keys", {"name": "ci", "scopes": ["read"]}),
    ("POST", "/v1/runs/run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1/resolve", {"not_started": True}),
]


def error_classes(root: type[errors.AgentrunsError] = errors.AgentrunsError) -> list[type]:
    found = [root]
    for child in root.__subclasses__():
        found += error_classes(child)
    return found


def test_every_error_has_its_row_in_the_table():
    missing = {each.__name__ for each in error_classes()} - {each.__name__ for each in STATUSES}
    assert missing == set()


def test_a_problem_document_has_its_members(api: Api):
    answer = api.call("GET", "/v1/agents/nobody")
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "urn:agentruns:problem:agent_not_found",
        "title": "Agent not found",
        "status": 404,
        "detail": "there is no agent 'nobody'",
        "instance": "/v1/agents/nobody",
        "request_id": REQUEST_ID,
    }


@pytest.mark.parametrize(
    "path", ["/v1/{}", "/v1/agents/{}", "/v1/runs/{}/events", "/v1/agents/{}/keys/{}", "/{}"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_key_in_a_url_is_neither_said_back_nor_logged(
    api: Api, caplog: pytest.LogCaptureFixture, method: str, path: str
):
    key = api.key("read")
    with caplog.at_level(logging.INFO, "agentruns"):
        for presented in (BOOTSTRAP_KEY, None):
            answer = api.call(method, path.replace("{}", key), key=presented)
            assert key not in f"{answer.headers} {answer.json}"
    assert caplog.records
    assert key not in repr([vars(record) for record in caplog.records])


def test_a_log_line_has_the_route_and_the_id_and_no_name(
    api: Api, caplog: pytest.LogCaptureFixture
):
    run_id = "run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"
    with caplog.at_level(logging.INFO, "agentruns"):
        api.call("GET", "/v1/agents/nobody")
        api.call("GET", f"/v1/runs/{run_id}/events")
        api.call("GET", "/v1/nothing/of/this")
    seen = [vars(record) for record in caplog.records if "http_route" in vars(record)]
    assert [each["http_route"] for each in seen] == [
        "/v1/agents/<agent_role>",
        "/v1/runs/<run_id>/events",
        "none",
    ]
    assert [each["subject_id"] for each in seen] == [None, run_id, None]
    assert "nobody" not in repr(seen)


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/agents", "/v1/agents/a/b", "/v1/nothing"])
def test_an_unknown_route_is_not_found(api: Api, path: str):
    answer = api.call("GET", path)
    assert (answer.status, answer.json["title"]) == (404, "Route not found")


def test_a_wrong_method_is_told_the_right_ones(api: Api):
    answer = api.call("DELETE", "/v1/activities")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_trailing_slash_makes_no_difference(api: Api):
    assert api.call("GET", "/v1/agents/").status == 200


@pytest.mark.parametrize(("method", "path", "body"), WITH_BODY)
@pytest.mark.parametrize(
    "raw",
    [
        "{",
        "nonsense",
        " ",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1, "a": 2}',
        '{"a": "\\ud800"}',
        '{"a": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        "\x00",
    ],
    ids=range(11),
)
def test_what_is_not_json_is_400(ready: Api, method: str, path: str, body: Any, raw: str):
    answer = ready.call(method, path, raw=raw)
    assert (answer.status, answer.json["title"]) == (400, "Malformed request")


@pytest.mark.parametrize(("method", "path", "body"), WITH_BODY)
@pytest.mark.parametrize("raw", ["[]", '"text"', "1", "null", "true", '[{"agent_role": "x"}]'])
def test_what_is_no_object_is_422(ready: Api, method: str, path: str, body: Any, raw: str):
    answer = ready.call(method, path, raw=raw)
    assert (answer.status, answer.fields) == (422, ["body"])


@pytest.mark.parametrize(("method", "path", "body"), WITH_BODY)
def test_a_missing_body_is_422(ready: Api, method: str, path: str, body: Any):
    answer = ready.call(method, path)
    assert (answer.status, answer.fields) == (422, ["body"])


@pytest.mark.parametrize("base64_encoded", [False, True])
def test_a_body_of_10_mb_is_413_before_it_is_parsed(ready: Api, base64_encoded: bool):
    raw = "[" * (10 * 1024 * 1024)
    started = time.perf_counter()
    answer = ready.call("POST", "/v1/activities", raw=raw, base64_encoded=base64_encoded)
    assert answer.status == 413
    assert "1048576" in answer.json["detail"]
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(("extra", "status"), [(0, 422), (1, 413)])
def test_a_body_of_exactly_1_mib_is_read(ready: Api, extra: int, status: int):
    raw = '{"message":"' + "x" * (1024 * 1024 - 14 + extra) + '"}'
    assert ready.call("POST", "/v1/activities", raw=raw).status == status


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "x"])
def test_another_content_type_is_415(ready: Api, content_type: str):
    headers = {"Content-Type": content_type}
    event_headers = {"content-type": content_type}
    for each in (headers, event_headers):
        answer = ready.call("POST", "/v1/activities", raw=json.dumps(ACTIVITY), headers=each)
        assert answer.status == 415
        assert "application/json" in answer.json["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json"]
)
def test_json_is_recognised_in_each_spelling(ready: Api, content_type: str):
    headers = {"content-type": content_type}
    assert ready.call("POST", "/v1/activities", ACTIVITY, headers=headers).status == 202


def test_a_base64_body_is_read(ready: Api):
    answer = ready.call("POST", "/v1/activities", ACTIVITY, base64_encoded=True)
    assert answer.status == 202


def test_header_names_are_read_in_any_case(ready: Api):
    headers = {"IDEMPOTENCY-KEY": "k", "Content-Type": "application/json"}
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=headers)
    again = ready.call("POST", "/v1/activities", ACTIVITY, headers={"idempotency-key": "k"})
    assert again.json == first.json


@pytest.mark.parametrize("text", ["a" * 100_000, "-" * 100_000, "a!" * 50_000, "\n" * 100_000])
def test_long_texts_are_refused_quickly(ready: Api, text: str):
    started = time.perf_counter()
    body = {**ACTIVITY, "title": text, "tags": [text], "agent_role": text}
    answer = ready.call("POST", "/v1/activities", body)
    assert (answer.status, answer.fields) == (422, ["agent_role", "title", "tags.0"])
    assert time.perf_counter() - started < 0.2


# Our own faults.


def failing(error: Exception) -> Any:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def test_our_own_fault_says_nothing_of_our_insides(
    ready: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(ready.agents, "list", failing(RuntimeError("CANARY table-name")))
    with caplog.at_level(logging.INFO):
        answer = ready.call("GET", "/v1/agents")
    assert (answer.status, answer.json["title"]) == (500, "Internal error")
    assert "CANARY" not in answer.text
    assert answer.json["request_id"] == REQUEST_ID
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "request_failed"
    ]


def test_an_answer_of_the_wrong_shape_is_our_fault_and_not_shown(
    ready: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    path = f"/v1/activities/{ready.started()['activity_id']}"
    told = model.ActivityInput(message="ok", context={"key": "CANARY"})
    monkeypatch.setattr(ready.activities, "read_input", lambda *_: told)
    monkeypatch.setattr(ActivityAnswer, "of_record", lambda *_: {"message": ["CANARY"]})
    with caplog.at_level(logging.DEBUG, logger="agentruns"):
        answer = ready.call("GET", path)
    assert answer.status == 500
    assert "response.activity_id" in caplog.text
    assert "CANARY" not in caplog.text + answer.text


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "CANARY"}}, "Query")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.StoreContention("activity", 8), 503),
        (errors.UpstreamUnavailable("x", retry_after_seconds=7), 503),
        (errors.MintInProgress("acme", 3.0), 503),
        (client_error("ProvisionedThroughputExceededException"), 503),
        (client_error("ThrottlingException"), 503),
        (EndpointConnectionError(endpoint_url="https://dynamodb"), 503),
        (client_error("AccessDeniedException"), 500),
        (errors.SecretMalformed("secret-name", "x"), 500),
        (errors.InvalidTransition("run", "a", "b"), 500),
        (errors.SettingsMissing(["TABLE_NAME"]), 500),
    ],
)
def test_a_passing_fault_asks_to_come_back(
    ready: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
):
    monkeypatch.setattr(ready.agents, "list", failing(error))
    answer = ready.call("GET", "/v1/agents")
    assert answer.status == status
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert "CANARY" not in answer.text
    assert "TABLE_NAME" not in answer.text


def test_a_providers_retry_after_is_passed_on():
    problem = describe(errors.UpstreamUnavailable("x", retry_after_seconds=7.4))
    assert problem.headers == {"Retry-After": "7"}


# Tenants: foreign and missing cannot be told apart.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/connections/acme"),
        ("DELETE", "/v1/connections/acme"),
        ("POST", "/v1/connections/acme/check"),
        ("GET", "/v1/agents/it_support"),
        ("DELETE", "/v1/agents/it_support"),
        ("GET", "/v1/schedules/nightly"),
        ("DELETE", "/v1/schedules/nightly"),
        ("GET", "/v1/activities/{activity_id}"),
        ("POST", "/v1/activities/{activity_id}/cancel"),
        ("GET", "/v1/runs/{run_id}"),
        ("GET", "/v1/runs/{run_id}/events"),
        ("DELETE", "/v1/operator-keys/{key_id}"),
    ],
)
def test_a_foreign_thing_is_a_missing_thing(ready: Api, method: str, path: str):
    ready.call("PUT", "/v1/schedules/nightly", {"activity": ACTIVITY})
    started = ready.started() | {"key_id": ready.key("read").split("_")[1]}
    stranger = ready.key("admin", tenant="other")
    foreign = ready.call(method, path.format(**started), key=stranger)

    empty = Api()
    missing = empty.call(method, path.format(**started), key=empty.key("admin", tenant="other"))
    assert foreign.status == 404
    assert (foreign.text, foreign.headers) == (missing.text, missing.headers)


def test_a_foreign_run_is_not_resolved(ready: Api):
    path = f"/v1/runs/{ready.started()['run_id']}/resolve"
    stranger = ready.key("admin", tenant="other")
    answer = ready.call("POST", path, {"not_started": True}, key=stranger)
    assert (answer.status, answer.json["title"]) == (404, "Run not found")


@pytest.mark.parametrize("collection", ["connections", "agents", "schedules", "activities"])
def test_a_list_shows_nothing_foreign(ready: Api, collection: str):
    ready.call("PUT", "/v1/schedules/nightly", {"activity": ACTIVITY})
    ready.started()
    stranger = ready.key("admin", tenant="other")
    assert ready.call("GET", f"/v1/{collection}").json["items"] != []
    assert ready.call("GET", f"/v1/{collection}", key=stranger).json["items"] == []


def test_a_cursor_of_another_tenant_is_refused(ready: Api):
    for _ in range(2):
        ready.started()
        ready.clock.advance(1)
    cursor = ready.call("GET", "/v1/activities", query={"limit": "1"}).json["next_cursor"]
    stranger = ready.key("read", tenant="other")
    answer = ready.call("GET", "/v1/activities", query={"cursor": cursor}, key=stranger)
    assert (answer.status, answer.fields) == (422, ["cursor"])


# Mass assignment: no stored attribute can be set by naming it.

STORED_NAMES = sorted(
    {
        field.name
        for stored in (
            model.Activity,
            model.ActivityInput,
            model.Run,
            model.Event,
            definitions.Agent,
            providers.Connection,
            definitions.Schedule,
            definitions.OperatorKey,
            model.Idempotency,
        )
        for field in dataclasses.fields(stored)
    }
    | {"PK", "SK", "ttl", "__proto__", "tenant_id", "owner"}
)


@pytest.mark.parametrize(("method", "path", "body"), WITH_BODY)
def test_no_body_takes_a_stored_attribute(ready: Api, method: str, path: str, body: Any):
    inner = body.get("activity", body)
    taken = {*inner, "agent_role", "adapter", "message", "context", "title", "priority", "tags"}
    taken |= {"on_start_unknown", "enabled", "retry", "scopes", "name", "region", "provider"}
    if path.endswith("activities"):
        taken |= {"timeout_seconds", "input_csv_url"}
    if "/agents/" in path:
        taken |= {"detection", "system_prompt", "model", "max_turns"}
    if path.endswith("operator-keys"):
        taken |= {"tenant"}  # with the scope `platform` only
    hidden = [name for name in STORED_NAMES if name not in taken]
    assert "status" in hidden
    for name in hidden:
        for value in ("x", 1, None):
            answer = ready.call(method, path, body | {name: value})
            assert answer.status == 422, name
            assert name in answer.fields


# Logs.


def test_a_log_line_holds_no_line_break_key_or_payload(
    ready: Api, caplog: pytest.LogCaptureFixture
):
    nasty = "a\r\nINFO forged\x1b[31m\u2028line"
    key = ready.key("admin")
    with caplog.at_level(logging.DEBUG, logger="agentruns"):
        ready.call("GET", f"/v1/agents/{nasty}", key=key)
        ready.call("GET", f"/v1/{nasty}", key=key)
        ready.call("POST", "/v1/activities", {**ACTIVITY, "title": nasty}, key=key)
        ready.call("PUT", "/v1/connections/acme", CONNECTION, key=key)
        ready.call("POST", "/v1/activities", {**ACTIVITY, "message": "CANARY-message"}, key=key)
        ready.call("GET", "/v1/agents", key="CANARY-wrong-key")
    assert caplog.records
    for record in caplog.records:
        shown = [record.getMessage(), *(str(value) for value in vars(record).values())]
        for text in shown:
            assert "\n" not in text
            assert "\r" not in text
            assert "\x1b" not in text
            assert "\u2028" not in text
            assert "CANARY" not in text
            assert key not in text


def test_the_openapi_document_can_be_made(api: Api):
    from agentruns.api.app import build_resolver

    document = json.loads(
        build_resolver(api.services).get_openapi_json_schema(title="agentruns", version="1")
    )
    assert len(document["paths"]) == 31
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]


def test_a_parameter_that_comes_twice_is_refused(ready: Api):
    event = proxy_event(
        "GET",
        "/v1/activities",
        headers={"authorization": f"ApiKey {BOOTSTRAP_KEY}"},
        query={"limit": "2"},
    )
    event["multiValueQueryStringParameters"] = {"limit": ["1", "2"]}
    answer = ready.app(event, None)
    assert answer["statusCode"] == 422
    assert [error["field"] for error in json.loads(answer["body"])["errors"]] == ["limit"]


@pytest.mark.parametrize(
    "event", [{}, {"headers": None}, {"path": "/v1/agents", "httpMethod": "GET"}]
)
def test_what_is_no_request_is_still_answered(api: Api, event: dict[str, Any]):
    assert api.app(event, None)["statusCode"] == 401
