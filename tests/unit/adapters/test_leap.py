"""Leap Workflows: what is sent in each dialect, and what each answer means."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from agentruns.adapters.http import JsonHttp, NoAnswer
from agentruns.adapters.leap import LeapHttpApi
from agentruns.adapters.leap_run import parse_bulk_run, parse_hook, parse_run
from agentruns.bulk_runs import InputCsv
from agentruns.errors import (
    InvalidRequest,
    StartUnknown,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapConnection, LeapDialect
from agentruns.refusals import (
    ApiKeyRejected,
    WorkflowNotFound,
    WorkflowRejected,
    WorkflowRunNotFound,
)
from agentruns.secret import Secret
from tests.unit.adapters.leena_samples import NOW, ScriptedAdapter

KEY = Secret("CANARY-api-key")
HOOK = Secret("https://hooks.example/hooks/leap/run_1.acme.CANARY-mac")
RUN = {
    "id": "rnp_1",
    "version_id": "vsp_1",
    "status": "running",
    "created_at": "2023-11-01T12:00:00.000Z",
    "started_at": None,
    "ended_at": None,
    "workflow_id": "wkf_1",
    "error": None,
    "input": {"foo": "bar"},
    "output": None,
}


def connection(dialect: LeapDialect) -> LeapConnection:
    return LeapConnection(
        tenant="acme",
        name="flows",
        api_url="https://leap.example/prefix",
        dialect=dialect,
        created_at=NOW,
        updated_at=NOW,
    )


RUNS, WORKFLOWS = connection(LeapDialect.RUNS), connection(LeapDialect.WORKFLOWS)


def api_over(adapter: ScriptedAdapter) -> LeapHttpApi:
    return LeapHttpApi(
        JsonHttp(allow_private_networks=False, clock=lambda: NOW, adapter_factory=lambda: adapter)
    )


def answering(status: int, body: object = RUN, headers: dict[str, str] | None = None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ScriptedAdapter(status, headers, raw)


def start(adapter: ScriptedAdapter, over: LeapConnection = RUNS) -> WorkflowRun:
    return api_over(adapter).start(
        over, KEY, workflow_id="wkf_1", webhook_url=HOOK, inputs={"foo": "bar"}
    )


def read_run(adapter: ScriptedAdapter) -> WorkflowRun:
    return api_over(adapter).read_run(RUNS, KEY, "rnp_1", is_bulk=False)


def test_a_start_in_the_dialect_of_the_first_document():
    adapter = answering(200)
    start(adapter, WORKFLOWS)

    (request,) = adapter.requests
    assert ("POST", "https://leap.example/prefix/v1/workflows") == (request.method, request.url)
    assert {
        "workflowId": "wkf_1",
        "webhookUrl": HOOK.reveal(),
        "inputs": {"foo": "bar"},
    } == json.loads(request.body)
    assert KEY.reveal() == request.headers["X-Api-Key"]
    assert "Authorization" not in request.headers


def test_a_start_in_the_dialect_of_the_published_clients():
    adapter = answering(201)
    run = start(adapter)

    (request,) = adapter.requests
    assert ("POST", "https://leap.example/prefix/v1/runs") == (request.method, request.url)
    assert {
        "workflow_id": "wkf_1",
        "webhook_url": HOOK.reveal(),
        "input": {"foo": "bar"},
    } == json.loads(request.body)
    assert ("rnp_1", "wkf_1", "running") == (run.workflow_run_id, run.workflow_id, run.status)


@pytest.mark.parametrize(
    ("adapter", "error"),
    [
        (answering(401), ApiKeyRejected),
        (answering(403), ApiKeyRejected),
        (answering(404), WorkflowNotFound),
        (answering(400), WorkflowRejected),
        (answering(422), WorkflowRejected),
        (answering(429), UpstreamUnavailable),
        (answering(503, headers={"Retry-After": "7"}), UpstreamUnavailable),
        (answering(503), StartUnknown),
        (answering(500), StartUnknown),
        (answering(408), StartUnknown),
        (answering(302), StartUnknown),
        (answering(200, b"<html>"), StartUnknown),
        (answering(200, {**RUN, "id": "../x"}), StartUnknown),
        (answering(200, {**RUN, "status": None}), StartUnknown),
        (answering(200, {**RUN, "workflow_id": "wkf_2"}), StartUnknown),
    ],
)
def test_what_an_answer_to_a_start_means(adapter, error):
    with pytest.raises(error) as raised:
        start(adapter)
    assert type(raised.value) is error
    assert "CANARY" not in str(raised.value)


def test_nothing_sent_may_be_sent_again_and_everything_else_may_not():
    class Silent:
        def __init__(self, sent: bool) -> None:
            self.sent = sent

        def post(self, *_: object) -> NoAnswer:
            return NoAnswer(reason="leap.example: refused", request_sent=self.sent)

    for sent, error in ((False, UpstreamUnavailable), (True, StartUnknown)):
        with pytest.raises(error):
            LeapHttpApi(Silent(sent)).start(  # type: ignore[arg-type]  # what is used of it
                RUNS, KEY, workflow_id="wkf_1", webhook_url=HOOK, inputs={}
            )


def test_an_echoed_key_or_hook_is_not_shown():
    body = {"message": f"bad key {KEY.reveal()} for {HOOK.reveal()}"}
    with pytest.raises(WorkflowRejected) as raised:
        start(answering(400, body))
    assert "CANARY" not in str(raised.value)
    assert "bad key ***" in str(raised.value)


def test_inputs_that_are_no_json_are_not_sent():
    adapter = answering(200)
    with pytest.raises(InvalidRequest):
        api_over(adapter).start(
            RUNS, KEY, workflow_id="w", webhook_url=HOOK, inputs={"at": datetime.now(UTC)}
        )
    assert [] == adapter.requests


def test_a_run_is_read_by_its_id():
    adapter = answering(200, {**RUN, "status": "completed", "output": [1, {"a": None}]})
    run = read_run(adapter)

    (request,) = adapter.requests
    assert ("GET", "https://leap.example/prefix/v1/runs/rnp_1") == (request.method, request.url)
    assert ("completed", [1, {"a": None}]) == (run.status, run.output)


@pytest.mark.parametrize(
    ("adapter", "error"),
    [
        (answering(401), ApiKeyRejected),
        (answering(404), WorkflowRunNotFound),
        (answering(400), WorkflowRunNotFound),
        (answering(429), UpstreamUnavailable),
        (answering(502), UpstreamUnavailable),
        (answering(302), UpstreamUnreadable),
        (answering(200, b""), UpstreamUnreadable),
        (answering(200, {**RUN, "id": "rnp_2"}), UpstreamUnreadable),
    ],
)
def test_what_an_answer_to_a_read_means(adapter, error):
    with pytest.raises(error):
        read_run(adapter)


def test_an_id_that_cannot_be_one_is_not_asked_for():
    adapter = answering(200)
    with pytest.raises(WorkflowRunNotFound):
        api_over(adapter).read_run(RUNS, KEY, "../../v1/runs", is_bulk=False)
    assert [] == adapter.requests


CSV = "https://files.example/in.csv?CANARY-signature"
BULK = {
    "id": "bulk_1",
    "version_id": "vsp_1",
    "status": "running",
    "created_at": "2023-11-01T12:00:00.000Z",
    "workflow_id": "wkf_1",
    "input_csv_url": CSV,
    "output_csv_url": None,
    "error": None,
    "row_count": 3,
}


def start_bulk(adapter: ScriptedAdapter) -> WorkflowRun:
    return api_over(adapter).start(
        RUNS, KEY, workflow_id="wkf_1", webhook_url=HOOK, inputs=InputCsv(CSV)
    )


def test_a_bulk_start_has_the_csv_in_place_of_inputs():
    adapter = answering(201, BULK)
    run = start_bulk(adapter)

    (request,) = adapter.requests
    assert ("POST", "https://leap.example/prefix/v1/runs/bulk") == (request.method, request.url)
    assert {
        "workflow_id": "wkf_1",
        "input_csv_url": CSV,
        "webhook_url": HOOK.reveal(),
    } == json.loads(request.body)
    assert ("bulk_1", "running", 3) == (run.workflow_run_id, run.status, run.row_count)


@pytest.mark.parametrize(
    ("adapter", "error"),
    [
        (answering(401), ApiKeyRejected),
        (answering(404), WorkflowNotFound),
        (answering(400), WorkflowRejected),
        (answering(503, headers={"Retry-After": "7"}), UpstreamUnavailable),
        (answering(500), StartUnknown),
        (answering(200, b"<html>"), StartUnknown),
        (answering(200, {**BULK, "id": 7}), StartUnknown),
        (answering(200, {**BULK, "workflow_id": "wkf_2"}), StartUnknown),
        (answering(400, {"message": "cannot fetch " + CSV}), WorkflowRejected),
    ],
)
def test_what_an_answer_to_a_bulk_start_means(adapter, error):
    with pytest.raises(error) as raised:
        start_bulk(adapter)
    assert type(raised.value) is error
    assert "CANARY" not in str(raised.value)


def test_a_bulk_run_is_read_by_its_id_at_its_own_path():
    url = "https://files.example/out.csv?signature"
    adapter = answering(200, {**BULK, "status": "completed", "output_csv_url": url})

    run = api_over(adapter).read_run(RUNS, KEY, "bulk_1", is_bulk=True)

    (request,) = adapter.requests
    assert ("GET", "https://leap.example/prefix/v1/runs/bulk/bulk_1") == (
        request.method,
        request.url,
    )
    assert {"output_csv_url": url, "row_count": 3} == run.output


@pytest.mark.parametrize("count", [None, "3", 3.0, True, -1, 2**60, [3]])
def test_a_row_count_that_is_none_is_not_kept(count):
    run = parse_bulk_run({**BULK, "row_count": count})
    assert run.row_count is None
    assert run.output == {"output_csv_url": None, "row_count": None}


def test_an_error_of_a_bulk_run_shows_no_signed_url():
    error = f"could not fetch {CSV}: 403"
    assert "could not fetch ***: 403" == parse_bulk_run({**BULK, "error": error}).error


def test_both_casings_are_read_alike():
    camel = {"versionId": "vsp_1", "workflowId": "wkf_1", "startedAt": "2023-11-01T12:00:01"}
    snake = {"version_id": "vsp_1", "workflow_id": "wkf_1", "started_at": "2023-11-01T12:00:01Z"}
    rest = {"id": "rnp_1", "status": "completed", "output": "x"}

    assert parse_run(rest | camel) == parse_run(rest | snake)


@pytest.mark.parametrize("error", [{"code": 1}, ["x"], "x" * 9999, "a\nb"])
def test_an_error_is_one_clipped_line(error):
    told = parse_run({**RUN, "error": error}).error

    assert told is not None
    assert len(told) <= 500
    assert "\n" not in told


def test_two_names_that_differ_are_not_believed():
    with pytest.raises(ValueError, match="differ"):
        parse_hook(json.dumps({**RUN, "workflowId": "wkf_2"}).encode(), False)
