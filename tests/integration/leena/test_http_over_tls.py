import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agentruns.adapters.http import Answer, JsonHttp, NoAnswer
from tests.integration.leena.wire import WireServer, read_request, reply


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and agent.example, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    subjects = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("agent.example")]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(subjects, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "loopback.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def certificate(tmp_path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def trusted(certificate, monkeypatch) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))


class TlsServer(WireServer):
    def __init__(self, certificate: Path) -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self.asked_for: list[str | None] = []
        self._context.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)

    def _serve(self, peer: socket.socket) -> None:
        try:
            secured = self._context.wrap_socket(peer, server_side=True)
        except OSError:
            return
        super()._serve(secured)


@pytest.fixture
def server(certificate) -> Iterator[TlsServer]:
    with TlsServer(certificate) as running:
        yield running


def client(deadline: float = 5.0) -> JsonHttp:
    return JsonHttp(
        allow_private_networks=True,
        clock=lambda: datetime.now(UTC),
        deadline_seconds=deadline,
        read_seconds=2.0,
    )


def url_of(server: TlsServer, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{server.port}/"


@pytest.mark.usefixtures("trusted")
def test_documents_travel_over_tls_and_checks_share_a_connection(server):
    http = client()

    results = [http.get(url_of(server), {}), http.get(url_of(server), {})]
    results.append(http.post(url_of(server), {}, {"a": 1}))

    assert [result.body for result in results if isinstance(result, Answer)] == [{}, {}, {}]
    assert server.connections == 2


def test_row_1_an_untrusted_certificate_sent_nothing(server):
    result = client().post(url_of(server), {}, {"a": 1})

    assert isinstance(result, NoAnswer)
    assert not result.request_sent
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_row_1_a_certificate_of_another_host_sent_nothing(server):
    result = client().post(url_of(server, "localhost"), {}, {"a": 1})

    assert isinstance(result, NoAnswer)
    assert not result.request_sent
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_row_23_the_checked_address_is_called_by_the_hosts_name(server, monkeypatch):
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_question: [address])

    taken = client().post(url_of(server, "agent.example"), {}, {"a": 1})
    refused = client().post(url_of(server, "other.example"), {}, {"a": 1})

    assert isinstance(taken, Answer)
    assert f"Host: agent.example:{server.port}\r\n".encode() in server.requests[0]
    assert isinstance(refused, NoAnswer)
    assert not refused.request_sent
    assert len(server.requests) == 1
    assert server.asked_for == ["agent.example", "other.example"]


@pytest.mark.usefixtures("trusted")
def test_a_host_is_reached_with_nothing_sent(server):
    assert client().reach(url_of(server)) is None
    failure = client().reach(url_of(server, "localhost"))

    assert isinstance(failure, NoAnswer)
    assert not failure.request_sent
    assert server.connections == 2
    assert server.requests == []


def test_a_host_with_an_untrusted_certificate_is_not_reached(server):
    failure = client().reach(url_of(server))

    assert isinstance(failure, NoAnswer)
    assert "no connection" in failure.reason


@pytest.mark.usefixtures("trusted")
def test_row_1_a_tls_connection_closed_after_the_request_may_have_been_taken(server):
    server.use(server.answer_and_close())

    result = client().post(url_of(server), {}, {"a": 1})

    assert isinstance(result, NoAnswer)
    assert result.request_sent
    assert len(server.requests) == 1


@pytest.mark.usefixtures("trusted")
def test_row_1_broken_tls_records_after_the_request_may_have_been_taken(server):
    def script(peer):
        read_request(peer)
        with socket.socket(fileno=peer.detach()) as plain:
            plain.sendall(b"HTTP/1.1 400 plain text within TLS\r\n\r\n")
            time.sleep(0.1)

    server.use(script)

    result = client().post(url_of(server), {}, {"a": 1})

    assert isinstance(result, NoAnswer)
    assert result.request_sent


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("prefix", [b"", b"HTTP/1.1 200 OK\r\n\r\n{}"])
def test_row_9_a_drip_over_tls_ends_at_the_deadline(server, prefix):
    server.use(server.drip(prefix, b" ", 0.05))
    started = time.monotonic()

    result = client(deadline=1.0).post(url_of(server), {}, {"a": 1})

    assert isinstance(result, NoAnswer) or result.unreadable
    assert time.monotonic() - started < 2.5


@pytest.mark.usefixtures("trusted")
def test_row_9_an_endless_body_over_tls_is_cut(server):
    server.use(server.answer(reply("200 OK", b" " * 3_000_000)))

    result = client().post(url_of(server), {}, {"a": 1})

    assert isinstance(result, Answer)
    assert result.unreadable == "the body has more than 1048576 bytes"
