"""A running emulator on a free loopback port, and a client that keeps connections alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.leena_emulator import LeenaEmulator

AUTH = ("demo-client", "demo-secret")
USER = {"username": "demo-user", "password": "demo-password", "grant_type": "password"}


class Caller:
    """The three calls by `requests`, with a short read timeout."""

    def __init__(self, url: str, timeout_seconds: float = 2.0) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.timeout_seconds = timeout_seconds
        self.headers: dict[str, str] = {}

    def mint(self) -> requests.Response:
        reply = self.session.post(
            f"{self.url}/api/v1.0/oauth/token",
            json=USER,
            auth=AUTH,
            timeout=self.timeout_seconds,
            allow_redirects=False,
        )
        if reply.ok:
            self.headers = {"Authorization": f"Bearer {reply.json()['access_token']}"}
        return reply

    def execute(self, aop_id: str = "fails", **fields: Any) -> requests.Response:
        return self.session.post(
            f"{self.url}/api/v1/external/aop/execute",
            json={"aop_id": aop_id, **fields},
            headers=self.headers,
            timeout=self.timeout_seconds,
            allow_redirects=False,
        )

    def read(self, aop_item_id: str) -> requests.Response:
        return self.session.get(
            f"{self.url}/api/v1/external/aop/items/{aop_item_id}/status",
            headers=self.headers,
            timeout=self.timeout_seconds,
            allow_redirects=False,
        )

    def control(self, method: str, path: str, document: Any = None) -> requests.Response:
        return self.session.request(
            method, f"{self.url}/_emulator/{path}", json=document, timeout=self.timeout_seconds
        )


@pytest.fixture
def leena() -> Iterator[LeenaEmulator]:
    with LeenaEmulator() as emulator:
        yield emulator


@pytest.fixture
def caller(leena: LeenaEmulator) -> Iterator[Caller]:
    caller = Caller(leena.url)
    assert caller.mint().status_code == 200
    yield caller
    caller.session.close()
