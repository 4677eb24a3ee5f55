"""The three documented endpoints: every answer and every error of the guide."""

from __future__ import annotations

import json
import re

import jwt
import pytest

OBJECT_ID = re.compile(r"[0-9a-f]{24}")
NAIVE_MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
GOOD_BODY = {"username": "demo-user", "password": "demo-password", "grant_type": "password"}
EXECUTE = "/api/v1/external/aop/execute"


def test_a_token_answer_has_the_four_documented_fields(visitor):
    reply = visitor.mint()
    assert reply.status == 200
    document = reply.json()
    assert sorted(document) == ["access_token", "expires_in", "refresh_token", "token_type"]
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 3600)


def test_the_access_token_is_an_hs256_jwt_with_the_scope_and_the_expiry(visitor, clock):
    token = visitor.mint().json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert claims["scope"] == "aic.aop_execute"
    assert claims["exp"] == clock.now.timestamp() + 3600


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**GOOD_BODY, "password": "wrong"}, 401),
        ({**GOOD_BODY, "username": "wrong"}, 401),
        ({**GOOD_BODY, "grant_type": "client_credentials"}, 400),
        ({**GOOD_BODY, "grant_type": "refresh_token"}, 400),
        ({"username": "demo-user", "password": "demo-password"}, 400),
        ({"username": "demo-user", "grant_type": "password"}, 400),
        ({**GOOD_BODY, "username": 7}, 400),
        ({**GOOD_BODY, "username": "\ud800"}, 401),
        (["not", "an", "object"], 400),
    ],
)
def test_a_wrong_token_body_is_refused_with_a_message(visitor, body, status):
    reply = visitor.mint(body)
    assert reply.status == status
    assert list(reply.json()) == ["message"]


@pytest.mark.parametrize("basic", ["demo-client:wrong", "wrong:demo-secret", "no-colon", ":"])
def test_a_wrong_client_is_401(visitor, basic):
    reply = visitor.mint(basic=basic)
    assert reply.status == 401
    assert reply.json() == {"message": "Invalid client credentials"}


@pytest.mark.parametrize("header", ["", "Bearer abc", "Basic", "Basic %%%", "Basic /w=="])
def test_a_missing_or_garbled_client_authentication_is_401(visitor, header):
    reply = visitor.call("POST", "/api/v1.0/oauth/token", GOOD_BODY, {"Authorization": header})
    assert reply.status == 401


def test_a_form_body_is_400(visitor):
    good = {"Authorization": "Basic ZGVtby1jbGllbnQ6ZGVtby1zZWNyZXQ="}
    form = b"username=demo-user&password=demo-password&grant_type=password"
    for media_type in ("application/x-www-form-urlencoded", "", "text/plain"):
        reply = visitor.deliver(
            "POST", "/api/v1.0/oauth/token", form, {**good, "Content-Type": media_type}
        )
        assert reply.status == 400
        assert reply.json() == {"message": "Content-Type must be application/json"}


def test_execute_answers_ids_of_24_hex_digits_and_accepted(client):
    document = client.execute("it_support_ticket_creation").json()
    assert sorted(document) == ["aop_item_id", "request_id", "run_id", "status"]
    assert OBJECT_ID.fullmatch(document["aop_item_id"])
    assert OBJECT_ID.fullmatch(document["request_id"])
    assert re.fullmatch(r"ID_\d{6}", document["run_id"])
    assert document["status"] == "accepted"


def test_an_aop_is_found_by_its_object_id_too(client, state):
    object_id = state.aops.get("fails").object_id
    assert OBJECT_ID.fullmatch(object_id)
    client.start(object_id)
    assert state.ledger.executes()[0].item.aop_id == "fails"


def test_message_and_context_default_to_empty(client, state):
    client.start("fails")
    entry = state.ledger.executes()[0]
    assert (entry.message_to_start, entry.context) == ("", {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"{}",
        b'{"aop_id": 7}',
        b'{"aop_id": ""}',
        b'{"aop_id": null}',
        b'{"aop_id": "fails", "context": []}',
        b'{"aop_id": "fails", "context": null}',
        b'{"aop_id": "fails", "context": {"n": NaN}}',
        b'{"aop_id": "fails", "message_to_start": 1}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_an_invalid_execute_body_is_400_and_starts_nothing(client, state, body):
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    reply = client.deliver("POST", EXECUTE, body, headers)
    assert reply.status == 400
    assert list(reply.json()) == ["message"]
    assert state.ledger.executes() == []


def test_an_aop_that_cannot_be_executed_is_400(client):
    reply = client.execute("cannot_be_executed")
    assert (reply.status, reply.json()) == (400, {"message": "AOP cannot be executed"})


def test_an_unknown_aop_is_404(client):
    for aop_id in ("no_such_aop", "0" * 24):
        reply = client.execute(aop_id)
        assert (reply.status, reply.json()) == (404, {"message": "AOP identifier not found"})


def test_a_status_answer_has_the_five_documented_fields(client, clock):
    item = client.start("completes_at_once")
    clock.turn(1.5)
    assert client.read(item).json() == {
        "aop_item_id": item,
        "reference_id": "RPT000001",
        "status": "completed",
        "initiated_at": "2026-04-22T15:50:55.000000",
        "completed_at": "2026-04-22T15:50:55.000000",
    }


def test_completed_at_is_null_until_the_end_and_then_stays(client, clock):
    item = client.start("completes_after_3_polls")
    clock.turn(10)
    assert [client.read(item).json()["completed_at"] for _ in range(3)] == [None] * 3
    completed_at = client.read(item).json()["completed_at"]
    assert NAIVE_MICROSECONDS.fullmatch(completed_at)
    clock.turn(10)
    assert client.read(item).json()["completed_at"] == completed_at


@pytest.mark.parametrize("item", ["short", "g" * 24, "0" * 25, "%20"])
def test_a_malformed_item_id_is_400(client, item):
    assert client.read(item).status == 400


def test_an_unknown_item_is_404(client):
    assert client.read("0" * 24).status == 404


def test_no_token_is_401_with_a_message(visitor):
    for header in ("", "Bearer", "Bearer not.a.jwt", "Basic ZGVtbw=="):
        headers = {"Authorization": header}
        assert visitor.call("POST", EXECUTE, {"aop_id": "fails"}, headers).status == 401
        status = visitor.call("GET", f"/api/v1/external/aop/items/{'0' * 24}/status", None, headers)
        assert status.status == 401
        assert list(status.json()) == ["message"]


def test_forged_tokens_are_401(client):
    claims = jwt.decode(client.token, options={"verify_signature": False})
    for forged in (
        jwt.encode(claims, "another key of thirty-two bytes or so", algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        client.token[:-2],
    ):
        client.token = forged
        assert client.execute("fails").status == 401


def test_a_token_expires_after_expires_in_seconds_of_the_clock(visitor, state, clock):
    state.change_settings({"expires_in": 60})
    visitor.log_in()
    clock.turn(59)
    assert visitor.execute("fails").status == 200
    clock.turn(1)
    reply = visitor.execute("fails")
    assert (reply.status, reply.json()) == (401, {"message": "Token has expired"})
    visitor.log_in()
    assert visitor.execute("fails").status == 200


def test_a_token_without_the_scope_is_403_on_both_calls(visitor, state):
    state.change_settings({"scopes": ["aic.read"]})
    visitor.log_in()
    assert visitor.execute("fails").status == 403
    assert visitor.read("0" * 24).status == 403


def test_revoked_tokens_are_401_until_minted_again(client):
    assert client.call("POST", "/_emulator/tokens/revoke").json() == {"revoked": 1}
    assert client.execute("fails").status == 401
    client.log_in()
    assert client.execute("fails").status == 200


def test_no_answer_and_no_entry_quotes_a_credential(client, state):
    client.start("fails")
    shown = json.dumps(state.ledger.as_document()) + repr(state.settings)
    shown += client.call("GET", "/_emulator/settings").body.decode()
    for secret in ("demo-secret", "demo-password", client.token):
        assert secret not in shown
