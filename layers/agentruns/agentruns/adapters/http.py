"""JSON over HTTP to a provider: one request, one typed result. The only importer of requests.

Not here: retries (the callers' callers own them), redirects, proxies, cookies, .netrc. So requests'
Session is passed by and its HTTPAdapter called directly: a Session keeps cookies, and reads the
whole body of a redirect even where redirects are off, past every cap.

**Where it leads.** Each connection resolves its host once, and goes to an address of that answer
after all of them were found public (`addresses`); a name that leads to a private network gets no
connection at all.

**What a failure means.** `NoAnswer.request_sent` is a fact, not a reading of exception names:
urllib3 raises the same SSLError for a failed handshake and for a broken read, and the same
ProtocolError whether or not the server had the request. So the connection classes below note the
moment at which the first byte of a request is handed to a connected (and, for https, verified)
socket. Before it, nothing can have arrived: refused, DNS, TLS, connect timeout. After it, anything.

**Fresh connections for POST.** A kept-alive connection that the server has closed meanwhile fails
after the request was written, which for a start would be an unknown outcome. So a POST opens its
own connection and closes it. GETs share kept-alive ones, dropped when idle for 15 s.

**Limits.** Connect 3 s per address, 10 s between two reads, 20 s in all once connected: a
timer shuts the socket down, since timeouts per read never end a reply that drips, be it in its
headers or in its body. 1 MiB of body, or what the caller of a GET takes. `Accept-Encoding:
identity`, and an encoded body is refused, not decoded. Name resolution has the resolver's limits.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from agentruns.adapters.addresses import PrivateAddress, connect, resolve
from agentruns.adapters.base_urls import USUAL_PORTS, Ports, validate_url
from agentruns.adapters.json_reply import UnreadableJson, parse_json, retry_after_seconds

if TYPE_CHECKING:
    from agentruns.ports import Clock

CONNECT_SECONDS, READ_SECONDS, DEADLINE_SECONDS = 3.0, 10.0, 20.0
IDLE_SECONDS = 15.0
MAX_BODY_BYTES = 1024 * 1024
CONNECTIONS_PER_HOST = 32
"""Kept alive: as many as the sweeper has threads. Others are closed after their answer."""
_CHUNK_BYTES = 64 * 1024

_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply with a status. `headers` has lower-case names.

    `body` is the document; where `unreadable` says why there is none, `body` is None.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    unreadable: str | None
    retry_after_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """No status came. Not `request_sent`: provably, no byte of the request left this process.

    `reason` names host and failure. The exception itself is left behind: its request object
    carries the Authorization header.
    """

    reason: str
    request_sent: bool


def encode_json(document: Any) -> bytes:
    """What `post` sends of a document, for whoever signs it. ValueError where it is not JSON."""
    try:
        return json.dumps(document, allow_nan=False).encode("ascii")
    except (TypeError, RecursionError) as exc:
        raise ValueError(f"not a JSON document: {exc}") from exc


class JsonHttp:
    """Sends JSON documents to URLs that `validate_url` lets pass. Safe to share by threads.

    With `allow_private_networks` False, a host with a private address is not connected to, nor
    one at a port that is none of `ports`. `adapter_factory` makes requests' transport adapters."""

    def __init__(
        self,
        *,
        allow_private_networks: bool,
        ports: Ports = USUAL_PORTS,
        clock: Clock,
        deadline_seconds: float = DEADLINE_SECONDS,
        read_seconds: float = READ_SECONDS,
        adapter_factory: Callable[[], BaseAdapter] | None = None,
    ) -> None:
        self._allow_private_networks, self._ports = allow_private_networks, ports
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._timeout = (CONNECT_SECONDS, read_seconds)
        self._adapter_factory = adapter_factory or _WatchedAdapter
        self._kept_alive: BaseAdapter | None = None
        self._last_used = 0.0
        self._lock = threading.Lock()

    def get(
        self, url: str, headers: Mapping[str, str], *, largest_body_bytes: int = MAX_BODY_BYTES
    ) -> Answer | NoAnswer:
        """ValueError where `url` is not allowed."""
        request = self._prepare("GET", url, headers, None)
        return self._exchange(self._kept_alive_adapter(), request, largest_body_bytes)

    def post(
        self, url: str, headers: Mapping[str, str], document: Mapping[str, Any]
    ) -> Answer | NoAnswer:
        """ValueError where `url` is not allowed or `document` is not JSON; nothing is sent then."""
        request = self._prepare("POST", url, {**headers, "Connection": "close"}, document)
        adapter = self._adapter_factory()
        try:
            return self._exchange(adapter, request)
        finally:
            adapter.close()

    def reach(self, url: str) -> NoAnswer | None:
        """Connect, check the certificate and hang up, with nothing sent. None, or why it failed;
        ValueError where `url` is not allowed."""
        request = self._prepare("GET", url, {}, None)
        adapter = _WatchedAdapter()
        try:
            with _Watch(self._deadline_seconds, self._allow_private_networks) as watch:
                try:
                    adapter.connect(request)
                except _FAILURES as exc:
                    return NoAnswer(reason=_describe(request, exc, watch), request_sent=False)
        finally:
            adapter.close()
        return None

    def _prepare(
        self, method: str, url: str, headers: Mapping[str, str], document: Any
    ) -> requests.PreparedRequest:
        validate_url(url, self._allow_private_networks, self._ports)
        all_headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "agentruns",
            **headers,
        }
        body: bytes | None = None
        if document is not None:
            all_headers["Content-Type"] = "application/json"
            body = encode_json(document)
        try:
            return requests.Request(method, url, headers=all_headers, data=body).prepare()
        except requests.RequestException:  # its text quotes the header
            raise ValueError("the URL or a header has characters that cannot be sent") from None

    def _kept_alive_adapter(self) -> BaseAdapter:
        """The process's one adapter with a pool; what idled too long is closed, not reused."""
        with self._lock:
            if self._kept_alive is None:
                self._kept_alive = self._adapter_factory()
            now = time.monotonic()
            if now - self._last_used > IDLE_SECONDS:
                self._kept_alive.close()
            self._last_used = now
            return self._kept_alive

    def _exchange(
        self,
        adapter: BaseAdapter,
        request: requests.PreparedRequest,
        largest_body_bytes: int = MAX_BODY_BYTES,
    ) -> Answer | NoAnswer:
        with _Watch(self._deadline_seconds, self._allow_private_networks) as watch:
            try:
                response = adapter.send(request, stream=True, timeout=self._timeout, verify=True)
            except _FAILURES as exc:
                return NoAnswer(reason=_describe(request, exc, watch), request_sent=watch.sent)
            try:
                if watch.expired:  # cut within the headers, which http.client takes as their end
                    return NoAnswer(reason=_describe(request, None, watch), request_sent=True)
                return self._read_answer(response, watch, largest_body_bytes)
            finally:
                response.close()

    def _read_answer(
        self, response: requests.Response, watch: _Watch, largest_body_bytes: int
    ) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        body, unreadable = None, None
        try:
            body = parse_json(_read_body(response, headers, watch, largest_body_bytes))
        except UnreadableJson as exc:
            unreadable = str(exc)
        return Answer(
            status=response.status_code,
            headers=headers,
            body=body,
            unreadable=unreadable,
            retry_after_seconds=retry_after_seconds(headers, self._clock()),
        )


def _read_body(
    response: requests.Response,
    headers: Mapping[str, str],
    watch: _Watch,
    largest_body_bytes: int,
) -> bytes:
    """UnreadableJson where the body is encoded, too large, or does not come to its end."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnreadableJson("the body is encoded, though identity was asked for")
    body = bytearray()
    try:
        while len(body) <= largest_body_bytes:
            chunk = response.raw.read(_CHUNK_BYTES, decode_content=False)
            if not chunk:
                break
            body += chunk
    except _FAILURES as exc:
        raise UnreadableJson(f"the body broke off ({type(exc).__name__})") from None
    if len(body) > largest_body_bytes:
        raise UnreadableJson(f"the body has more than {largest_body_bytes} bytes")
    if watch.expired:
        raise UnreadableJson(f"the body was not complete after {watch.seconds:g} s")
    return bytes(body)


def _describe(request: requests.PreparedRequest, exc: BaseException | None, watch: _Watch) -> str:
    """Host and failure; never the exception's text, which may quote headers."""
    host = (request.url or "").split("/")[2]
    if watch.refusal is not None:
        return f"{host}: {watch.refusal}"
    if exc is None or watch.expired:
        return f"{host}: no answer after {watch.seconds:g} s"
    innermost = exc
    while isinstance(reason := _reason_of(innermost), BaseException):
        innermost = reason
    what = "no answer" if watch.sent else "no connection"
    return f"{host}: {what} ({type(innermost).__name__})"


def _reason_of(exc: BaseException) -> object:
    """What requests and urllib3 wrapped: `MaxRetryError.reason`, else a wrapped exception."""
    reason = getattr(exc, "reason", None)
    return reason if reason is not None else next(iter(exc.args), None)


class _Watch:
    """What one request does to its socket: when it begins to send, and an end at the deadline."""

    def __init__(self, seconds: float, allow_private_networks: bool) -> None:
        self.seconds = seconds
        self.allow_private_networks = allow_private_networks
        self.sent = False
        self.expired = False
        self.refusal: str | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watch:
        self._token = _CURRENT_WATCH.set(self)
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
        _CURRENT_WATCH.reset(self._token)

    def follow(self, connected: socket.socket) -> None:
        """Keep a duplicate of the descriptor: TLS takes the original over before its handshake."""
        with self._lock:
            if self._socket is not None:
                return
            self._socket = socket.fromfd(connected.fileno(), connected.family, connected.type)
            if self.expired:
                _shut_down(self._socket)

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._socket is not None:
                _shut_down(self._socket)


_CURRENT_WATCH: ContextVar[_Watch] = ContextVar("current_watch")


def _shut_down(connected: socket.socket) -> None:
    """End what another thread blocks on: the connection ends with the first of its descriptors."""
    with suppress(OSError):  # the peer was faster
        connected.shutdown(socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    """Tells the current watch about the socket and the first byte sent."""

    def _new_conn(self) -> socket.socket:
        """As urllib3's, with its errors, but every address is judged before the first is tried."""
        watch = _CURRENT_WATCH.get()
        try:
            addresses = resolve(
                self._dns_host.strip("[]"),
                self.port,
                allow_private_networks=watch.allow_private_networks,
            )
            connected = connect(addresses, self.timeout, self.socket_options or ())
        except socket.gaierror as exc:
            raise urllib3.exceptions.NameResolutionError(self.host, self, exc) from exc
        except TimeoutError as exc:
            raise urllib3.exceptions.ConnectTimeoutError(self, "timed out") from exc
        except PrivateAddress as exc:
            watch.refusal = "leads to a private network"
            raise urllib3.exceptions.NewConnectionError(self, watch.refusal) from exc
        except OSError as exc:
            raise urllib3.exceptions.NewConnectionError(self, str(exc)) from exc
        watch.follow(connected)
        return connected

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        watch = _CURRENT_WATCH.get()
        watch.follow(self.sock)
        watch.sent = True
        super().send(data)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS."""


class _WatchedHttpPool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _WatchedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _WatchedAdapter(HTTPAdapter):
    """requests' adapter over watched connections, without any retry of its own."""

    def __init__(self) -> None:
        super().__init__(
            pool_maxsize=CONNECTIONS_PER_HOST,
            max_retries=urllib3.Retry(0, read=False, redirect=False),
        )

    def connect(self, request: requests.PreparedRequest) -> None:
        """Only that: as for a request, which is not sent."""
        pool: Any = self.get_connection_with_tls_context(request, verify=True)
        self.cert_verify(pool, request.url, verify=True, cert=None)  # type: ignore[no-untyped-call]
        connection = pool._new_conn()  # noqa: SLF001  # there is no other door without a request
        connection.timeout = CONNECT_SECONDS
        try:
            connection.connect()
        finally:
            connection.close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _WatchedHttpPool,
            "https": _WatchedHttpsPool,
        }
