"""The emulator without sockets: requests go straight to the route table, on a turned clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from local.emulation.messages import Delivery, Reply, Request
from local.leap_emulator.ledger import WebhookOutcome
from local.leap_emulator.routes import answer
from local.leap_emulator.settings import EmulatorSettings
from local.leap_emulator.state import EmulatorState
from local.leap_emulator.webhook_plan import Shipment
from local.leap_emulator.webhook_sender import Receipt

HOOK = "http://127.0.0.1:9/hooks/leap/run_1.mac"


class TurnedClock:
    def __init__(self) -> None:
        self.now = datetime(2026, 4, 22, 15, 50, 55, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Receiver:
    """Stands in for the network: keeps what it is sent; `answers` are the statuses it gives."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers: list[int] = []
        self.on_receive: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def send(self, url: str, shipment: Shipment, *, timeout_seconds: float) -> Receipt:
        self.on_receive()
        with self._lock:
            self.bodies.append(shipment.body)
            status = self.answers.pop(0) if self.answers else 200
        return Receipt(outcome=WebhookOutcome.ANSWERED, response_status=status)

    @property
    def documents(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]


class Client:
    """Calls the emulator as HTTP would, and reads JSON answers."""

    def __init__(self, state: EmulatorState, clock: TurnedClock) -> None:
        self.state = state
        self.clock = clock
        self.headers = {"x-api-key": "demo-key", "content-type": "application/json"}

    def deliver(self, method: str, path: str, document: Any = None, **headers: str) -> Delivery:
        path, _, query = path.partition("?")
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return answer(
            self.state,
            Request(
                method=method,
                path=path,
                query=dict(parse_qsl(query)),
                headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}},
                body=b"" if document is None else body,
            ),
        )

    def call(self, method: str, path: str, document: Any = None, **headers: str) -> Reply:
        delivery = self.deliver(method, path, document, **headers)
        assert isinstance(delivery, Reply), delivery
        return delivery

    def start(self, workflow_id: str = "wkf_completes", **fields: Any) -> Any:
        """The run object of a start in the dialect of the published clients."""
        reply = self.call("POST", "/v1/runs", {"workflow_id": workflow_id, **fields})
        assert reply.status == 200, reply.body
        return reply.json()

    def read(self, run_id: str) -> Any:
        reply = self.call("GET", f"/v1/runs/{run_id}")
        assert reply.status == 200, reply.body
        return reply.json()

    def faults(self, *rules: Any) -> None:
        reply = self.call("POST", "/_emulator/faults", list(rules))
        assert reply.status == 200, reply.body

    def turn(self, seconds: float) -> None:
        """Turns the clock, and announces whatever has ended."""
        self.clock.turn(seconds)
        self.state.webhooks.announce_due()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def state(clock: TurnedClock, receiver: Receiver) -> Iterator[EmulatorState]:
    state = EmulatorState(clock=clock, settings=EmulatorSettings(), sender=receiver)
    state.base_url = "http://127.0.0.1:8086"
    yield state
    state.webhooks.stop()


@pytest.fixture
def client(state: EmulatorState, clock: TurnedClock) -> Client:
    return Client(state, clock)
