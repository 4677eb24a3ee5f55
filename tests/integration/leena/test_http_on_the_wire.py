import json
import socket
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from agentruns.adapters.http import Answer, JsonHttp, NoAnswer
from agentruns.adapters.leap import LARGEST_RUN_BYTES, LeapHttpApi
from agentruns.errors import UpstreamUnreadable
from agentruns.providers import LeapConnection, LeapDialect
from agentruns.secret import Secret
from tests.integration.leena.wire import WireServer, read_request, reply


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


def client(*, private: bool = True, deadline: float = 5.0, read: float = 2.0) -> JsonHttp:
    return JsonHttp(
        allow_private_networks=private,
        clock=lambda: datetime(2026, 1, 2, 12, 0, tzinfo=UTC),
        deadline_seconds=deadline,
        read_seconds=read,
    )


def post(url: str, http: JsonHttp | None = None) -> Answer | NoAnswer:
    return (http or client()).post(url, {"Authorization": "Bearer canary"}, {"a": 1})


def unsent(result: Answer | NoAnswer) -> bool:
    assert isinstance(result, NoAnswer), result
    assert "canary" not in result.reason
    return not result.request_sent


def test_a_document_goes_out_and_one_comes_back(server):
    server.use(server.answer(reply("200 OK", b'{"b": [2]}', "X-Seen: yes")))

    result = post(server.url + "/path")

    assert isinstance(result, Answer)
    assert (result.status, result.body, result.unreadable) == (200, {"b": [2]}, None)
    assert result.headers["x-seen"] == "yes"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /path HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept-Encoding: identity",
        "Accept: application/json",
        "Authorization: Bearer canary",
        "Connection: close",
        "Content-Length: 8",
        "Content-Type: application/json",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: agentruns",
    ]
    assert body == b'{"a": 1}'


# Provably not sent.


def test_row_1_a_refused_connection_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    result = post(f"http://127.0.0.1:{port}/")

    assert unsent(result)
    assert result == NoAnswer(
        reason=f"127.0.0.1:{port}: no connection (NewConnectionError)", request_sent=False
    )


def test_row_1_an_unknown_host_sent_nothing(monkeypatch):
    def fail(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    result = post("https://nowhere.example/")

    assert unsent(result)
    assert "nowhere.example: no connection (NameResolutionError)" in str(result)


def test_row_1_a_connect_timeout_sent_nothing():
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill its queue, so that it answers no more SYN
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        started = time.monotonic()

        result = post(f"http://127.0.0.1:{listener.getsockname()[1]}/", client(deadline=20))

    assert unsent(result)
    assert "ConnectTimeoutError" in str(result)
    assert 2.5 < time.monotonic() - started < 4.5


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_row_1_a_failed_tls_handshake_sent_nothing(server, greeting):
    def script(peer):
        peer.recv(65536)
        peer.sendall(greeting)

    server.use(script)

    assert unsent(post(f"https://127.0.0.1:{server.port}/"))


def test_row_9_a_tls_handshake_that_drips_ends_at_the_deadline(server):
    def script(peer):
        for octet in b"\x16\x03\x03\x40\x00" + bytes(1000):
            peer.sendall(bytes([octet]))
            time.sleep(0.1)

    server.use(script)
    started = time.monotonic()

    result = post(f"https://127.0.0.1:{server.port}/", client(deadline=1.0))

    assert unsent(result)
    assert time.monotonic() - started < 2.5


def test_row_23_a_name_that_leads_to_a_private_address_is_not_connected_to(server, monkeypatch):
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [address])

    result = post("https://rebound.example/", client(private=False))

    assert unsent(result)
    assert result == NoAnswer(
        reason="rebound.example: leads to a private network", request_sent=False
    )
    assert server.connections == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://10.0.0.1/", "ftp://a.example/"])
def test_a_url_that_is_not_allowed_is_not_called(url):
    with pytest.raises(ValueError, match="must"):
        client(private=False).get(url, {})


# May have been sent.


def test_row_1_a_connection_closed_after_the_request_may_have_been_taken(server):
    server.use(server.answer_and_close())

    assert not unsent(post(server.url))
    assert len(server.requests) == 1


def test_row_1_a_reset_may_have_been_taken(server):
    def script(peer):
        read_request(peer)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    server.use(script)

    assert not unsent(post(server.url))


def test_row_1_a_connection_closed_before_the_request_is_read_may_have_been_taken(server):
    server.use(lambda peer: None)

    assert not unsent(post(server.url))


def test_row_1_a_read_timeout_may_have_been_taken(server):
    server.use(server.drip(b"", b"", 0.05))
    started = time.monotonic()

    result = post(server.url, client(read=0.3))

    assert not unsent(result)
    assert "ReadTimeoutError" in str(result)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01 what?\r\n\r\n", b"HTTP/1.1 two hundred\r\n\r\n", b"SSH-2.0-x\r\n"]
)
def test_row_8_a_reply_that_is_not_http_may_have_been_taken(server, garbage):
    server.use(server.answer_and_close(garbage))

    assert not unsent(post(server.url))


@pytest.mark.parametrize(
    ("prefix", "endless"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_row_9_headers_that_drip_end_at_the_deadline(server, prefix, endless):
    server.use(server.drip(prefix, endless, 0.05))
    started = time.monotonic()

    result = post(server.url, client(deadline=1.0))

    assert not unsent(result)
    assert time.monotonic() - started < 2.5


# A status came, but no document.


@pytest.mark.parametrize(
    ("prefix", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\n\r\n{", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
)
def test_row_9_a_body_that_drips_ends_at_the_deadline(server, prefix, endless):
    server.use(server.drip(prefix, endless, 0.05))
    started = time.monotonic()

    result = post(server.url, client(deadline=1.0))

    assert isinstance(result, Answer)
    assert (result.status, result.body) == (200, None)
    assert result.unreadable
    assert time.monotonic() - started < 2.5


def test_row_9_a_complete_looking_body_cut_at_the_deadline_is_not_trusted(server):
    server.use(server.drip(b"HTTP/1.1 200 OK\r\n\r\n{}", b" ", 0.05))

    result = post(server.url, client(deadline=0.5))

    assert isinstance(result, Answer)
    assert result.unreadable == "the body was not complete after 0.5 s"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n",
    ],
)
def test_row_9_an_endless_body_is_cut_at_a_mebibyte(server, head):
    server.use(server.drip(head, b"x" * 65536, 0))
    tracemalloc.start()
    started = time.monotonic()

    result = post(server.url)

    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(result, Answer)
    assert result.unreadable == "the body has more than 1048576 bytes"
    assert time.monotonic() - started < 2
    assert peak_bytes < 8 * 1024 * 1024


@pytest.mark.parametrize("extra_bytes", [-1, 0, 1])
def test_the_answer_to_a_look_at_a_workflow_run_has_a_limit_of_its_own(server, extra_bytes):
    run = {"id": "rnp_1", "status": "completed", "workflow_id": "wkf_1", "output": ""}
    run["output"] = "x" * (LARGEST_RUN_BYTES - len(json.dumps(run)) + extra_bytes)
    server.use(server.answer(reply("200 OK", json.dumps(run).encode())))
    now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    connection = LeapConnection(
        tenant="acme",
        name="flows",
        api_url=server.url,
        dialect=LeapDialect.RUNS,
        created_at=now,
        updated_at=now,
    )

    leap = LeapHttpApi(client())
    if extra_bytes > 0:
        with pytest.raises(UpstreamUnreadable, match="the body has more than 5242880 bytes"):
            leap.read_run(connection, Secret("canary"), "rnp_1", is_bulk=False)
    else:
        assert (
            leap.read_run(connection, Secret("canary"), "rnp_1", is_bulk=False).output
            == run["output"]
        )


@pytest.mark.parametrize(
    "body",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ],
)
def test_row_8_a_body_that_breaks_off_keeps_its_status(server, body):
    server.use(server.answer_and_close(body))

    result = post(server.url)

    assert isinstance(result, Answer)
    assert result.status == 200
    assert str(result.unreadable).startswith("the body broke off")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_row_9_an_encoded_body_is_not_decoded(server, encoding):
    server.use(server.answer(reply("200 OK", b"\x1f\x8b" * 50, f"Content-Encoding: {encoding}")))

    result = post(server.url)

    assert isinstance(result, Answer)
    assert "encoded" in str(result.unreadable)


# Redirects, cookies, proxies, connections.


def test_row_10_a_redirect_is_not_followed(server):
    with WireServer() as elsewhere:
        location = f"Location: {elsewhere.url}/stolen"
        server.use(server.answer(reply("302 Found", b"{}", location)))

        results = [post(server.url), client().get(server.url, {"Authorization": "Bearer canary"})]

        assert [result.status for result in results if isinstance(result, Answer)] == [302, 302]
        assert elsewhere.connections == 0


def test_cookies_are_not_kept(server):
    server.use(server.answer(reply("200 OK", b"{}", "Set-Cookie: a=b; Path=/")))
    http = client()

    http.get(server.url, {})
    http.get(server.url, {})

    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


def test_proxies_and_netrc_of_the_environment_are_passed_by(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert isinstance(post(server.url), Answer)
    assert b"Authorization: Bearer canary\r\n" in server.requests[0]


def test_checks_share_a_connection_and_a_start_has_its_own(server):
    http = client()

    for _ in range(3):
        http.get(server.url, {})
    assert server.connections == 1
    for _ in range(2):
        post(server.url, http)
    assert server.connections == 3
    http.get(server.url, {})
    assert server.connections == 3


def test_row_1_a_kept_connection_that_the_server_closed_does_not_spoil_a_start(server):
    server.use(server.answer_and_close(reply("200 OK", b"{}")))
    http = client()

    assert isinstance(http.get(server.url, {}), Answer)
    assert isinstance(post(server.url, http), Answer)


def test_a_connection_that_idled_is_not_used_again(server, monkeypatch):
    http = client()
    http.get(server.url, {})
    monkeypatch.setattr("agentruns.adapters.http.IDLE_SECONDS", -1.0)

    http.get(server.url, {})

    assert server.connections == 2


def test_a_watched_socket_leaves_no_descriptor_behind(server, monkeypatch):
    opened = []
    original = socket.fromfd

    def remember(*args):
        opened.append(original(*args))
        return opened[-1]

    monkeypatch.setattr(socket, "fromfd", remember)

    post(server.url)

    assert [duplicate.fileno() for duplicate in opened] == [-1]
