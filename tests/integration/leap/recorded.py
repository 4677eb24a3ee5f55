"""What the published clients send, recorded from themselves: the expectation of an adapter's test.

`record_requests` drives both clients through every call they have, with the arguments below, and
gives a row for each request that the emulator got. Nothing here is written by hand but the
arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.leap_emulator import Dialect, LeapEmulator, RecordedRequest
from tests.integration.leap.clients import NODE, PYTHON, PublishedClient

WORKFLOW_ID = "wkf_i3F5UjpZ2Vg"
WEBHOOK_URL = "http://127.0.0.1:9/hooks/leap/run_1.mac"
INPUTS = {"first_name": "Sam", "tags": ["a", None], "nested": {"n": 1.5}}
INPUT_CSV_URL = "https://myapp.com/input.csv"

_START = {"workflow_id": WORKFLOW_ID, "webhook_url": WEBHOOK_URL, "input": INPUTS}
_START_BULK = {
    "workflow_id": WORKFLOW_ID,
    "input_csv_url": INPUT_CSV_URL,
    "webhook_url": WEBHOOK_URL,
}
_OF_TRANSPORT = {"host", "content-length", "connection", "accept-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One row: `call` of `client` and the request it made.

    `path` has `{id}` for the id that was read; `headers` (lower case) are without those of the
    transport; `body` is parsed JSON, None without one.
    """

    client: str
    call: str
    dialect: Dialect
    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


def record_requests(leap: LeapEmulator) -> list[RecordedCall]:
    """Every call of every client, in its dialect."""
    starts = _record(leap, PYTHON, [("workflow_runs.workflow", _START)])
    bulk_starts = _record(leap, PYTHON, [("bulk_workflow_runs.run_bulk", _START_BULK)])
    run = leap.ledger.starts()[-2].run.run_id
    bulk = leap.ledger.starts()[-1].run.run_id
    further = [
        *_in_all_forms("workflow_runs", "workflow", _START)[1:],
        *_in_all_forms("bulk_workflow_runs", "run_bulk", _START_BULK)[1:],
        *_in_all_forms("workflow_runs", "get_workflow_run", {"workflow_run_id": run}),
        *_in_all_forms("bulk_workflow_runs", "get_bulk", {"bulk_run_id": bulk}),
    ]
    of_node: list[tuple[str, dict[str, Any]]] = [
        ("workflowRuns.workflow", _START),
        ("workflowRuns.getWorkflowRun", {"workflowRunId": run}),
    ]
    rows = [*starts, *bulk_starts, *_record(leap, PYTHON, further), *_record(leap, NODE, of_node)]
    return [with_placeholder(row, run, bulk) for row in rows]


def _in_all_forms(
    resource: str, name: str, arguments: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    """As it is and asynchronous, each also in its raw form."""
    return [(f"{resource}.{form}{name}", arguments) for form in ("", "a", "raw.", "raw.a")]


def _record(
    leap: LeapEmulator, client: PublishedClient, calls: list[tuple[str, dict[str, Any]]]
) -> list[RecordedCall]:
    seen = len(leap.ledger.requests)
    client.run(leap.url, [{"name": name, "arguments": given} for name, given in calls])
    requests = leap.ledger.requests[seen:]
    assert len(requests) == len(calls), [request.path for request in requests]
    return [
        recorded_call(client.name, name, request)
        for (name, _), request in zip(calls, requests, strict=True)
    ]


def recorded_call(client: str, call: str, request: RecordedRequest) -> RecordedCall:
    """A request that the emulator got, without what is the transport's."""
    return RecordedCall(
        client=client,
        call=call,
        dialect=Dialect.RUNS,
        operation=request.operation,
        method=request.method,
        path=request.path,
        headers={
            name: value for name, value in request.headers.items() if name not in _OF_TRANSPORT
        },
        body=request.body,
    )


def with_placeholder(row: RecordedCall, *ids: str) -> RecordedCall:
    """The row with `{id}` for each of the ids in its path."""
    path = row.path
    for each in ids:
        path = path.replace(each, "{id}")
    return RecordedCall(
        client=row.client,
        call=row.call,
        dialect=row.dialect,
        operation=row.operation,
        method=row.method,
        path=path,
        headers=row.headers,
        body=row.body,
    )
