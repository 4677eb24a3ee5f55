"""Ledger, settings, items and reset, as the control endpoints show them."""

from __future__ import annotations

import pytest

from local.emulation.messages import Reply


def test_health_is_ok(visitor):
    document = visitor.call("GET", "/_emulator/health").json()
    assert (document["status"], document["service"]) == ("ok", "leena-emulator")


def test_the_ledger_has_mints_executes_and_counts(client):
    context = {"agentruns_run_id": "run_1", "ticket_number": "INC1"}
    item = client.start("fails", message_to_start="Go", context=context)
    client.statuses(item, 2)
    client.execute("no_such_aop")
    document = client.call("GET", "/_emulator/ledger").json()
    assert [entry["operation"] for entry in document["entries"]] == ["token", "execute"]
    entry = document["entries"][1]
    assert entry["aop_item_id"] == item
    assert (entry["aop_id"], entry["message_to_start"]) == ("fails", "Go")
    assert (entry["context"], entry["agentruns_run_id"]) == (context, "run_1")
    assert (entry["run_id"], entry["at"]) == ("ID_000001", "2026-04-22T15:50:55.000000Z")
    assert document["status_reads"] == {item: 2}
    assert document["counts"] == {
        "token": {"received": 1, "accepted": 1},
        "execute": {"received": 2, "accepted": 1},
        "status": {"received": 2, "accepted": 2},
    }


def test_the_ledger_is_filtered_by_operation_and_by_our_run_id(client):
    first = client.start("fails", context={"agentruns_run_id": "run_1"})
    second = client.start("fails", context={"agentruns_run_id": "run_2"})
    client.read(first)
    client.read(second)
    by_run = client.call("GET", "/_emulator/ledger?run_id=run_2").json()
    assert [entry["aop_item_id"] for entry in by_run["entries"]] == [second]
    assert by_run["status_reads"] == {second: 1}
    by_operation = client.call("GET", "/_emulator/ledger?operation=token").json()
    assert [entry["operation"] for entry in by_operation["entries"]] == ["token"]


@pytest.mark.parametrize(("query", "field"), [("operation=x", "operation"), ("user=1", "user")])
def test_a_wrong_filter_is_400(client, query, field):
    reply = client.call("GET", f"/_emulator/ledger?{query}")
    assert (reply.status, reply.json()["field"]) == (400, field)


def test_settings_change_what_is_given_and_never_show_secrets(visitor):
    new = {"client_secret": "s2", "password": "p2"}
    reply = visitor.call("PUT", "/_emulator/settings", {"expires_in": 5, "credentials": new})
    assert reply.json() == {
        "expires_in": 5,
        "scopes": ["aic.aop_execute"],
        "credentials": {"client_id": "demo-client", "username": "demo-user"},
    }
    assert visitor.mint().status == 401
    body = {"username": "demo-user", "password": "p2", "grant_type": "password"}
    assert visitor.mint(body, basic="demo-client:s2").json()["expires_in"] == 5


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": "60"}, "expires_in"),
        ({"scopes": "aic.aop_execute"}, "scopes"),
        ({"scopes": [1]}, "scopes[0]"),
        ({"credentials": {"client_id": "a:b"}}, "credentials.client_id"),
        ({"credentials": {"password": ""}}, "credentials.password"),
        ({"credentials": {"pass": "x"}}, "credentials.pass"),
        ({"lifetime": 3}, "lifetime"),
        (None, "body"),
    ],
)
def test_wrong_settings_are_400_name_the_field_and_change_nothing(visitor, state, document, field):
    before = state.settings
    reply = visitor.call("PUT", "/_emulator/settings", document)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert state.settings == before


def test_a_person_pauses_resumes_and_aborts_an_item(client, clock):
    item = client.start("never_ends")
    path = f"/_emulator/items/{item}/status"
    assert client.call("POST", path, {"status": "paused"}).json()["status"] == "paused"
    assert client.statuses(item, 3) == ["paused"] * 3
    client.call("POST", path, {"status": None})
    assert client.statuses(item, 1) == ["in_progress"]
    clock.turn(9)
    client.call("POST", path, {"status": "aborted"})
    document = client.read(item).json()
    assert (document["status"], document["completed_at"]) == (
        "aborted",
        "2026-04-22T15:51:04.000000",
    )


def test_forcing_refuses_wrong_bodies_and_unknown_items(client):
    item = client.start("never_ends")
    for body, field in (({}, "status"), ({"status": 7}, "status"), ({"state": "x"}, "state")):
        reply = client.call("POST", f"/_emulator/items/{item}/status", body)
        assert (reply.status, reply.json()["field"]) == (400, field)
    missing = client.call("POST", f"/_emulator/items/{'0' * 24}/status", {"status": "paused"})
    assert missing.status == 404


def test_looking_at_items_is_no_poll(client):
    item = client.start("fails")
    for _ in range(5):
        assert client.call("GET", f"/_emulator/items/{item}").json()["status"] == "in_progress"
    items = client.call("GET", "/_emulator/items").json()["items"]
    assert [one["aop_item_id"] for one in items] == [item]
    assert client.statuses(item, 3) == ["in_progress", "in_progress", "failed"]


def test_reset_forgets_everything_but_tokens(client, state):
    item = client.start("fails")
    client.call("PUT", "/_emulator/aops/mine", {"phases": [{"status": "completed"}]})
    client.call("PUT", "/_emulator/settings", {"expires_in": 5})
    client.call("POST", "/_emulator/faults", [{"operation": "token", "kind": "reset"}])
    assert client.call("POST", "/_emulator/reset").status == 200
    assert client.read(item).status == 404
    assert client.execute("mine").status == 404
    assert state.settings.expires_in == 3600
    assert state.ledger.entries == []
    assert state.faults.as_documents() == []


def test_unknown_paths_are_404_and_wrong_methods_405(visitor):
    for path in (
        "/",
        "/api/v2",
        "/_emulator",
        "/_emulator/nothing",
        "/api/v1x0/oauth/token",
        "/api/v1.0/oauth/token/x",
    ):
        reply = visitor.call("GET", path)
        assert reply.status == 404
        assert list(reply.json()) == ["message"]
    reply = visitor.call("GET", "/api/v1.0/oauth/token")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


def test_an_internal_error_is_500_and_quotes_nothing(client, state, monkeypatch, capsys):
    def fail(*arguments, **fields):
        raise RuntimeError("with a demo-secret inside")

    monkeypatch.setattr(state.items, "create", fail)
    reply = client.execute("fails")
    assert isinstance(reply, Reply)
    assert reply.status == 500
    assert "demo-secret" not in reply.body.decode() + capsys.readouterr().err
