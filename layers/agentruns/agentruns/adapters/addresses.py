"""Where a host leads: resolved once, every address judged, and connected to as it was judged.

The guard against calls into a network that is not the caller's to reach (SSRF). A name is resolved
once per connection; one private address among the answers refuses all of them; the socket goes to
an address of that very answer, so a resolver that says something else a moment later is never asked
again. TLS goes on checking the host's name. Not here: which URLs may be written (`base_urls`).

Only IPv6's global unicast space counts as public, and of it nothing that has an IPv4 address inside
(6to4, Teredo): what Python's `is_global` says of those differs by version and lets some pass.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, ORCHID, benchmarking among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "100.64.0.0/10",  # carriers' own; a cloud's metadata at 100.100.100.200
        "168.63.129.16/32",  # a cloud's metadata at an address that looks public
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
    )
)

SocketOptions = Sequence[tuple[int, int, int | bytes]]


class PrivateAddress(OSError):
    """A host leads, with one of its addresses at least, to a private network."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} leads to a private network")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedAddress:
    """One answer of the resolver, ready to be connected to with no further question asked."""

    family: int
    kind: int
    protocol: int
    socket_address: tuple[Any, ...]


def is_public_address(text: str) -> bool:
    """True for an address of the public internet. ValueError where `text` is no address."""
    address: _Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address not in _GLOBAL_UNICAST:
            return False
    if address.is_multicast or not address.is_global:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def resolve(
    host: str, port: int, *, allow_private_networks: bool, family: int = socket.AF_UNSPEC
) -> tuple[ResolvedAddress, ...]:
    """The addresses of `host`, in the resolver's order; one question to it.

    PrivateAddress where any of them is private and that is not allowed; OSError (`gaierror`
    included) where there is none.
    """
    found = []
    for answer in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM):
        answered_family, kind, protocol, _, socket_address = answer
        if not allow_private_networks and not _is_public(str(socket_address[0])):
            raise PrivateAddress(host)
        found.append(
            ResolvedAddress(
                family=answered_family,
                kind=kind,
                protocol=protocol,
                socket_address=tuple(socket_address),
            )
        )
    if not found:
        raise OSError(f"{host} has no address")
    return tuple(found)


def connect(
    addresses: Sequence[ResolvedAddress],
    timeout_seconds: float | None,
    socket_options: SocketOptions = (),
) -> socket.socket:
    """A socket connected to the first address that answers; the last one's OSError otherwise.

    `timeout_seconds` is for each address, and the socket keeps it.
    """
    failure = OSError("there is no address to connect to")
    for address in addresses:
        connecting = socket.socket(address.family, address.kind, address.protocol)
        try:
            for option in socket_options:
                connecting.setsockopt(*option)
            connecting.settimeout(timeout_seconds)
            connecting.connect(address.socket_address)
        except OSError as exc:
            connecting.close()
            failure = exc
        else:
            return connecting
    raise failure


def _is_public(text: str) -> bool:
    """False also for an answer that is no address: nobody could say where it leads."""
    try:
        return is_public_address(text)
    except ValueError:
        return False
