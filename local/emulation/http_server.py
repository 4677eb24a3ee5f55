"""The sockets: reads requests, writes answers, and misbehaves on the wire when told to.

HTTP/1.1 with keep-alive, one daemon thread per connection. It knows no endpoint.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from local.emulation.errors import RequestRefused
from local.emulation.messages import (
    MAXIMUM_BODY_BYTES,
    Delivery,
    Hangup,
    Reply,
    Request,
    Reset,
    Silence,
    StreamedReply,
    json_reply,
    refusal_reply,
)

_IDLE_CONNECTION_SECONDS = 300.0
_MAXIMUM_DRAINED_BYTES = 64 * 1024 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class EmulatorServer(ThreadingHTTPServer):
    """Serves what `answer` gives until `stop`; `service_name` is its Server header."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[Request], Delivery],
        *,
        service_name: str,
        verbose: bool,
    ) -> None:
        self.answer = answer
        self.service_name = service_name
        self.verbose = verbose
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def stop(self) -> None:
        """Ends `serve_forever` and cuts every open connection, hanging ones too."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._connections_lock:
            connections = list(self._connections)
        for connection in connections:
            _cut(connection)

    def server_bind(self) -> None:
        # Not HTTPServer's: it looks up the host's full name, which can take seconds offline.
        TCPServer.server_bind(self)
        host, port = self.socket.getsockname()[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # its names
        """A client that went away is nothing to report; anything else is, by its type alone."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"connection failed: {type(error).__name__}", file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_CONNECTION_SECONDS

    def _serve(self) -> None:
        try:
            request = self._read_request()
        except RequestRefused as refusal:
            self.close_connection = True
            self._deliver(refusal_reply(refusal))
            return
        self._deliver(self._emulator.answer(request))

    # The base class calls a method named after the HTTP verb.
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    @property
    def _emulator(self) -> EmulatorServer:
        return cast(EmulatorServer, self.server)

    def _read_request(self) -> Request:
        try:
            parts = urlsplit(self.path)
        except ValueError as exc:
            raise RequestRefused(400, "The request target is no URL") from exc
        return Request(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )

    def _read_body(self) -> bytes:
        """Raises RequestRefused 400, 411 or 413."""
        if "transfer-encoding" in self.headers:
            raise RequestRefused(411, "Send the body with a Content-Length, not chunked")
        declared = self.headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            raise RequestRefused(400, "Content-Length is not a number")
        length = int(declared)
        if length > MAXIMUM_BODY_BYTES:
            self._drain(length)
            raise RequestRefused(413, f"Body of {length} bytes > {MAXIMUM_BODY_BYTES} bytes")
        body = self.rfile.read(length)
        if len(body) < length:
            raise RequestRefused(400, "Body is shorter than its Content-Length")
        return body

    def _drain(self, length: int) -> None:
        """Reads what the client is still sending, so that it sees the answer and not a reset."""
        left = min(length, _MAXIMUM_DRAINED_BYTES)
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                return
            left -= len(piece)

    def _deliver(self, delivery: Delivery) -> None:
        match delivery:
            case Reply():
                self._write(delivery)
            case StreamedReply():
                self._stream(delivery)
            case Silence():
                self._keep_silent(delivery)
            case Hangup():
                self.close_connection = True
            case Reset():
                self._reset_connection()
        self._log(delivery)

    def _write(self, reply: Reply) -> None:
        head = self._head(reply.status, len(reply.body), reply.content_type, reply.headers)
        # One send for head and body: two would wait for each other's acknowledgement.
        self.wfile.write(head if self.command == "HEAD" else head + reply.body)

    def _stream(self, reply: StreamedReply) -> None:
        self.wfile.write(
            self._head(reply.status, reply.length_bytes, "application/json", reply.headers)
        )
        for piece in reply.pieces:
            if self._emulator.stopping.wait(reply.pause_seconds):
                return
            self.wfile.write(piece)

    def _head(self, status: int, length: int, content_type: str, headers: Any) -> bytes:
        phrase = self.responses[status][0] if status in self.responses else "Scripted"
        fields = {
            "Server": self._emulator.service_name,
            "Date": self.date_time_string(),
            "Content-Type": content_type,
            "Content-Length": str(length),
            **headers,
        }
        if self.close_connection:
            fields["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{key}: {fields[key]}" for key in fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _keep_silent(self, silence: Silence) -> None:
        """Ends early when the client goes away or the emulator stops."""
        if not self._is_left_alone_for(silence.seconds) or silence.reply is None:
            self.close_connection = True
        else:
            self._write(silence.reply)

    def _is_left_alone_for(self, seconds: float) -> bool:
        """Waits; false as soon as the connection is closed."""
        self.connection.settimeout(max(seconds, 0.001))
        try:
            is_closed = self.connection.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            if self.connection.fileno() >= 0:
                self.connection.settimeout(self.timeout)
        if is_closed:
            return False
        # The client sent its next request ahead; only the time is left to wait for.
        return not self._emulator.stopping.wait(seconds)

    def _reset_connection(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # Detached and closed by hand: the base class would first end the stream in good order.
        socket.close(self.connection.detach())

    def _log(self, delivery: Delivery) -> None:
        if not self._emulator.verbose:
            return
        status = getattr(delivery, "status", None)
        outcome = str(status) if status else type(delivery).__name__.lower()
        path = self.path.partition("?")[0]
        print(f"{self.command} {ascii(path)[1:-1]} {outcome}", file=sys.stderr, flush=True)

    def send_error(
        self,
        code: int,
        message: str | None = None,  # noqa: ARG002  # could quote the request
        explain: str | None = None,  # noqa: ARG002
    ) -> None:
        """What the base class refuses by itself (a bad request line, a strange verb), as JSON."""
        self.close_connection = True
        phrase = self.responses[code][0] if code in self.responses else "Error"
        self.command = self.command or "-"
        self._write(json_reply(int(code), {"message": phrase}))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Silent: the base class would write paths with their query to stderr."""


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # Closed already, which is what was wanted.
