"""The provider's endpoints in three dialects: names, shapes, refusals."""

from __future__ import annotations

import pytest

from tests.unit.leap_emulator.conftest import HOOK

RUN_FIELDS = {
    "id",
    "version_id",
    "status",
    "created_at",
    "started_at",
    "ended_at",
    "workflow_id",
    "error",
    "input",
    "output",
}
SEED_FIELDS = (RUN_FIELDS - {"version_id", "workflow_id"}) | {"versionId", "workflowId"}
BULK = {"workflow_id": "wkf_completes", "input_csv_url": "https://example.com/in.csv"}


def test_the_seed_s_dialect(client, state):
    body = {"workflowId": "wkf_completes", "webhookUrl": HOOK, "inputs": {"foo": "bar"}}
    run = client.call("POST", "/v1/workflows", body).json()
    assert set(run) == SEED_FIELDS
    assert (run["status"], run["workflowId"], run["input"]) == (
        "running",
        "wkf_completes",
        {"foo": "bar"},
    )
    assert run["id"].startswith("rnp_")
    assert run["versionId"].startswith("vsp_")
    assert run["created_at"] == "2026-04-22T15:50:55.000Z"
    assert (run["output"], run["error"], run["ended_at"]) == (None, None, None)
    entry = state.ledger.starts()[0].as_document()
    assert (entry["dialect"], entry["webhook_url"]) == ("workflows", HOOK)


def test_the_later_docs_dialect(client, state):
    body = {"workflow_id": "wkf_completes", "webhook_url": HOOK, "inputs": {"a": 1}}
    run = client.call("POST", "/v1/runs", body).json()
    assert set(run) == RUN_FIELDS
    assert run["input"] == {"a": 1}
    assert state.ledger.starts()[0].as_document()["dialect"] == "runs_inputs"


def test_the_published_clients_dialect_reads_its_run(client, state):
    run = client.start(webhook_url=HOOK, input={"a": [1, None]})
    assert set(run) == RUN_FIELDS
    client.turn(0.25)
    assert client.read(run["id"]) == run
    client.turn(0.25)
    ended = client.read(run["id"])
    assert (ended["status"], ended["ended_at"]) == ("completed", "2026-04-22T15:50:55.500Z")
    assert ended["output"]["answer"] == "42"
    assert state.ledger.reads(run["id"]) == 2
    assert state.ledger.starts()[0].as_document()["dialect"] == "runs"


def test_a_dialect_without_a_read_gives_404(client):
    for path, body in (
        ("/v1/workflows", {"workflowId": "wkf_completes"}),
        ("/v1/runs", {"workflow_id": "wkf_completes", "inputs": {}}),
    ):
        run = client.call("POST", path, body).json()
        assert client.call("GET", f"/v1/runs/{run['id']}").status == 404
    client.call("PUT", "/_emulator/settings", {"readable": ["workflows", "runs", "runs_inputs"]})
    assert client.read(run["id"])["id"] == run["id"]


def test_a_queued_run_has_not_started(client):
    run = client.start("wkf_queues_then_completes")
    assert (run["status"], run["started_at"]) == ("queued", None)
    client.turn(0.6)
    now_running = client.read(run["id"])
    assert (now_running["status"], now_running["started_at"]) == (
        "running",
        "2026-04-22T15:50:55.500Z",
    )


def test_a_failed_run_has_an_error_and_no_end(client):
    run = client.start("wkf_fails")
    client.turn(1)
    failed = client.read(run["id"])
    assert (failed["status"], failed["output"], failed["ended_at"]) == ("failed", None, None)
    assert failed["error"]


def test_a_bulk_run_and_its_csv(client, state):
    bulk = client.call("POST", "/v1/runs/bulk", {**BULK, "webhook_url": HOOK}).json()
    assert set(bulk) == {
        "id",
        "version_id",
        "status",
        "created_at",
        "workflow_id",
        "input_csv_url",
        "output_csv_url",
        "error",
        "row_count",
    }
    assert (bulk["row_count"], bulk["output_csv_url"]) == (3, None)
    assert client.call("GET", f"/_emulator/files/{bulk['id']}.csv").status == 404
    client.turn(1)
    done = client.call("GET", f"/v1/runs/bulk/{bulk['id']}").json()
    assert done["output_csv_url"] == f"http://127.0.0.1:8086/_emulator/files/{bulk['id']}.csv"
    csv = client.call("GET", f"/_emulator/files/{bulk['id']}.csv")
    assert csv.body.decode().splitlines() == [
        "row,output",
        "1,answer 1",
        "2,answer 2",
        "3,answer 3",
    ]
    assert state.ledger.starts()[0].operation == "start_bulk"


def test_a_run_is_not_a_bulk_run_and_the_other_way_round(client):
    run = client.start()
    bulk = client.call("POST", "/v1/runs/bulk", BULK).json()
    assert client.call("GET", f"/v1/runs/bulk/{run['id']}").status == 404
    assert client.call("GET", f"/v1/runs/{bulk['id']}").status == 404
    assert client.call("GET", f"/_emulator/files/{run['id']}.csv").status == 404


@pytest.mark.parametrize("path", ["/v1/workflows", "/v1/runs", "/v1/runs/bulk"])
@pytest.mark.parametrize("key", ["", "demo-kex", "démo", "demo-key2"])
def test_without_the_key_nothing_starts(client, state, path, key):
    reply = client.call("POST", path, {"workflow_id": "wkf_completes"}, x_api_key=key)
    assert (reply.status, reply.json()) == (401, {"message": "Unauthorized"})
    assert state.ledger.starts() == []
    assert client.call("GET", "/v1/runs/rnp_1", x_api_key=key).status == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/workflows", b"{"),
        ("/v1/workflows", []),
        ("/v1/workflows", {"workflow_id": "wkf_completes"}),
        ("/v1/workflows", {"workflowId": ""}),
        ("/v1/workflows", {"workflowId": "wkf_completes", "inputs": "x"}),
        ("/v1/workflows", {"workflowId": "wkf_completes", "webhookUrl": "ftp://a/b"}),
        ("/v1/workflows", {"workflowId": "wkf_completes", "webhookUrl": 7}),
        ("/v1/workflows", {"workflowId": "wkf_cannot_be_run"}),
        ("/v1/runs", {"workflowId": "wkf_completes"}),
        ("/v1/runs", {"workflow_id": "wkf_completes", "input": [1]}),
        ("/v1/runs", {"workflow_id": "wkf_completes", "inputs": [1]}),
        ("/v1/runs", {"workflow_id": "wkf_completes", "webhook_url": "http://a b"}),
        ("/v1/runs", {"workflow_id": "wkf_completes", "webhook_url": "http://[::1"}),
        ("/v1/runs/bulk", {"workflow_id": "wkf_completes"}),
        ("/v1/runs/bulk", {**BULK, "input_csv_url": "in.csv"}),
    ],
)
def test_a_wrong_body_is_400_with_a_message(client, state, path, body):
    reply = client.call("POST", path, body)
    assert (reply.status, list(reply.json())) == (400, ["message"])
    assert state.ledger.starts() == []


def test_an_unknown_workflow_is_404_and_another_media_type_400(client):
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_none"}).status == 404
    assert client.call("GET", "/v1/runs/rnp_none").status == 404
    reply = client.call(
        "POST", "/v1/runs", {"workflow_id": "wkf_completes"}, content_type="text/plain"
    )
    assert reply.status == 400


def test_an_empty_webhook_url_is_none_and_unknown_fields_are_ignored(client, state):
    body = {"workflowId": "wkf_completes", "webhookUrl": "", "inputs": None, "x": 1}
    assert client.call("POST", "/v1/workflows", body).status == 200
    assert state.ledger.starts()[0].webhook_url is None


@pytest.mark.parametrize("prefix", ["/", "//", "/a/", "/a//b/v1/", "/_user_request_//"])
def test_slashes_are_collapsed_and_a_prefix_is_passed_over(client, prefix):
    body = {"workflow_id": "wkf_completes"}
    assert client.call("POST", f"{prefix}v1//runs", body).status == 200
    assert client.call("GET", f"{prefix}_emulator/health").status == 200
    recorded = client.state.ledger.requests[-1]
    assert (recorded.method, recorded.path) == ("POST", f"{prefix}v1//runs")


def test_unknown_paths_are_404_and_wrong_methods_405(client):
    for path in ("/", "/v1", "/v1/runs/a/b/c", "/v2/runs", "/_emulator", "/_emulator/nothing"):
        assert client.call("GET", path).status == 404
    reply = client.call("GET", "/v1/workflows")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("casing", ["camel", "snake", "as_started"])
@pytest.mark.parametrize("input_name", ["input", "inputs"])
def test_both_casings_and_both_names_of_the_inputs(client, casing, input_name):
    client.call("PUT", "/_emulator/settings", {"casing": casing, "input_name": input_name})
    run = client.start(input={"a": 1})
    assert ("workflowId" in run) is (casing == "camel")
    assert ("version_id" in run) is (casing != "camel")
    assert run[input_name] == {"a": 1}


def test_a_start_s_status_can_be_any_2xx_with_a_body(client):
    client.call("PUT", "/_emulator/settings", {"start_status": 201})
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_completes"}).status == 201


def test_an_internal_error_is_500_and_quotes_nothing(client, state, monkeypatch, capsys):
    def fail(*arguments, **fields):
        raise RuntimeError("with a demo-key inside")

    monkeypatch.setattr(state.runs, "create", fail)
    reply = client.call("POST", "/v1/runs", {"workflow_id": "wkf_completes"})
    assert reply.status == 500
    assert "demo-key" not in reply.body.decode() + capsys.readouterr().err
