"""What becomes of an answer. Webhooks: test_webhooks; the rules themselves: the sister's tests."""

from __future__ import annotations

import pytest

from local.emulation.faults import FaultKind
from local.emulation.messages import Hangup, Reply, Reset, Silence

START = {"workflow_id": "wkf_completes"}


@pytest.mark.parametrize("accept", [False, True])
def test_a_5xx_before_or_after_the_start(client, state, accept):
    rule = {"operation": "start", "kind": "status", "status": 502, "times": 1, "accept": accept}
    client.faults(rule)
    assert client.call("POST", "/v1/runs", START).status == 502
    assert len(state.ledger.starts()) == int(accept)


def test_an_accepting_fault_spares_a_request_that_is_refused_anyway(client):
    client.faults({"operation": "start", "kind": "drop_after_accept", "times": 1})
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_none"}).status == 404
    assert client.deliver("POST", "/v1/workflows", {"workflowId": "wkf_completes"}) == Hangup()


def test_a_created_start_can_be_bent(client):
    client.call("PUT", "/_emulator/settings", {"start_status": 201})
    client.faults({"operation": "start", "kind": "extra_fields", "times": 1})
    reply = client.call("POST", "/v1/runs", START)
    assert (reply.status, reply.json()["schema_version"]) == (201, 7)


def test_a_rule_is_bound_to_its_operation_and_workflow(client):
    client.faults(
        {"operation": "read", "kind": "status", "status": 503, "workflow_id": "wkf_fails"},
        {"operation": "start_bulk", "kind": "status", "status": 500},
    )
    run, other = client.start("wkf_fails"), client.start()
    assert client.call("GET", f"/v1/runs/{run['id']}").status == 503
    assert client.call("GET", f"/v1/runs/{other['id']}").status == 200
    assert client.call("GET", "/v1/runs/rnp_none").status == 404
    bulk = {**START, "input_csv_url": "http://a/b"}
    assert client.call("POST", "/v1/runs/bulk", bulk).status == 500


def test_a_rule_for_a_workflow_strikes_its_starts_in_every_dialect(client):
    rule = {"operation": "start", "kind": "status", "status": 503, "workflow_id": "wkf_fails"}
    client.faults(rule)
    assert client.call("POST", "/v1/workflows", {"workflowId": "wkf_fails"}).status == 503
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_fails"}).status == 503
    assert client.call("POST", "/v1/runs", {"workflow_id": "wkf_completes"}).status == 200
    assert client.call("POST", "/v1/runs", b"{").status == 400
    assert client.call("POST", "/v1/runs", []).status == 400


def test_a_redirect_points_to_a_place_that_tells_on_its_followers(client):
    client.faults({"operation": "start", "kind": "redirect", "times": 1})
    reply = client.call("POST", "/v1/runs", START)
    client.call("GET", reply.headers["Location"])
    followed = client.call("GET", "/_emulator/ledger").json()["redirects_followed"]
    assert followed == [{"method": "GET", "had_api_key": True}]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"kind": "lost", "operation": "start"}, "[0].operation"),
        ({"kind": "reset", "operation": "webhook"}, "[0].operation"),
        ({"kind": "early", "operation": "read"}, "[0].operation"),
        ({"kind": "lost", "seconds": 1}, "[0].seconds"),
        ({"kind": "late", "seconds": -1}, "[0].seconds"),
        ({"kind": "huge_output", "bytes": "many"}, "[0].bytes"),
        ({"kind": "lost", "accept": True}, "[0].accept"),
        ({"kind": "lost", "workflow_id": "wkf_none"}, "[0].workflow_id"),
        ({"kind": "null_run_id"}, "[0].kind"),
    ],
)
def test_a_wrong_rule_is_400_and_names_the_field(client, rule, field):
    reply = client.call("POST", "/_emulator/faults", [rule])
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert client.call("GET", "/_emulator/faults").json()["rules"] == []


def test_rules_are_listed_as_given_and_cleared(client):
    client.faults({"kind": "late", "times": 2, "workflow_id": "wkf_fails"})
    rule = client.call("GET", "/_emulator/faults").json()["rules"][0]
    assert rule == {
        "id": 1,
        "operation": "*",
        "kind": "late",
        "seconds": 5.0,
        "times": 2,
        "workflow_id": "wkf_fails",
        "matched": 0,
        "fired": 0,
    }
    assert client.call("DELETE", "/_emulator/faults").json() == {"rules": [], "fired": 0}


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("operation", ["start", "read", "start_bulk", "read_bulk"])
def test_every_kind_strikes_every_operation(client, kind, operation):
    bulk = {**START, "input_csv_url": "http://a/b"}
    run = client.start()["id"]
    bulk_run = client.call("POST", "/v1/runs/bulk", bulk).json()["id"]
    extra = {"status": 503} if kind is FaultKind.STATUS else {}
    client.faults({"operation": operation, "kind": kind, "times": 1, **extra})
    delivery = {
        "start": lambda: client.deliver("POST", "/v1/runs", START),
        "read": lambda: client.deliver("GET", f"/v1/runs/{run}"),
        "start_bulk": lambda: client.deliver("POST", "/v1/runs/bulk", bulk),
        "read_bulk": lambda: client.deliver("GET", f"/v1/runs/bulk/{bulk_run}"),
    }[operation]()
    assert client.call("GET", "/_emulator/faults").json()["fired"] == 1
    match kind:
        case FaultKind.HANG | FaultKind.DELAY:
            assert isinstance(delivery, Silence)
        case FaultKind.RESET:
            assert delivery == Reset()
        case FaultKind.DROP_AFTER_ACCEPT:
            assert delivery == Hangup()
        case FaultKind.STATUS:
            assert isinstance(delivery, Reply)
            assert delivery.status == 503
