"""The emulator without sockets: requests go straight to the route table, on a turned clock."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from local.emulation.messages import Delivery, Reply, Request
from local.leena_emulator.routes import answer
from local.leena_emulator.settings import EmulatorSettings
from local.leena_emulator.state import EmulatorState


class TurnedClock:
    def __init__(self) -> None:
        self.now = datetime(2026, 4, 22, 15, 50, 55, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Client:
    """Calls the emulator as HTTP would, and reads JSON answers."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self.token = ""

    def deliver(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Delivery:
        parts = urlsplit(path)
        return answer(
            self.state,
            Request(
                method=method,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={key.lower(): value for key, value in (headers or {}).items()},
                body=body,
            ),
        )

    def call(
        self, method: str, path: str, document: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        body = b"" if document is None else json.dumps(document).encode()
        own = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        delivery = self.deliver(method, path, body, {**own, **(headers or {})})
        assert isinstance(delivery, Reply), delivery
        return delivery

    def mint(self, document: Any = None, *, basic: str = "demo-client:demo-secret") -> Reply:
        default = {"username": "demo-user", "password": "demo-password", "grant_type": "password"}
        encoded = base64.b64encode(basic.encode()).decode()
        return self.call(
            "POST",
            "/api/v1.0/oauth/token",
            default if document is None else document,
            {"Authorization": f"Basic {encoded}"},
        )

    def log_in(self) -> None:
        self.token = self.mint().json()["access_token"]

    def execute(self, aop_id: Any, **fields: Any) -> Reply:
        return self.call("POST", "/api/v1/external/aop/execute", {"aop_id": aop_id, **fields})

    def start(self, aop_id: str, **fields: Any) -> str:
        reply = self.execute(aop_id, **fields)
        assert reply.status == 200, reply.body
        return str(reply.json()["aop_item_id"])

    def read(self, aop_item_id: str) -> Reply:
        return self.call("GET", f"/api/v1/external/aop/items/{aop_item_id}/status")

    def statuses(self, aop_item_id: str, reads: int) -> list[str]:
        return [self.read(aop_item_id).json()["status"] for _ in range(reads)]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def state(clock: TurnedClock) -> EmulatorState:
    return EmulatorState(clock=clock, settings=EmulatorSettings())


@pytest.fixture
def visitor(state: EmulatorState) -> Client:
    """A client without a token."""
    return Client(state)


@pytest.fixture
def client(visitor: Client) -> Client:
    visitor.log_in()
    return visitor
