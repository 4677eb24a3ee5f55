"""`/v1/agents` through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.driver import AGENT, Api


def test_put_answers_the_agent_with_its_defaults(ready: Api):
    answer = ready.call("PUT", "/v1/agents/hr", AGENT)
    assert answer.status == 200
    assert answer.json == {
        "agent_role": "hr",
        "adapter": {"type": "leena_aop", "connection": "acme", "aop_id": "it_support"},
        "enabled": True,
        "retry": {"max_attempts": 1, "backoff_seconds": 30},
        "timeout_seconds": 86_400,
        "on_start_unknown": "hold",
        "detection": {"relative_delay": 0.25},
        "on_approval_expired": "fail",
        "system_prompt": "",
        "model": "",
        "max_turns": None,
        "skills": [],
        "created_at": "2026-01-02T12:00:00Z",
        "updated_at": "2026-01-02T12:00:00Z",
    }


def test_every_setting_is_stored(ready: Api):
    settings: dict[str, Any] = {
        "enabled": False,
        "retry": {"max_attempts": 3, "backoff_seconds": 0},
        "timeout_seconds": 60,
        "on_start_unknown": "fail",
        "detection": {"max_delay_seconds": 30},
        "system_prompt": "You write.",
        "model": "claude",
        "max_turns": 12,
    }
    ready.call("PUT", "/v1/agents/hr", AGENT | settings)
    answer = ready.call("GET", "/v1/agents/hr")
    assert {name: answer.json[name] for name in settings} == settings


def adapter(**change: Any) -> dict[str, Any]:
    return {"adapter": AGENT["adapter"] | change}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "adapter"),
        (adapter(connection="nobody"), "adapter.connection"),
        (adapter(connection="a/b"), "adapter.connection"),
        (adapter(type="leap"), "adapter.type"),
        (adapter(aop_id="../../admin"), "adapter.aop_id"),
        (adapter(aop_id="a" * 129), "adapter.aop_id"),
        (adapter(aop_id="a\n"), "adapter.aop_id"),
        (adapter(url="https://example.com"), "adapter.url"),
        (AGENT | {"retry": {"max_attempts": 0}}, "retry.max_attempts"),
        (AGENT | {"retry": {"max_attempts": 11}}, "retry.max_attempts"),
        (AGENT | {"retry": {"max_attempts": "3"}}, "retry.max_attempts"),
        (AGENT | {"retry": {"max_attempts": True}}, "retry.max_attempts"),
        (AGENT | {"retry": {"backoff_seconds": 86_401}}, "retry.backoff_seconds"),
        (AGENT | {"timeout_seconds": 59}, "timeout_seconds"),
        (AGENT | {"timeout_seconds": 2_592_001}, "timeout_seconds"),
        (AGENT | {"on_start_unknown": "hope"}, "on_start_unknown"),
        (AGENT | {"detection": {}}, "detection"),
        (AGENT | {"detection": {"relative_delay": 0.1, "max_delay_seconds": 9}}, "detection"),
        (AGENT | {"detection": {"relative_delay": 0}}, "detection.relative_delay"),
        (AGENT | {"detection": {"relative_delay": 1.1}}, "detection.relative_delay"),
        (AGENT | {"detection": {"max_delay_seconds": 0}}, "detection.max_delay_seconds"),
        (AGENT | {"detection": {"max_delay_seconds": 3601}}, "detection.max_delay_seconds"),
        (AGENT | {"enabled": "yes"}, "enabled"),
        (AGENT | {"system_prompt": 1}, "system_prompt"),
        (AGENT | {"instructions": "x"}, "instructions"),
        (AGENT | {"max_turns": 0}, "max_turns"),
        (AGENT | {"auth": {"value": "x"}}, "auth"),
    ],
)
def test_a_wrong_field_is_named(ready: Api, body: dict[str, Any], field: str):
    answer = ready.call("PUT", "/v1/agents/hr", body)
    assert (answer.status, answer.fields) == (422, [field])


def test_list_get_and_delete(ready: Api):
    ready.call("PUT", "/v1/agents/hr", AGENT)
    roles = [item["agent_role"] for item in ready.call("GET", "/v1/agents").json["items"]]
    assert roles == ["hr", "it_support"]
    assert ready.call("DELETE", "/v1/agents/hr").status == 204
    assert ready.call("GET", "/v1/agents/hr").status == 404
    assert ready.call("DELETE", "/v1/agents/hr").status == 404


# Agents of one's own, called at their URL.

OWN = {"adapter": {"type": "webhook", "url": "https://agents.example/copywriter"}}


def stored_secret(api: Api, role: str = "copywriter") -> dict[str, Any]:
    return dict(api.secrets.get(f"agentruns/test/agents/default/{role}") or {})


def test_an_agent_of_one_s_own_gets_a_signing_secret_that_is_shown_once(ready: Api):
    first = ready.call("PUT", "/v1/agents/copywriter", OWN)
    assert first.status == 200
    assert first.json["adapter"] == OWN["adapter"]
    assert first.json["signing_secret"].startswith("whsec_")
    assert stored_secret(ready)["signing_secrets"] == [first.json["signing_secret"]]

    assert ready.call("PUT", "/v1/agents/copywriter", OWN).json.get("signing_secret") is None
    assert "signing_secret" not in ready.call("GET", "/v1/agents/copywriter").json


def test_rotating_keeps_the_secret_before(ready: Api):
    first = ready.call("PUT", "/v1/agents/copywriter", OWN).json["signing_secret"]
    path = "/v1/agents/copywriter/signing-secret"
    second = ready.call("POST", path).json["signing_secret"]
    assert stored_secret(ready)["signing_secrets"] == [second, first]
    third = ready.call("POST", path).json["signing_secret"]
    assert stored_secret(ready)["signing_secrets"] == [third, second]


def test_nothing_is_signed_for_an_aop(ready: Api):
    answer = ready.call("POST", "/v1/agents/it_support/signing-secret")
    assert (answer.status, answer.fields) == (422, ["agent_role"])


def test_its_header_is_kept_as_a_secret_until_it_is_removed(ready: Api):
    auth = {"header": "X-Team", "value": "CANARY-header"}
    stored = ready.call("PUT", "/v1/agents/copywriter", OWN | {"auth": auth})
    assert "CANARY" not in stored.text
    assert stored_secret(ready)["auth_value"] == "CANARY-header"

    ready.call("PUT", "/v1/agents/copywriter", OWN | {"model": "large"})
    assert stored_secret(ready)["auth_header"] == "X-Team"
    ready.call("PUT", "/v1/agents/copywriter", OWN | {"auth": None})
    assert set(stored_secret(ready)) == {"signing_secrets"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"adapter": {"type": "webhook"}}, "adapter.url"),
        ({"adapter": {"type": "webhook", "url": "http://agents.example"}}, "adapter.url"),
        ({"adapter": {"type": "webhook", "url": "https://10.0.0.1/x"}}, "adapter.url"),
        ({"adapter": {"type": "webhook", "url": "ftp://agents.example"}}, "adapter.url"),
        (OWN | {"auth": {"header": "X Y", "value": "v"}}, "auth.header"),
        (OWN | {"auth": {"header": "webhook-id", "value": "v"}}, "auth.header"),
        (OWN | {"auth": {"header": "Host", "value": "v"}}, "auth.header"),
        (OWN | {"auth": {"value": "a\r\nX: y"}}, "auth.value"),
        (OWN | {"auth": {}}, "auth.value"),
    ],
)
def test_a_wrong_field_of_one_s_own_agent_is_named(ready: Api, body: Any, field: str):
    answer = ready.call("PUT", "/v1/agents/copywriter", body)
    assert (answer.status, answer.fields) == (422, [field])
    assert stored_secret(ready) == {}


def roles(ready: Api) -> list[str]:
    return [each["agent_role"] for each in ready.call("GET", "/v1/agents").json["items"]]


def test_both_spellings_are_one_role(ready: Api):
    assert ready.call("PUT", "/v1/agents/blog-writer", OWN).status == 200
    replaced = ready.call("PUT", "/v1/agents/blog_writer", OWN | {"enabled": False})
    assert (replaced.status, replaced.json["agent_role"]) == (200, "blog-writer")
    assert "signing_secret" not in replaced.json, "it has the one that it was created with"

    found = ready.call("GET", "/v1/agents/blog_writer")
    assert (found.json["agent_role"], found.json["enabled"]) == ("blog-writer", False)
    assert "blog_writer" not in roles(ready)
    rotated = ready.call("POST", "/v1/agents/blog_writer/signing-secret")
    assert (rotated.status, rotated.json["agent_role"]) == (200, "blog-writer")
    assert ready.call("DELETE", "/v1/agents/blog_writer").status == 204
    assert "blog-writer" not in roles(ready)
    assert stored_secret(ready) == {}


def test_deleting_it_deletes_its_secret(ready: Api):
    ready.call("PUT", "/v1/agents/copywriter", OWN)
    assert ready.call("DELETE", "/v1/agents/copywriter").status == 204
    assert stored_secret(ready) == {}


def test_work_names_its_role_never_its_url(ready: Api):
    answer = ready.call("POST", "/v1/activities", {"adapter": OWN["adapter"], "message": "x"})
    assert (answer.status, answer.fields) == (422, ["adapter.type"])
    assert "agent_role" in answer.text
