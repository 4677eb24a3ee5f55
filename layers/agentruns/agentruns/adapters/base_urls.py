"""Which base URLs a connection may have, and which files may be named to a provider. A base URL is
checked when it is stored, and again before a call; a file is the provider's to fetch, never ours.

Not the guard for URLs that a provider or an agent names at run time; those are resolved and checked
one by one. Imports neither requests nor urllib3, so the API can use it at no cost.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LONGEST = 2048
_LONGEST_OF_FILE = 8192
_VISIBLE_ASCII = re.compile(r"[!-~]+\Z")
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?\Z"
)
# Resolvers read these as IPv4 addresses: 2852039166, 0xa9fea9fe, 0251.254.169.254.
_NUMERIC_LABEL = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\Z")

# `is_global` is true for these, though each can lead to a private address or to none.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.0.0.0/24")
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public_address(text: str) -> bool:
    """True for an address of the public internet. ValueError where `text` is no address."""
    address: _Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_multicast or not address.is_global:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def validate_base_url(url: str, allow_private_networks: bool) -> str:
    """`url` without trailing slashes.

    https with a public host; with `allow_private_networks` any host, and http on loopback too.
    A path prefix is fine. ValueError with a text for the person who typed it.
    """
    _require_host(url, _LONGEST, allow_private_networks, like="https://aic.leena.ai")
    if "?" in url or "#" in url:
        raise ValueError("must not have a query or fragment")
    return url.rstrip("/")


def validate_file_url(url: str, allow_private_networks: bool) -> None:
    """As `validate_base_url`, and with a query if need be. The ValueError's text has none of it."""
    _require_host(url, _LONGEST_OF_FILE, allow_private_networks, like="https://files.example/a.csv")
    if "#" in url:
        raise ValueError("must not have a fragment")


def _require_host(url: str, longest: int, allow_private_networks: bool, *, like: str) -> None:
    if len(url) > longest or _VISIBLE_ASCII.match(url) is None or "\\" in url:
        raise ValueError(f"must be a URL of at most {longest} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ValueError(f"is not a URL: {exc}") from exc
    if not host or port == 0:
        raise ValueError(f"must name a host, like {like}")
    if "@" in parts.netloc:
        raise ValueError("must not carry a user or password")
    address = _address_of(host)
    if address is None and _HOST_NAME.match(host) is None:
        raise ValueError(f"names a host that is none: {host!r}")
    loopback = address.is_loopback if address else _is_localhost(host)
    _require_scheme(parts.scheme, loopback, allow_private_networks)
    if not allow_private_networks and (
        loopback or (address is not None and not is_public_address(str(address)))
    ):
        raise ValueError("must not lead to a private network")


def _require_scheme(scheme: str, loopback: bool, allow_private_networks: bool) -> None:
    if scheme == "https" or (scheme == "http" and loopback and allow_private_networks):
        return
    if allow_private_networks:
        raise ValueError("must start with https:// (http:// only on loopback)")
    raise ValueError("must start with https://")


def _is_localhost(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _address_of(host: str) -> _Address | None:
    """The address that `host` spells out, None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if _NUMERIC_LABEL.match(host.rstrip(".").rpartition(".")[2]):
        raise ValueError("must write an address in its usual form, like 192.0.2.1")
    return None
