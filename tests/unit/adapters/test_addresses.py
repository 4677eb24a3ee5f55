import socket

import pytest

from agentruns.adapters.addresses import PrivateAddress, connect, is_public_address, resolve


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"],
)
def test_an_address_is_public(address):
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.8", "192.88.99.1"),
        *("192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "64:ff9b::a00:1"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "2002:a9fe:a9fe::"),
        *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1%eth0", "fec0::1", "ff02::1"),
    ],
)
def test_an_address_is_not_public(address):
    assert not is_public_address(address)


def test_the_resolver_is_asked_once_and_its_order_kept(monkeypatch):
    questions = []

    def answer(*question):
        questions.append(question)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", 443, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)

    found = resolve("agent.example", 443, allow_private_networks=False)

    assert [address.socket_address[0] for address in found] == ["2606:4700::1111", "8.8.8.8"]
    assert questions == [("agent.example", 443, socket.AF_UNSPEC, socket.SOCK_STREAM)]


def test_one_private_address_refuses_them_all_and_is_not_told(monkeypatch):
    answers = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in ("8.8.8.8", "10.0.0.7")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_question: answers)

    with pytest.raises(PrivateAddress) as caught:
        resolve("agent.example", 443, allow_private_networks=False)

    assert str(caught.value) == "agent.example leads to a private network"
    assert len(resolve("agent.example", 443, allow_private_networks=True)) == 2


def test_no_address_at_all_is_no_connection(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_question: [])

    with pytest.raises(OSError, match=r"agent\.example has no address"):
        resolve("agent.example", 443, allow_private_networks=True)


def test_the_first_address_that_answers_is_connected_to():
    with socket.create_server(("127.0.0.1", 0)) as refusing:
        refused = resolve("127.0.0.1", refusing.getsockname()[1], allow_private_networks=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard = resolve("127.0.0.1", listener.getsockname()[1], allow_private_networks=True)

        with connect([*refused, *heard], 1.0) as connected:
            assert connected.getpeername() == listener.getsockname()
            assert connected.gettimeout() == 1.0

    with pytest.raises(ConnectionRefusedError):
        connect(refused, 1.0)
