"""Row 23: no URL that somebody gave leads to the canary, a real listener on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from agentruns.adapters.base_urls import USUAL_PORTS, validate_url
from agentruns.adapters.http import Answer, JsonHttp, NoAnswer
from tests.integration.leena.wire import WireServer, reply
from tests.integration.ssrf.corpus import PORTS, RESOLVED, WRITTEN

PUBLIC = "8.8.8.8"
REFUSED = r"^(must |is not a URL|names a host that is none)"


class Resolver:
    """Answers each question with the next list of addresses, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    def __call__(self, host: str, port: int, *_args: Any, **_kwargs: Any) -> list[Any]:
        self.questions.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [self._answer(address, port) for address in addresses]

    @staticmethod
    def _answer(address: str, port: int) -> tuple[Any, ...]:
        six = ":" in address
        family = socket.AF_INET6 if six else socket.AF_INET
        socket_address = (address, port, 0, 0) if six else (address, port)
        return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", socket_address


class Dialled(socket.socket):
    """A socket that notes where it is led, and goes nowhere but to loopback."""

    attempts: list[str]

    def connect(self, address: Any) -> None:
        self.attempts.append(address[0])
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError("not in this test")
        super().connect(address)


@pytest.fixture
def canary() -> Iterator[WireServer]:
    with WireServer() as listening:
        yield listening


@pytest.fixture
def dialled(monkeypatch) -> list[str]:
    attempts: list[str] = []
    monkeypatch.setattr(Dialled, "attempts", attempts, raising=False)
    monkeypatch.setattr(socket, "socket", Dialled)
    return attempts


EVERY_PORT = frozenset(range(65_536))
"""So that nothing here is refused for its port alone."""


def client(*, private: bool = False, ports: frozenset[int] = EVERY_PORT) -> JsonHttp:
    return JsonHttp(
        allow_private_networks=private,
        ports=ports,
        clock=lambda: datetime(2026, 1, 2, 12, 0, tzinfo=UTC),
        deadline_seconds=5.0,
        read_seconds=2.0,
    )


def calls(http: JsonHttp, url: str) -> list[Answer | NoAnswer]:
    return [http.post(url, {"Authorization": "Bearer canary"}, {"a": 1}), http.get(url, {})]


def use(monkeypatch, *answers: Sequence[str]) -> Resolver:
    resolver = Resolver(*answers)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


def test_the_corpus_is_large_enough():
    assert len({*WRITTEN, *RESOLVED, *PORTS}) == len(WRITTEN) + len(RESOLVED) + len(PORTS)
    assert len(WRITTEN) + len(RESOLVED) >= 60


@pytest.mark.parametrize("template", WRITTEN)
def test_row_23_a_url_is_refused_as_it_is_written(canary, dialled, monkeypatch, template):
    resolver = use(monkeypatch, ["127.0.0.1"])
    url = template.format(port=canary.port)

    with pytest.raises(ValueError, match=REFUSED):
        validate_url(url, allow_private_networks=False, ports=EVERY_PORT)
    with pytest.raises(ValueError, match=REFUSED):
        client().get(url, {})
    with pytest.raises(ValueError, match=REFUSED):
        client().post(url, {}, {"a": 1})
    with pytest.raises(ValueError, match=REFUSED):
        client().reach(url)

    assert (dialled, canary.connections, resolver.questions) == ([], 0, [])


@pytest.mark.parametrize("url", PORTS)
def test_row_23_a_port_that_is_not_allowed_is_not_connected_to(dialled, monkeypatch, url):
    resolver = use(monkeypatch, [PUBLIC])
    usual = client(ports=USUAL_PORTS)

    with pytest.raises(ValueError, match=r"^must not have the port"):
        validate_url(url, allow_private_networks=False)
    for call in (
        lambda: usual.get(url, {}),
        lambda: usual.post(url, {}, {}),
        lambda: usual.reach(url),
    ):
        with pytest.raises(ValueError, match=r"^must not have the port"):
            call()

    assert (dialled, resolver.questions) == ([], [])


def test_row_23_a_deployment_allows_the_ports_that_it_needs(dialled, monkeypatch):
    use(monkeypatch, [PUBLIC])
    two = client(ports=frozenset({443, 8443}))

    for url in ("https://agent.example/", "https://agent.example:443/", "https://a.example:8443/"):
        two.get(url, {})
    with pytest.raises(ValueError, match=r"must not have the port 80; allowed: 443, 8443 "):
        two.get("https://agent.example:80/", {})

    assert dialled == [PUBLIC] * 3


@pytest.mark.parametrize(("template", "addresses"), RESOLVED.items())
def test_row_23_a_name_that_leads_to_a_private_address_is_not_connected_to(
    canary, dialled, monkeypatch, template, addresses
):
    use(monkeypatch, addresses)

    url = template.format(port=canary.port)

    for result in (*calls(client(), url), client().reach(url)):
        assert isinstance(result, NoAnswer)
        assert not result.request_sent
        assert result.reason.endswith("leads to a private network")
    assert (dialled, canary.connections) == ([], 0)


def test_row_23_a_rebinding_resolver_is_asked_once_and_its_first_answer_dialled(
    canary, dialled, monkeypatch
):
    url = f"https://rebinding.example:{canary.port}/"
    resolver = use(monkeypatch, [PUBLIC], ["127.0.0.1"])

    result = client().post(url, {}, {"a": 1})

    assert isinstance(result, NoAnswer)
    assert not result.request_sent
    assert resolver.questions == ["rebinding.example"]
    assert (dialled, canary.connections) == ([PUBLIC], 0)

    later = calls(client(), url)

    assert {type(result) for result in later} == {NoAnswer}
    assert (dialled, canary.connections) == ([PUBLIC], 0)


def test_all_public_addresses_are_tried_in_the_resolvers_order(dialled, monkeypatch):
    use(monkeypatch, ["2606:4700::1111", PUBLIC])

    result = client().post("https://agent.example/", {}, {"a": 1})

    assert isinstance(result, NoAnswer)
    assert result.reason == "agent.example: no connection (NewConnectionError)"
    assert dialled == ["2606:4700::1111", PUBLIC]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/", "https://canary.example:{port}/"])
def test_row_23_a_redirect_to_the_canary_is_not_followed(canary, monkeypatch, status, location):
    with WireServer() as agent:
        agent.use(
            agent.answer(reply(status, b"{}", f"Location: {location.format(port=canary.port)}"))
        )

        results = calls(client(private=True), agent.url)

    assert [result.status for result in results if isinstance(result, Answer)] == [
        int(status[:3]),
        int(status[:3]),
    ]
    assert canary.connections == 0


def test_a_private_network_is_reached_where_it_is_allowed_and_through_the_checked_address(
    canary, dialled, monkeypatch
):
    resolver = use(monkeypatch, ["127.0.0.1"])

    result = client(private=True).post(f"http://agent.localhost:{canary.port}/a?b=c", {}, {"a": 1})

    assert isinstance(result, Answer)
    assert result.status == 200
    assert (resolver.questions, dialled) == (["agent.localhost"], ["127.0.0.1"])
    assert canary.requests[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert f"Host: agent.localhost:{canary.port}\r\n".encode() in canary.requests[0]
