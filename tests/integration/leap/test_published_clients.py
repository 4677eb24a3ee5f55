"""The vendor's published clients against the emulator: what they send, what they accept.

The dialects `workflows` and `runs_inputs` have no published client.
"""

from __future__ import annotations

from typing import Any

import pytest

from local.leap_emulator import Dialect
from tests.integration.leap.clients import NODE, PYTHON
from tests.integration.leap.recorded import INPUT_CSV_URL, INPUTS, WEBHOOK_URL, WORKFLOW_ID

START = {"workflow_id": WORKFLOW_ID, "webhook_url": WEBHOOK_URL, "input": INPUTS}
BULK = {"workflow_id": WORKFLOW_ID, "input_csv_url": INPUT_CSV_URL, "webhook_url": WEBHOOK_URL}
PHASES_TO = {
    "queued": [{"status": "queued"}],
    "running": [{"status": "running"}],
    "completed": [{"status": "completed"}],
    "failed": [{"status": "failed"}],
    "cancelled": [{"status": "cancelled"}],
}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def rows(recorded_calls, operation):
    return [row for row in recorded_calls if row.operation == operation]


def test_every_call_of_both_clients_is_recorded(leap, recorded_calls):
    recorded = {(row.client, row.call) for row in recorded_calls}
    python, node = PYTHON.run(leap.url, []), NODE.run(leap.url, [])
    has = {(PYTHON.name, name) for name in python["calls_it_has"]}
    has |= {(NODE.name, name) for name in node["calls_it_has"]}
    assert recorded == has
    assert len(recorded) == 18
    assert node["resources"] == ["workflowRuns"]


def test_every_start_is_the_same_request(recorded_calls):
    starts = rows(recorded_calls, "start")
    assert len(starts) == 5
    for row in starts:
        assert (row.method, row.path, row.dialect) == ("POST", "/v1/runs", Dialect.RUNS)
        assert row.body == START
        assert row.headers["content-type"] == "application/json"


def test_every_bulk_start_is_the_same_request(recorded_calls):
    starts = rows(recorded_calls, "start_bulk")
    assert len(starts) == 4
    for row in starts:
        assert (row.method, row.path, row.body) == ("POST", "/v1/runs/bulk", BULK)


@pytest.mark.parametrize(
    ("operation", "count", "path"),
    [("read", 5, "/v1/runs/{id}"), ("read_bulk", 4, "/v1/runs/bulk/{id}")],
)
def test_every_read_is_the_same_request(recorded_calls, operation, count, path):
    reads = rows(recorded_calls, operation)
    assert len(reads) == count
    assert {(row.method, row.path, row.body) for row in reads} == {("GET", path, None)}


def test_the_key_is_in_one_header_of_every_call(recorded_calls):
    for row in recorded_calls:
        assert row.headers["x-api-key"] == "(the api key)"
        assert "authorization" not in row.headers
        assert set(row.headers) <= {"accept", "content-type", "user-agent", "x-api-key"}


def test_a_start_without_options_leaves_them_out(leap):
    PYTHON.run(leap.url, [call("workflow_runs.workflow", workflow_id=WORKFLOW_ID)])
    PYTHON.run(
        leap.url,
        [call("bulk_workflow_runs.run_bulk", workflow_id=WORKFLOW_ID, input_csv_url=INPUT_CSV_URL)],
    )
    NODE.run(leap.url, [call("workflowRuns.workflow", workflow_id=WORKFLOW_ID)])
    assert [request.body for request in leap.ledger.requests] == [
        {"workflow_id": WORKFLOW_ID},
        {"workflow_id": WORKFLOW_ID, "input_csv_url": INPUT_CSV_URL},
        {"workflow_id": WORKFLOW_ID},
    ]


def test_the_python_client_accepts_every_known_status_of_runs_and_bulk_runs(leap):
    calls = []
    for status, phases in PHASES_TO.items():
        leap.define_workflow(f"wkf_{status}", phases, output={"a": [1]})
        given = {"workflow_id": f"wkf_{status}", "validate": True}
        calls.append(call("workflow_runs.workflow", input=INPUTS, **given))
        calls.append(call("bulk_workflow_runs.run_bulk", input_csv_url=INPUT_CSV_URL, **given))
    answers = PYTHON.run(leap.url, calls)["answers"]
    assert [answer["model"] for answer in answers] == ["WorkflowRunSchema", "BulkRunSchema"] * 5
    assert [answer["body"]["status"] for answer in answers] == [
        status for status in PHASES_TO for _ in range(2)
    ]
    reads = [
        call("workflow_runs.get_workflow_run", workflow_run_id=answer["body"]["id"], validate=True)
        if answer["model"] == "WorkflowRunSchema"
        else call("bulk_workflow_runs.get_bulk", bulk_run_id=answer["body"]["id"], validate=True)
        for answer in answers
    ]
    again = PYTHON.run(leap.url, reads)["answers"]
    assert [answer["body"] for answer in again] == [answer["body"] for answer in answers]


def test_the_node_client_gives_what_the_emulator_shows(leap):
    started = NODE.run(leap.url, [call("workflowRuns.workflow", **START)])["answers"][0]
    run_id = started["body"]["id"]
    leap.set_run_status(run_id, "completed", output=["any", {"J": "SON"}])
    read = NODE.run(leap.url, [call("workflowRuns.getWorkflowRun", workflowRunId=run_id)])
    assert (started["status"], started["body"]["input"]) == (200, INPUTS)
    assert read["answers"][0]["body"]["output"] == ["any", {"J": "SON"}]


def test_the_python_client_validates_objects_only_as_output(leap):
    """The seed has `output: unknown`: what the client refuses is not wrong, nor need it look."""
    outputs = ["text", -0.5, [1, None], True]
    calls = []
    for number, output in enumerate(outputs):
        workflow_id = f"wkf_{number}"
        leap.define_workflow(workflow_id, [{"status": "completed"}], output=output)
        calls += [
            call("workflow_runs.workflow", workflow_id=workflow_id, validate=True),
            call("workflow_runs.workflow", workflow_id=workflow_id),
            call("workflow_runs.raw.workflow", workflow_id=workflow_id),
        ]
    answers = PYTHON.run(leap.url, calls)["answers"]
    assert [answer["refused"] for answer in answers[::3]] == ["ValidationError"] * 4
    assert [answer["body"]["output"] for answer in answers[1::3]] == outputs
    assert [answer["body"]["output"] for answer in answers[2::3]] == outputs


def test_the_python_client_validates_its_own_dialect_only(leap):
    leap.change_settings(casing="camel")
    start = call("workflow_runs.workflow", workflow_id=WORKFLOW_ID, validate=True)
    camel = PYTHON.run(leap.url, [start])["answers"][0]
    leap.change_settings(casing="as_started")
    leap.define_workflow("wkf_new", [{"status": "waiting_for_input"}])
    unknown = call("workflow_runs.workflow", workflow_id="wkf_new", validate=True)
    assert camel["refused"] == "ValidationError"
    assert PYTHON.run(leap.url, [unknown])["answers"][0]["refused"] == "ValidationError"


def test_another_2xx_is_success_too(leap):
    leap.change_settings(start_status=201)
    python = PYTHON.run(leap.url, [call("workflow_runs.raw.workflow", **START)])["answers"][0]
    node = NODE.run(leap.url, [call("workflowRuns.workflow", **START)])["answers"][0]
    assert python["status"] == node["status"] == 201
    assert set(python["body"]) == set(node["body"])


def test_refusals_reach_the_caller_of_either_client(leap):
    python = PYTHON.run(
        leap.url,
        [
            call("workflow_runs.workflow", workflow_id="wkf_none"),
            call("workflow_runs.get_workflow_run", workflow_run_id="rnp_none"),
            call("bulk_workflow_runs.get_bulk", bulk_run_id="bulk_none"),
        ],
    )["answers"]
    node = NODE.run(leap.url, [call("workflowRuns.getWorkflowRun", workflowRunId="rnp_none")])
    assert [answer["status"] for answer in python] == [404, 404, 404]
    assert python[1]["body"] == node["answers"][0]["body"]
    for client, name in ((PYTHON, "workflow_runs.workflow"), (NODE, "workflowRuns.workflow")):
        refused = client.run(leap.url, [call(name, **START)], api_key="wrong")["answers"][0]
        assert (refused["status"], refused["body"]) == (401, {"message": "Unauthorized"})


def test_a_base_url_may_have_a_prefix_and_a_slash_too_many(leap):
    """The node client puts the path behind the slash that it was given."""
    PYTHON.run(f"{leap.url}/a/prefix", [call("workflow_runs.workflow", **START)])
    NODE.run(f"{leap.url}/a/prefix/", [call("workflowRuns.workflow", **START)])
    NODE.run(f"{leap.url}/", [call("workflowRuns.workflow", **START)])
    paths = [request.path for request in leap.ledger.requests]
    assert paths[:2] == ["/a/prefix/v1/runs", "/a/prefix//v1/runs"]
    assert len(leap.ledger.starts()) == 3
