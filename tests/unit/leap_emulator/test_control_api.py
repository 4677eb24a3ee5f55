"""Ledger, settings, workflows, runs and reset, as the control endpoints show them."""

from __future__ import annotations

import pytest

from local.leap_emulator.settings import EmulatorSettings
from tests.unit.leap_emulator.conftest import HOOK


def test_health_is_ok(client):
    document = client.call("GET", "/_emulator/health").json()
    assert (document["status"], document["service"]) == ("ok", "leap-emulator")


def test_the_ledger_has_starts_webhooks_reads_and_counts(client, state):
    run = client.start(webhook_url=HOOK, input={"a": 1})
    client.turn(1)
    state.ledger.wait_for_webhooks(1)
    client.read(run["id"])
    client.call("POST", "/v1/runs", {"workflow_id": "wkf_none"})
    document = client.call("GET", "/_emulator/ledger").json()
    assert document["starts"] == [
        {
            "sequence": 1,
            "operation": "start",
            "at": "2026-04-22T15:50:55.000000Z",
            "dialect": "runs",
            "run_id": run["id"],
            "workflow_id": "wkf_completes",
            "webhook_url": HOOK,
            "inputs": {"a": 1},
            "input_csv_url": None,
        }
    ]
    webhook = document["webhooks"][0]
    assert (webhook["run_id"], webhook["kind"], webhook["response_status"]) == (
        run["id"],
        "genuine",
        200,
    )
    assert document["reads"] == {run["id"]: 1}
    assert document["counts"]["start"] == {"received": 2, "accepted": 1}
    assert document["counts"]["read"] == {"received": 1, "accepted": 1}


def test_the_ledger_is_filtered(client):
    first = client.start(webhook_url=HOOK)
    client.start(webhook_url=HOOK.replace("run_1", "run_2"))

    def ids(query):
        starts = client.call("GET", f"/_emulator/ledger?{query}").json()["starts"]
        return [start["run_id"] for start in starts]

    assert ids("webhook=run_1") == ids(f"run_id={first['id']}") == [first["id"]]
    assert len(ids("operation=start")) == 2
    assert ids("operation=start_bulk") == []


@pytest.mark.parametrize(("query", "field"), [("operation=x", "operation"), ("user=1", "user")])
def test_a_wrong_filter_is_400(client, query, field):
    reply = client.call("GET", f"/_emulator/ledger?{query}")
    assert (reply.status, reply.json()["field"]) == (400, field)


def test_requests_are_recorded_as_they_came_but_for_the_key(client):
    client.start(input={"a": 1})
    client.call("POST", "/v1/runs", b"no json", x_api_key="secret-of-somebody")
    right, wrong = client.call("GET", "/_emulator/requests").json()["requests"]
    assert right == {
        "operation": "start",
        "method": "POST",
        "path": "/v1/runs",
        "headers": {"x-api-key": "(the api key)", "content-type": "application/json"},
        "body": {"workflow_id": "wkf_completes", "input": {"a": 1}},
    }
    assert (wrong["headers"]["x-api-key"], wrong["body"]) == ("(another key)", "no json")


def test_settings_change_what_is_given_and_never_show_the_key(client):
    reply = client.call("PUT", "/_emulator/settings", {"api_key": "k2", "webhook_attempts": 3})
    assert reply.json() == {
        "casing": "as_started",
        "input_name": "input",
        "start_status": 200,
        "readable": ["runs"],
        "webhook_attempts": 3,
        "webhook_retry_seconds": 1.0,
        "webhook_timeout_seconds": 10.0,
    }
    assert client.call("GET", "/_emulator/settings").json() == reply.json()
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_completes"}).status == 401
    client.headers["x-api-key"] = "k2"
    client.start()
    assert "k2" not in repr(EmulatorSettings(api_key="k2"))


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"casing": "kebab"}, "casing"),
        ({"input_name": "in"}, "input_name"),
        ({"start_status": 404}, "start_status"),
        ({"start_status": 204}, "start_status"),
        ({"readable": "runs"}, "readable"),
        ({"readable": ["runs", "x"]}, "readable[1]"),
        ({"webhook_attempts": 0}, "webhook_attempts"),
        ({"webhook_retry_seconds": -1}, "webhook_retry_seconds"),
        ({"webhook_timeout_seconds": 0}, "webhook_timeout_seconds"),
        ({"dialect": "runs"}, "dialect"),
        (None, "body"),
    ],
)
def test_wrong_settings_are_400_name_the_field_and_change_nothing(client, state, document, field):
    before = state.settings
    reply = client.call("PUT", "/_emulator/settings", document)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert state.settings == before


def test_a_workflow_is_defined_replaced_and_shown(client):
    body = {
        "phases": [{"status": "running", "seconds": 2}, {"status": "completed"}],
        "output": [1],
        "row_count": 9,
    }
    path = "/_emulator/workflows/wkf_mine"
    assert client.call("PUT", path, body).status == 201
    run = client.start("wkf_mine")
    assert client.call("PUT", path, {"phases": [{"status": "failed"}]}).status == 200
    client.turn(2)
    assert client.read(run["id"])["output"] == [1]
    assert client.start("wkf_mine")["status"] == "failed"
    shown = client.call("GET", path).json()
    assert (shown["workflow_id"], shown["phases"]) == ("wkf_mine", [{"status": "failed"}])
    listed = client.call("GET", "/_emulator/workflows").json()["workflows"]
    assert shown in listed
    assert client.call("GET", "/_emulator/workflows/wkf_none").status == 404


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "phases"),
        ({"phases": []}, "phases"),
        ({"phases": [7]}, "phases[0]"),
        ({"phases": [{"status": "running"}, {"status": "completed"}]}, "phases[0].seconds"),
        (
            {"phases": [{"status": "failed", "seconds": 1}, {"status": "completed"}]},
            "phases[0].status",
        ),
        ({"phases": [{"status": "completed", "seconds": 1}]}, "phases[0].seconds"),
        ({"phases": [{"status": ""}]}, "phases[0].status"),
        ({"phases": [{"status": "completed"}], "output": 1, "output_bytes": 1}, "output_bytes"),
        ({"phases": [{"status": "completed"}], "output_bytes": -1}, "output_bytes"),
        ({"phases": [{"status": "completed"}], "row_count": 0.5}, "row_count"),
        ({"phases": [{"status": "completed"}], "x": 1}, "x"),
    ],
)
def test_a_wrong_workflow_is_400_and_names_the_field(client, document, field):
    reply = client.call("PUT", "/_emulator/workflows/wkf_mine", document)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert client.call("GET", "/_emulator/workflows/wkf_mine").status == 404


def test_a_workflow_s_id_is_plain(client):
    body = {"phases": [{"status": "completed"}]}
    reply = client.call("PUT", "/_emulator/workflows/a b", body)
    assert (reply.status, reply.json()["field"]) == (400, "workflow_id")


@pytest.mark.parametrize(
    ("action", "document", "field"),
    [
        ("status", {}, "status"),
        ("status", {"status": 7}, "status"),
        ("status", {"status": "failed", "error": 7}, "error"),
        ("status", {"state": "x"}, "state"),
        ("webhook", {"url": "http://example.com/x"}, "url"),
        ("webhook", {"url": "https://127.0.0.1/x"}, "url"),
        ("webhook", {}, "url"),
        ("webhook", {"to": "x"}, "to"),
        ("webhook", [], "body"),
    ],
)
def test_wrong_commands_are_400_and_send_nothing(client, state, action, document, field):
    run = client.start()
    reply = client.call("POST", f"/_emulator/runs/{run['id']}/{action}", document)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert state.ledger.webhooks() == []
    assert client.call("POST", f"/_emulator/runs/rnp_none/{action}", document).status in (400, 404)


def test_looking_at_runs_is_no_read(client, state):
    run = client.start(webhook_url=HOOK)
    shown = client.call("GET", f"/_emulator/runs/{run['id']}").json()
    assert client.call("GET", "/_emulator/runs").json()["runs"] == [shown]
    assert (shown["webhook_url"], shown["dialect"], shown["ends_at"]) == (
        HOOK,
        "runs",
        "2026-04-22T15:50:55.500000Z",
    )
    assert state.ledger.reads(run["id"]) == 0


def test_reset_forgets_everything(client, state):
    run = client.start()
    client.call("PUT", "/_emulator/workflows/wkf_mine", {"phases": [{"status": "completed"}]})
    client.call("PUT", "/_emulator/settings", {"casing": "camel"})
    client.faults({"kind": "lost"})
    assert client.call("POST", "/_emulator/reset").status == 200
    assert client.call("GET", f"/v1/runs/{run['id']}").status == 404
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_mine"}).status == 404
    assert state.settings == EmulatorSettings()
    assert state.ledger.starts() == []
    assert state.faults.as_documents() == []
