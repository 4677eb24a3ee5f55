"""A running emulator, a client of it, and a receiver of its webhooks, all on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from local.leap_emulator import LeapEmulator


class Caller:
    """The calls by `requests`, with a short read timeout."""

    def __init__(self, url: str, timeout_seconds: float = 3.0) -> None:
        self.url = url
        self.timeout_seconds = timeout_seconds
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-Api-Key"] = "demo-key"

    def start(self, workflow_id: str = "wkf_completes", **fields: Any) -> requests.Response:
        return self.call("POST", "v1/runs", {"workflow_id": workflow_id, **fields})

    def call(self, method: str, path: str, document: Any = None) -> requests.Response:
        return self.session.request(
            method,
            f"{self.url}/{path}",
            json=document,
            timeout=self.timeout_seconds,
            allow_redirects=False,
        )


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # a busy machine accepts late; five waiting ones are the default


class HookReceiver:
    """Answers `status` after `seconds`, and keeps what it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.seconds = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the base class's name
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.headers.append({name.lower(): text for name, text in self.headers.items()})
                receiver.bodies.append(body)
                time.sleep(receiver.seconds)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name
                """Silent."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hooks/leap/run_1.mac?x=1"

    @property
    def documents(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def leap() -> Iterator[LeapEmulator]:
    with LeapEmulator() as emulator:
        emulator.define_workflow(
            "wkf_quick", [{"status": "running", "seconds": 0.05}, {"status": "completed"}]
        )
        yield emulator


@pytest.fixture
def caller(leap: LeapEmulator) -> Iterator[Caller]:
    caller = Caller(leap.url)
    yield caller
    caller.session.close()


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    receiver = HookReceiver()
    yield receiver
    receiver.close()
