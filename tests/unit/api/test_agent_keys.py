"""`/v1/agents/{agent_role}/keys`: issued, rotated, revoked, and whom they speak for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agentruns.agent_keys import AgentKeyring, CallingAgent
from agentruns.request_errors import Unauthenticated
from agentruns.secret import Secret
from tests.unit.api.driver import AGENT, Api

KEYS = "/v1/agents/it_support/keys"


def authenticated(api: Api, key: str) -> CallingAgent:
    return AgentKeyring(keys=api.agent_keys, clock=api.clock).authenticate(Secret(key))


def issued(api: Api, path: str = KEYS, **body: Any) -> dict[str, Any]:
    answer = api.call("POST", path, body or None)
    assert answer.status == 201, answer.text
    return dict(answer.json)


def test_a_key_is_shown_once_and_stored_as_its_hash(ready: Api):
    key = issued(ready, name="the runtime")

    assert re.fullmatch(rf"ak_{key['key_id']}_[A-Za-z0-9_-]{{43}}", key["key"])
    assert ready.call("GET", KEYS).json == {
        "items": [
            {
                "key_id": key["key_id"],
                "agent_role": "it_support",
                "name": "the runtime",
                "created_at": "2026-01-02T12:00:00Z",
            }
        ],
        "next_cursor": None,
    }
    assert key["key"] not in repr(ready.agent_keys.list("default", "it_support"))


def test_a_key_speaks_for_its_role_and_tenant(ready: Api):
    key = issued(ready)

    assert authenticated(ready, key["key"]) == CallingAgent(
        tenant="default", role="it_support", key_id=key["key_id"]
    )


def test_rotated_both_work_until_the_old_one_is_revoked(ready: Api):
    old = issued(ready)
    ready.clock.advance(1)
    new = issued(ready)
    listed = [each["key_id"] for each in ready.call("GET", KEYS).json["items"]]
    assert listed == [old["key_id"], new["key_id"]]
    for key in (old, new):
        assert authenticated(ready, key["key"]).role == "it_support"

    assert ready.call("DELETE", f"{KEYS}/{old['key_id']}").status == 204

    with pytest.raises(Unauthenticated):
        authenticated(ready, old["key"])
    assert authenticated(ready, new["key"]).role == "it_support"
    assert ready.call("DELETE", f"{KEYS}/{old['key_id']}").status == 404


def test_a_revoked_key_works_for_a_minute_at_most_where_it_was_just_used(ready: Api):
    keyring = AgentKeyring(keys=ready.agent_keys, clock=ready.clock)
    key = issued(ready)
    keyring.authenticate(Secret(key["key"]))
    ready.call("DELETE", f"{KEYS}/{key['key_id']}")
    ready.clock.advance(59)
    keyring.authenticate(Secret(key["key"]))
    ready.clock.advance(1)
    with pytest.raises(Unauthenticated):
        keyring.authenticate(Secret(key["key"]))


@pytest.mark.parametrize("spelling", ["seo-writer", "seo_writer"])
def test_both_spellings_of_a_role_are_the_same_role(ready: Api, spelling: str):
    ready.call("PUT", "/v1/agents/seo-writer", AGENT)
    path = f"/v1/agents/{spelling}/keys"
    key = issued(ready, path)

    assert key["agent_role"] == "seo-writer"
    assert authenticated(ready, key["key"]).role == "seo-writer"
    assert len(ready.call("GET", path).json["items"]) == 1
    assert ready.call("DELETE", f"{path}/{key['key_id']}").status == 204


@pytest.mark.parametrize("role", ["nobody", "a--b", "../x", "it.support"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_unknown_role_has_no_keys(ready: Api, role: str, method: str):
    answer = ready.call(method, f"/v1/agents/{role}/keys")

    assert answer.status == 404


def test_a_key_of_another_role_or_tenant_is_not_revoked(ready: Api):
    ready.call("PUT", "/v1/agents/hr", AGENT)
    key = issued(ready)
    foreign = ready.key("admin", tenant="other")

    for path, operator_key in (("/v1/agents/hr/keys", ready.key("admin")), (KEYS, foreign)):
        answer = ready.call("DELETE", f"{path}/{key['key_id']}", key=operator_key)
        assert answer.status == 404
    assert authenticated(ready, key["key"]).role == "it_support"


def test_the_keys_of_a_deleted_agent_are_gone_for_good(ready: Api):
    key = issued(ready)
    ready.call("DELETE", "/v1/agents/it_support")
    ready.call("PUT", "/v1/agents/it_support", AGENT)

    with pytest.raises(Unauthenticated):
        authenticated(ready, key["key"])
    assert ready.call("GET", KEYS).json["items"] == []


@pytest.mark.parametrize("body", [{"name": "a\nb"}, {"name": "a" * 101}, {"key": "ak_mine"}])
def test_a_wrong_field_is_named(ready: Api, body: dict[str, Any]):
    answer = ready.call("POST", KEYS, body)

    assert (answer.status, answer.fields) == (422, list(body))


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "x", lambda k: k.upper()])
def test_a_damaged_key_is_not_known(ready: Api, change: Any):
    with pytest.raises(Unauthenticated):
        authenticated(ready, change(issued(ready)["key"]))


def test_an_operator_key_is_no_agent_key_and_the_other_way_round(ready: Api):
    with pytest.raises(Unauthenticated):
        authenticated(ready, ready.key("admin"))
    assert ready.call("GET", "/v1/agents", key=issued(ready)["key"]).status == 401
