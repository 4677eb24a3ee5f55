"""What our adapter sends is what the vendor's published clients send, and what its first document
shows.

What may differ: `user-agent`, whose value is the sender's name; `accept`, where the node client
takes more than JSON; and the headers of the transport, which are not recorded.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentruns.providers import LeapDialect
from local.leap_emulator import LeapEmulator
from tests.integration.leap.clients import NODE, PYTHON
from tests.integration.leap.our_adapter import OurAdapter
from tests.integration.leap.recorded import (
    INPUTS,
    WEBHOOK_URL,
    WORKFLOW_ID,
    RecordedCall,
    recorded_call,
    with_placeholder,
)

OF_THE_SENDER = "agentruns"
OPERATIONS = ["start", "read", "start_bulk", "read_bulk"]


@pytest.fixture(scope="module")
def our_calls() -> list[RecordedCall]:
    """Every call of ours in the clients' dialect."""
    with LeapEmulator() as emulator:
        ours = OurAdapter(emulator.url)
        run = ours.start().workflow_run_id
        ours.read(run)
        bulk = ours.start_bulk().workflow_run_id
        ours.read_bulk(bulk)
        rows = [
            recorded_call(OF_THE_SENDER, request.operation, request)
            for request in emulator.ledger.requests
        ]
        return [with_placeholder(row, run, bulk) for row in rows]


def by_operation(rows: list[RecordedCall], operation: str) -> list[RecordedCall]:
    return [row for row in rows if row.operation == operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_call_is_the_request_of_every_published_client(our_calls, recorded_calls, operation):
    (ours,) = by_operation(our_calls, operation)
    theirs = by_operation(recorded_calls, operation)

    has_it = {PYTHON.name} if operation.endswith("bulk") else {PYTHON.name, NODE.name}
    assert {row.client for row in theirs} == has_it
    for row in theirs:
        assert (ours.method, ours.path, ours.body) == (row.method, row.path, row.body)
        assert ours.headers.keys() == row.headers.keys()
        assert ours.headers["x-api-key"] == row.headers["x-api-key"] == "(the api key)"
        assert ours.headers.get("content-type") == row.headers.get("content-type")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_call_has_the_headers_of_the_python_client_but_its_name(
    our_calls, recorded_calls, operation
):
    (ours,) = by_operation(our_calls, operation)
    for row in by_operation(recorded_calls, operation):
        if row.client == PYTHON.name:
            named = {**row.headers, "user-agent": OF_THE_SENDER}
            assert ours.headers == named


def test_a_start_in_the_first_document_s_dialect_has_the_three_members_it_shows(leap):
    """Its example: workflowId, webhookUrl, inputs; the key in X-Api-Key."""
    OurAdapter(leap.url, LeapDialect.WORKFLOWS).start()

    (request,) = leap.ledger.requests
    assert (request.method, request.path) == ("POST", "/v1/workflows")
    assert request.body == {
        "workflowId": WORKFLOW_ID,
        "webhookUrl": WEBHOOK_URL,
        "inputs": INPUTS,
    }
    assert request.headers["x-api-key"] == "(the api key)"
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("tail", ["", "/prefix", "/a/longer/prefix"])
@pytest.mark.parametrize("dialect", list(LeapDialect))
def test_a_path_prefix_is_kept(leap, tail, dialect):
    ours = OurAdapter(leap.url + tail, dialect)

    run = ours.start()

    start = "/v1/workflows" if dialect is LeapDialect.WORKFLOWS else "/v1/runs"
    assert [tail + start] == [request.path for request in leap.ledger.requests]
    if dialect.can_be_asked:
        assert run.workflow_run_id == ours.read(run.workflow_run_id).workflow_run_id


@pytest.mark.parametrize("tail", ["/", "/prefix/", "/prefix//"])
def test_a_double_slash_of_a_base_url_reaches_the_api_all_the_same(leap, tail):
    ours = OurAdapter(leap.url)
    ours.connection = replace(ours.connection, api_url=leap.url + tail)

    run = ours.start()

    assert run.workflow_run_id == ours.read(run.workflow_run_id).workflow_run_id
    assert 1 == len(leap.ledger.starts())
