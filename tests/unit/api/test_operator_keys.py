"""`/v1/operator-keys`, and what each scope opens."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.api.driver import (
    ACTIVITY,
    AGENT,
    BOOTSTRAP_ARN,
    BOOTSTRAP_KEY,
    CONNECTION,
    SKILL,
    Api,
)

BODY: dict[str, Any] = {"name": "ci", "scopes": ["operate", "read"], "expires_in_days": 30}


def test_a_key_is_shown_once_and_stored_as_its_hash(api: Api):
    answer = api.call("POST", "/v1/operator-keys", BODY)
    assert answer.status == 201
    key, key_id = answer.json["key"], answer.json["key_id"]
    assert re.fullmatch(rf"ark_{key_id}_[A-Za-z0-9_-]{{43}}", key)
    (listed,) = api.call("GET", "/v1/operator-keys").json["items"]
    assert listed == {
        "key_id": key_id,
        "name": "ci",
        "tenant": "default",
        "scopes": ["operate", "read"],
        "created_at": "2026-01-02T12:00:00Z",
        "expires_at": "2026-02-01T12:00:00Z",
    }
    assert key not in repr(api.operator_keys.list("default"))


def test_two_keys_are_never_the_same(api: Api):
    assert api.key("read") != api.key("read")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["platform"]}, "scopes.0"),
        ({"scopes": ["read", "root"]}, "scopes.1"),
        ({"tenant": "Not A Tenant"}, "tenant"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 3651}, "expires_in_days"),
        ({"key": "ark_mine"}, "key"),
    ],
)
def test_a_wrong_field_is_named(api: Api, change: dict[str, Any], field: str):
    answer = api.call("POST", "/v1/operator-keys", {**BODY, **change})
    assert (answer.status, answer.fields) == (422, [field])


def test_an_expired_key_is_not_known(api: Api):
    key = api.call("POST", "/v1/operator-keys", {**BODY, "expires_in_days": 1}).json["key"]
    assert api.call("GET", "/v1/agents", key=key).status == 200
    api.clock.advance(24 * 3600)
    assert api.call("GET", "/v1/agents", key=key).status == 401


def test_a_revoked_key_is_not_known_at_once_where_it_was_revoked(api: Api):
    key = api.key("read")
    assert api.call("GET", "/v1/agents", key=key).status == 200
    assert api.call("DELETE", f"/v1/operator-keys/{key.split('_')[1]}").status == 204
    assert api.call("GET", "/v1/agents", key=key).status == 401


def test_a_key_revoked_elsewhere_works_for_a_minute_at_most(api: Api):
    key = api.key("read")
    assert api.call("GET", "/v1/agents", key=key).status == 200
    api.operator_keys.delete("default", key.split("_")[1])
    api.clock.advance(59)
    assert api.call("GET", "/v1/agents", key=key).status == 200
    api.clock.advance(1)
    assert api.call("GET", "/v1/agents", key=key).status == 401


ROUTES = [
    ("GET", "/v1/connections", None, "read"),
    ("GET", "/v1/connections/acme", None, "read"),
    ("PUT", "/v1/connections/acme", CONNECTION, "admin"),
    ("PUT", "/v1/connections/acme/limits", {"max_concurrent_runs": 2}, "admin"),
    ("POST", "/v1/connections/acme/check", None, "admin"),
    ("DELETE", "/v1/connections/acme", None, "admin"),
    ("GET", "/v1/agents", None, "read"),
    ("GET", "/v1/agents/it_support", None, "read"),
    ("PUT", "/v1/agents/it_support", AGENT, "admin"),
    ("POST", "/v1/agents/it_support/signing-secret", None, "admin"),
    ("DELETE", "/v1/agents/it_support", None, "admin"),
    ("POST", "/v1/agents/it_support/keys", None, "admin"),
    ("GET", "/v1/agents/it_support/keys", None, "admin"),
    ("DELETE", "/v1/agents/it_support/keys/0123456789abcdef", None, "admin"),
    ("GET", "/v1/agents/it_support/health", None, "operate"),
    ("POST", "/v1/agents/it_support/probe", None, "operate"),
    ("PUT", "/v1/skills/seo", SKILL, "admin"),
    ("GET", "/v1/skills", None, "read"),
    ("GET", "/v1/skills/seo", None, "read"),
    ("DELETE", "/v1/skills/seo", None, "admin"),
    ("POST", "/v1/activities", ACTIVITY, "operate"),
    ("GET", "/v1/activities", None, "read"),
    ("GET", "/v1/activities/{activity_id}", None, "read"),
    ("POST", "/v1/activities/{activity_id}/cancel", None, "operate"),
    ("POST", "/v1/activities/{activity_id}/redrive", {"reason": "again"}, "operate"),
    ("POST", "/v1/activities/redrive", {"filter": {}, "reason": "again"}, "operate"),
    ("GET", "/v1/runs/{run_id}", None, "read"),
    ("GET", "/v1/runs/{run_id}/output", None, "read"),
    ("GET", "/v1/runs/{run_id}/events", None, "read"),
    ("GET", "/v1/runs/{run_id}/tool-calls", None, "read"),
    ("POST", "/v1/runs/{run_id}/resolve", {"not_started": True}, "operate"),
    ("GET", "/v1/inbox", None, "read"),
    ("POST", "/v1/approvals/wait_x/decision", {"decision": "approved"}, "operate"),
    ("POST", "/v1/human-tasks/wait_x/resolve", None, "operate"),
    ("POST", "/v1/activities/{activity_id}/comments", {"text": "x"}, "operate"),
    ("GET", "/v1/activities/{activity_id}/comments", None, "read"),
    ("PUT", "/v1/schedules/nightly", {"activity": ACTIVITY}, "admin"),
    ("GET", "/v1/schedules", None, "read"),
    ("GET", "/v1/schedules/nightly", None, "read"),
    ("DELETE", "/v1/schedules/nightly", None, "admin"),
    ("POST", "/v1/operator-keys", BODY, "admin"),
    ("GET", "/v1/operator-keys", None, "admin"),
    ("DELETE", "/v1/operator-keys/0123456789abcdef", None, "admin"),
]


@pytest.mark.parametrize(("method", "path", "body", "needed"), ROUTES)
@pytest.mark.parametrize("scope", ["read", "operate", "admin"])
def test_a_route_opens_for_its_scope_only(
    ready: Api, method: str, path: str, body: Any, needed: str, scope: str
):
    started = ready.started()
    key = ready.key(scope)
    answer = ready.call(method, path.format(**started), body, key=key)
    if scope in {needed, "admin"}:
        assert answer.status not in {401, 403}
    else:
        assert answer.status == 403
        assert answer.json["type"] == "urn:agentruns:problem:scope_denied"
        assert needed in answer.json["detail"]


@pytest.mark.parametrize(("method", "path", "body", "_needed"), ROUTES)
def test_no_route_opens_without_a_key(api: Api, method: str, path: str, body: Any, _needed: str):
    answer = api.call(method, path, body, key=None)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'ApiKey realm="agentruns"'


def test_every_route_stands_in_the_tables_here(api: Api):
    from agentruns.api.app import build_resolver

    resolver = build_resolver(api.services)
    routes = [*resolver._static_routes, *resolver._dynamic_routes]
    for route in routes:
        tested = [
            path
            for method, path, _, _ in ROUTES
            if method == route.method and route.rule.match(path)
        ]
        assert tested, f"{route.method} {route.path}"


def test_only_the_bootstrap_key_makes_keys_for_another_tenant(api: Api):
    admin = api.key("admin")
    answer = api.call("POST", "/v1/operator-keys", {**BODY, "tenant": "other"}, key=admin)
    assert answer.status == 403
    assert "platform" in answer.json["detail"]
    assert api.call("POST", "/v1/operator-keys", {**BODY, "tenant": "other"}).status == 201


def test_keys_of_another_tenant_are_seen_and_revoked_by_the_bootstrap_key_only(api: Api):
    admin, foreign = api.key("admin"), api.key("read", tenant="other")
    path = f"/v1/operator-keys/{foreign.split('_')[1]}"
    query = {"tenant": "other"}
    assert api.call("DELETE", path, key=admin).status == 404
    assert api.call("GET", "/v1/operator-keys", query=query, key=admin).status == 403
    assert len(api.call("GET", "/v1/operator-keys", query=query).json["items"]) == 1
    assert api.call("DELETE", path).status == 204
    assert api.call("GET", "/v1/agents", key=foreign).status == 401


WRONG_KEYS = [
    "",
    " ",
    "wrong",
    BOOTSTRAP_KEY + "x",
    BOOTSTRAP_KEY[:-1],
    BOOTSTRAP_KEY.upper(),
    "ark_0123456789abcdef_" + "x" * 43,
    "ark__" + "x" * 43,
    "ark_../../_" + "x" * 43,
    "ünïcödé",
    "\ud800",
    "x" * 100_000,
]


@pytest.mark.parametrize("key", WRONG_KEYS)
def test_a_wrong_key_is_not_known(api: Api, key: str):
    assert api.call("GET", "/v1/agents", key=key).status == 401


def test_a_key_with_the_right_id_and_another_secret_is_not_known(api: Api):
    key = api.key("read")
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert api.call("GET", "/v1/agents", key=wrong).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "", "ApiKeys"])
def test_another_scheme_is_told_which_to_use(api: Api, scheme: str):
    headers = {"Authorization": f"{scheme} {BOOTSTRAP_KEY}".strip()}
    answer = api.call("GET", "/v1/agents", key=None, headers=headers)
    assert answer.status == 401
    assert "Authorization: ApiKey <operator key>" in answer.json["detail"]


@pytest.mark.parametrize("scheme", ["ApiKey", "apikey", "APIKEY"])
def test_the_scheme_is_read_in_any_case(api: Api, scheme: str):
    headers = {"Authorization": f"{scheme} {BOOTSTRAP_KEY}"}
    assert api.call("GET", "/v1/agents", key=None, headers=headers).status == 200


def test_the_bootstrap_secret_is_read_every_five_minutes(api: Api):
    for _ in range(3):
        api.call("GET", "/v1/agents")
    assert api.secrets.reads.count(BOOTSTRAP_ARN) == 1
    api.secrets.put(BOOTSTRAP_ARN, {"tenant": "default", "key": "another" * 6}, "")
    api.clock.advance(299)
    assert api.call("GET", "/v1/agents").status == 200
    api.clock.advance(1)
    assert api.call("GET", "/v1/agents").status == 401
    assert api.call("GET", "/v1/agents", key="another" * 6).status == 200


@pytest.mark.parametrize(
    "document", [{}, {"tenant": "default"}, {"tenant": "default", "key": ""}, {"key": "x" * 43}]
)
def test_a_damaged_bootstrap_secret_lets_nobody_in(api: Api, document: dict[str, str]):
    api.secrets.put(BOOTSTRAP_ARN, document, "")
    answer = api.call("GET", "/v1/agents", key=document.get("key") or "x" * 43)
    assert answer.status == 500
    assert BOOTSTRAP_ARN not in answer.text
