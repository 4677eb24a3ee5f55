"""Dispatches to agents: what is sent, signed as Standard Webhooks has it, and what answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from agentruns.adapters.agent_webhook import HttpAgentCaller
from agentruns.adapters.http import JsonHttp
from agentruns.agent_ports import AgentCredentials
from agentruns.errors import InvalidRequest, StartUnknown, UpstreamUnavailable
from agentruns.refusals import AgentRefused
from agentruns.secret import Secret
from tests.unit.adapters.leena_samples import ScriptedAdapter

NEW, OLD = "whsec_" + "bmV3" * 8, "whsec_" + "b2xk" * 8
CREDENTIALS = AgentCredentials(
    signing_secrets=(Secret(NEW), Secret(OLD)),
    auth_headers={"Authorization": Secret("Bearer CANARY-auth")},
)
URL = "https://agents.example/copywriter?team=a"
DOCUMENT = {"runId": "run_1", "prompt": "Schreib über VPN", "taskToken": "CANARY.task.token"}


def dispatch(adapter: ScriptedAdapter, url: str = URL) -> None:
    def now() -> datetime:
        return datetime.now(UTC)  # whoever verifies a signature has no other clock

    http = JsonHttp(allow_private_networks=False, clock=now, adapter_factory=lambda: adapter)
    HttpAgentCaller(http, now).dispatch(url, CREDENTIALS, "run_1", DOCUMENT)


def test_a_url_that_is_not_allowed_is_not_connected_to():
    http = JsonHttp(allow_private_networks=False, clock=lambda: datetime.now(UTC))
    with pytest.raises(InvalidRequest, match="must not lead to a private network"):
        HttpAgentCaller(http, lambda: datetime.now(UTC)).reach("https://10.0.0.1/")


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_a_dispatch_is_verified_by_the_new_secret_and_by_the_one_before(secret: str):
    adapter = ScriptedAdapter(202)
    dispatch(adapter)

    sent = adapter.requests[0]
    assert isinstance(sent.body, bytes)
    assert json.loads(sent.body) == DOCUMENT
    assert sent.headers["Authorization"] == "Bearer CANARY-auth"
    assert sent.headers["webhook-id"] == "run_1"
    assert Webhook(secret).verify(sent.body, dict(sent.headers)) == DOCUMENT


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_accepted_whatever_its_body(status: int):
    dispatch(ScriptedAdapter(status, body=b"<html>ok</html>"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, AgentRefused) for status in (301, 302, 307, 400, 401, 403, 404, 410, 422)),
        *((status, UpstreamUnavailable) for status in (429, 503)),
        *((status, StartUnknown) for status in (408, 500, 502, 504)),
    ],
)
def test_every_other_status_has_its_meaning(status: int, error: type[Exception]):
    message = f"said Bearer CANARY-auth CANARY.task.token {NEW}"
    adapter = ScriptedAdapter(status, body=json.dumps({"message": message}).encode())
    with pytest.raises(error) as raised:
        dispatch(adapter)

    assert "CANARY" not in str(raised.value)
    assert NEW not in str(raised.value)
    assert len(adapter.requests) == 1


def test_an_agent_says_how_long_to_wait():
    adapter = ScriptedAdapter(429, {"Retry-After": "17"})
    with pytest.raises(UpstreamUnavailable) as raised:
        dispatch(adapter)
    assert raised.value.retry_after_seconds == 17


@pytest.mark.parametrize(
    "url", ["http://agents.example/x", "https://127.0.0.1/x", "https://169.254.169.254/latest"]
)
def test_a_url_that_is_not_allowed_is_never_called(url: str):
    adapter = ScriptedAdapter()
    with pytest.raises(InvalidRequest, match="not sent"):
        dispatch(adapter, url)
    assert adapter.requests == []
