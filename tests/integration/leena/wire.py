"""A server on loopback that does with each connection what a test says, and keeps the requests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Script = Callable[[socket.socket], None]


def read_request(peer: socket.socket) -> bytes:
    """One request with its body; empty where the client closed before."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = peer.recv(65536)
        if not chunk:
            return received
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class WireServer:
    """Runs `script` in a thread per connection. `requests` holds what `answer` read."""

    def __init__(self, script: Script | None = None) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        self._script = script or self.answer(reply("200 OK", b"{}"))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, *replies: bytes) -> Script:
        """To each request of a connection the next reply, the last one again and again."""

        def script(peer: socket.socket) -> None:
            left = list(replies)
            while request := read_request(peer):
                self.requests.append(request)
                peer.sendall(left.pop(0) if len(left) > 1 else left[0])

        return script

    def answer_and_close(self, *parts: bytes) -> Script:
        def script(peer: socket.socket) -> None:
            self.requests.append(read_request(peer))
            for part in parts:
                peer.sendall(part)

        return script

    def drip(self, prefix: bytes, endless: bytes, pause_seconds: float) -> Script:
        """After the request `prefix` at once, then `endless` again and again."""

        def script(peer: socket.socket) -> None:
            self.requests.append(read_request(peer))
            peer.sendall(prefix)
            while not self.stopping.is_set():
                peer.sendall(endless)
                time.sleep(pause_seconds)

        return script

    def use(self, script: Script) -> None:
        self._script = script

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            self._script(peer)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
