"""A connection, its credentials, and an HTTP side that answers with scripted bytes."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import requests
import urllib3
from requests.adapters import HTTPAdapter

from agentruns.adapters.http import JsonHttp
from agentruns.adapters.leena import LeenaHttpApi
from agentruns.providers import LeenaConnection, LeenaCredentials
from agentruns.secret import Secret

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ITEM = "69e90f247276b2fa8f2766e0"
TOKEN = Secret("eyJ.token-canary.sig")
CREDENTIALS = LeenaCredentials(
    client_id="client-canary",
    client_secret=Secret("secret canary/ü"),
    username="user-canary",
    password=Secret("password:canary"),
)
CONNECTION = LeenaConnection(
    tenant="default",
    name="main",
    region="us-east-1",
    auth_url="https://us-east-1-acl.leena.ai",
    api_url="https://us-east-1-aic.leena.ai",
    created_at=NOW,
    updated_at=NOW,
)


class ScriptedAdapter(HTTPAdapter):
    """Answers every request alike, without a socket, and keeps what was asked."""

    def __init__(
        self, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        super().__init__()
        self.reply = (status, headers or {}, body)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request, *args, **kwargs):
        self.requests.append(request)
        status, headers, body = self.reply
        raw = urllib3.HTTPResponse(
            body=io.BytesIO(body),
            headers=headers,
            status=status,
            preload_content=False,
            decode_content=False,
        )
        return self.build_response(request, raw)


def api_answering(adapter: HTTPAdapter) -> LeenaHttpApi:
    return LeenaHttpApi(
        JsonHttp(allow_private_networks=False, clock=lambda: NOW, adapter_factory=lambda: adapter)
    )
