"""Which requests a script strikes, and what it does to the books. Sockets: integration."""

from __future__ import annotations

from typing import Any

import pytest

from local.emulation.faults import FaultKind
from local.emulation.messages import Delivery, Hangup, Reply, Reset, Silence
from local.leena_emulator.faults import LeenaFaultKind
from tests.unit.leena_emulator.conftest import Client

EXECUTE = "/api/v1/external/aop/execute"


def script(client: Client, *rules: Any) -> Any:
    reply = client.call("POST", "/_emulator/faults", list(rules))
    assert reply.status == 200, reply.body
    return reply.json()


def fired(client: Client) -> list[int]:
    return [rule["fired"] for rule in client.call("GET", "/_emulator/faults").json()["rules"]]


def deliver_execute(client: Client, aop_id: str = "fails") -> Delivery:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    return client.deliver("POST", EXECUTE, f'{{"aop_id": "{aop_id}"}}'.encode(), headers)


def test_a_status_fault_fires_so_many_times_and_carries_headers(client, state):
    rule = {"operation": "execute", "kind": "status", "status": 429, "times": 2}
    script(client, {**rule, "headers": {"Retry-After": "2"}})
    replies = [client.execute("fails") for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert replies[0].headers["Retry-After"] == "2"
    assert replies[0].json() == {"message": "Too many requests"}
    assert len(state.ledger.executes()) == 1
    assert fired(client) == [2]


def test_a_5xx_after_the_accept_leaves_the_start_in_the_ledger(client, state):
    script(
        client,
        {"operation": "execute", "kind": "status", "status": 502, "accept": True, "times": 1},
        {"operation": "execute", "kind": "status", "status": 502, "accept": False, "times": 1},
    )
    assert [client.execute("fails").status for _ in range(3)] == [502, 502, 200]
    assert len(state.ledger.executes()) == 2


def test_drop_after_accept_records_the_start_and_hangs_up(client, state):
    script(client, {"operation": "execute", "kind": "drop_after_accept", "times": 1})
    assert deliver_execute(client) == Hangup()
    assert len(state.ledger.executes()) == 1


@pytest.mark.parametrize("accept", [False, True])
def test_hang_and_reset_choose_whether_the_start_happened(client, state, accept):
    base = {"operation": "execute", "accept": accept, "times": 1}
    script(client, {**base, "kind": "hang", "seconds": 9}, {**base, "kind": "reset"})
    assert deliver_execute(client) == Silence(seconds=9)
    assert deliver_execute(client) == Reset()
    assert len(state.ledger.executes()) == (2 if accept else 0)


def test_an_accepting_fault_spares_a_request_that_is_refused_anyway(client, state):
    script(client, {"operation": "execute", "kind": "drop_after_accept", "times": 1})
    assert client.execute("no_such_aop").status == 404
    assert fired(client) == [0]
    assert deliver_execute(client) == Hangup()
    assert fired(client) == [1]


def test_broken_json_wrong_types_and_empty_bodies(client):
    script(
        client,
        {"operation": "execute", "kind": "broken_json", "times": 1},
        {"operation": "execute", "kind": "wrong_types", "times": 1},
        {"operation": "execute", "kind": "empty", "times": 1},
        {"operation": "execute", "kind": "html", "times": 1},
    )
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        client.execute("fails").json()
    wrong = client.execute("fails").json()
    assert wrong["status"] == wrong["aop_item_id"] == 20260422
    assert client.execute("fails").body == b""
    page = client.execute("fails")
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")


def test_extra_fields_and_null_run_id(client):
    script(
        client,
        {"operation": "*", "kind": "extra_fields", "times": 1},
        {"operation": "*", "kind": "null_run_id", "times": 1},
    )
    surprising = client.execute("fails").json()
    assert {"aop_item_id", "schema_version", "links", "labels"} <= set(surprising)
    item = client.execute("fails").json()
    assert item["run_id"] is None
    assert client.execute("fails").json()["run_id"] is not None


def test_null_run_id_leaves_other_operations_alone(client):
    item = client.start("fails")
    script(client, {"operation": "*", "kind": "null_run_id", "times": 1})
    assert "run_id" not in client.read(item).json()
    assert fired(client) == [0]


def test_revoke_token_mid_run_makes_one_401_and_a_new_token_goes_on(client):
    item = client.start("fails")
    script(client, {"operation": "status", "kind": "revoke_token", "times": 1})
    assert client.read(item).status == 401
    assert client.read(item).status == 401
    client.log_in()
    assert client.statuses(item, 3) == ["in_progress", "in_progress", "failed"]


def test_a_redirect_points_to_a_place_that_tells_on_its_followers(client):
    script(client, {"operation": "execute", "kind": "redirect", "times": 1})
    reply = client.execute("fails")
    assert (reply.status, reply.headers["Location"]) == (302, "/_emulator/redirect-target")
    client.call("GET", reply.headers["Location"])
    followed = client.call("GET", "/_emulator/ledger").json()["redirects_followed"]
    assert followed == [{"method": "GET", "had_authorization": True}]


def test_a_rule_is_bound_to_its_operation_and_aop(client, state):
    fails = state.aops.get("fails")
    script(client, {"operation": "*", "kind": "status", "status": 500, "aop_id": fails.object_id})
    assert client.mint().status == 200
    other = client.start("aborts")
    assert client.read(other).status == 200
    assert client.execute("fails").status == 500
    client.call("DELETE", "/_emulator/faults")
    item = client.start("fails")
    script(client, {"operation": "status", "kind": "status", "status": 500, "aop_id": "fails"})
    assert client.read(item).status == 500
    assert client.read(other).status == 200


def test_a_swallowed_read_is_no_poll_but_an_accepted_one_is(client, state):
    item = client.start("fails")
    rule = {"operation": "status", "kind": "status", "status": 503, "times": 2}
    script(client, {**rule, "accept": False}, {**rule, "accept": True})
    for _ in range(4):
        assert client.read(item).status == 503
    assert state.ledger.status_reads(item) == 2
    assert client.read(item).json()["status"] == "failed"


def test_probability_is_seeded_and_repeats(client):
    rule = {"operation": "execute", "kind": "status", "status": 500, "probability": 0.3, "seed": 7}

    def luck() -> list[int]:
        client.call("PUT", "/_emulator/faults", [rule])
        return [client.execute("fails").status for _ in range(200)]

    first = luck()
    assert first == luck()
    assert 40 <= first.count(500) <= 80
    rule["seed"] = 8
    assert luck() != first


def test_rules_are_tried_in_order_listed_and_cleared(client):
    script(client, {"operation": "token", "kind": "status", "status": 500, "times": 1})
    listed = script(client, {"operation": "*", "kind": "hang", "probability": 0, "seed": 3})
    assert listed["rules"] == [
        {
            "id": 1,
            "operation": "token",
            "kind": "status",
            "status": 500,
            "headers": {},
            "accept": False,
            "times": 1,
            "matched": 0,
            "fired": 0,
        },
        {
            "id": 2,
            "operation": "*",
            "kind": "hang",
            "seconds": 3600.0,
            "accept": False,
            "probability": 0.0,
            "seed": 3,
            "matched": 0,
            "fired": 0,
        },
    ]
    assert client.mint().status == 500
    assert client.mint().status == 200
    cleared = client.call("DELETE", "/_emulator/faults").json()
    assert cleared == {"rules": [], "fired": 0}


def test_control_endpoints_are_never_struck(client):
    script(client, {"operation": "*", "kind": "status", "status": 500})
    assert client.call("GET", "/_emulator/health").status == 200


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({}, "body"),
        ([7], "[0]"),
        ([{"operation": "execute"}], "[0].kind"),
        ([{"kind": "explode"}], "[0].kind"),
        ([{"kind": "reset", "operation": "delete"}], "[0].operation"),
        ([{"kind": "status"}], "[0].status"),
        ([{"kind": "status", "status": 99}], "[0].status"),
        ([{"kind": "html", "status": 204}], "[0].status"),
        ([{"kind": "redirect", "status": 200}], "[0].status"),
        ([{"kind": "reset", "status": 500}], "[0].status"),
        ([{"kind": "reset"}, {"kind": "reset", "times": 0}], "[1].times"),
        ([{"kind": "reset", "probability": 1.5}], "[0].probability"),
        ([{"kind": "reset", "seed": "x"}], "[0].seed"),
        ([{"kind": "reset", "accept": 1}], "[0].accept"),
        ([{"kind": "drop_after_accept", "accept": False}], "[0].accept"),
        ([{"kind": "hang", "seconds": -1}], "[0].seconds"),
        ([{"kind": "huge", "bytes": "many"}], "[0].bytes"),
        ([{"kind": "status", "status": 429, "headers": {"A": 1}}], "[0].headers.A"),
        ([{"kind": "status", "status": 429, "headers": {"A": "b\r\nC: d"}}], "[0].headers.A"),
        ([{"kind": "status", "status": 429, "headers": []}], "[0].headers"),
        ([{"kind": "reset", "aop_id": "no_such"}], "[0].aop_id"),
        ([{"kind": "null_run_id", "operation": "token"}], "[0].operation"),
    ],
)
def test_a_wrong_rule_is_400_names_the_field_and_adds_nothing(client, rules, field):
    reply = client.call("POST", "/_emulator/faults", rules)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert client.call("GET", "/_emulator/faults").json()["rules"] == []


@pytest.mark.parametrize("kind", [*FaultKind, *LeenaFaultKind])
@pytest.mark.parametrize("operation", ["token", "execute", "status"])
def test_every_kind_strikes_every_operation(client, kind, operation):
    item = client.start("never_ends")
    if kind is LeenaFaultKind.NULL_RUN_ID and operation != "execute":
        return
    extra = {"status": 503} if kind is FaultKind.STATUS else {}
    script(client, {"operation": operation, "kind": kind, "times": 1, **extra})
    auth = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    basic = {**auth, "Authorization": "Basic ZGVtby1jbGllbnQ6ZGVtby1zZWNyZXQ="}
    user = b'{"username": "demo-user", "password": "demo-password", "grant_type": "password"}'
    if operation == "token":
        delivery = client.deliver("POST", "/api/v1.0/oauth/token", user, basic)
    elif operation == "execute":
        delivery = deliver_execute(client)
    else:
        delivery = client.deliver("GET", f"/api/v1/external/aop/items/{item}/status", b"", auth)
    assert fired(client) == [1]
    is_plain = isinstance(delivery, Reply) and delivery.status == 200
    assert not is_plain or kind in {
        "html",
        "empty",
        "broken_json",
        "wrong_types",
        "extra_fields",
        "null_run_id",
        "revoke_token",
    }
