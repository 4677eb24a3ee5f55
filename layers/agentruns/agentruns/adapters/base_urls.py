"""Which URLs a connection or an agent may have, and which files may be named to a provider. What we
call is checked when it is stored, and again before a call; a file is the provider's to fetch.

What can be said of a URL as it is written. Where its host leads is another question, answered at
each connection (`addresses`). Imports neither requests nor urllib3, so the API can use it at no
cost.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from agentruns.adapters.addresses import is_public_address

_LONGEST = 2048
_LONGEST_OF_FILE = 8192
_VISIBLE_ASCII = re.compile(r"[!-~]+\Z")
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?\Z"
)
# Resolvers read these as IPv4 addresses: 2852039166, 0xa9fea9fe, 0251.254.169.254.
_NUMERIC_LABEL = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\Z")

Ports = frozenset[int]
HTTPS_PORT = 443
USUAL_PORTS: Ports = frozenset({HTTPS_PORT})
"""Of public hosts; a deployment may allow more. What listens at others is seldom meant for us."""

# Names that no public resolver answers, or that a cloud answers for its machines alone.
_PRIVATE_SUFFIXES = (
    ".localhost",
    ".localdomain",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home.arpa",
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def validate_base_url(url: str, allow_private_networks: bool, ports: Ports = USUAL_PORTS) -> str:
    """`url` without trailing slashes: as `validate_url`, and without a query. A path prefix is
    fine."""
    _require_printable(url)
    if "?" in url or "#" in url:
        _require_host(url)
        raise ValueError("must not have a query or fragment")
    return validate_url(url, allow_private_networks, ports).rstrip("/")


def validate_url(url: str, allow_private_networks: bool, ports: Ports = USUAL_PORTS) -> str:
    """`url`, which may have a path and a query: an agent's, or one that is about to be called.

    https with a public host, at one of `ports`; with `allow_private_networks` any host and any
    port, and http on loopback too. ValueError with a text for the person who typed it.
    """
    validated = _validated(url, _LONGEST, allow_private_networks)
    if not allow_private_networks:
        _require_port(url, ports)
    return validated


def validate_file_url(url: str, allow_private_networks: bool) -> None:
    """As `validate_url`, at any port and longer if need be: it is not us who fetch it. The
    ValueError's text has no query."""
    _validated(url, _LONGEST_OF_FILE, allow_private_networks)


def _validated(url: str, longest: int, allow_private_networks: bool) -> str:
    _require_printable(url, longest)
    scheme, host = _require_host(url)
    if "#" in url:
        raise ValueError("must not have a fragment")
    address = _address_of(host)
    if address is None and _HOST_NAME.match(host) is None:
        raise ValueError(f"names a host that is none: {host!r}")
    loopback = address.is_loopback if address else _is_localhost(host)
    _require_scheme(scheme, loopback, allow_private_networks)
    if not allow_private_networks and not _may_be_public(host, address):
        raise ValueError("must not lead to a private network")
    return url


def _require_printable(url: str, longest: int = _LONGEST) -> None:
    if len(url) > longest or _VISIBLE_ASCII.match(url) is None or "\\" in url:
        raise ValueError(f"must be a URL of at most {longest} visible ASCII characters")


def _require_host(url: str) -> tuple[str, str]:
    """Scheme and host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ValueError(f"is not a URL: {exc}") from exc
    if not host or port == 0:
        raise ValueError("must name a host, like https://agent.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not carry a user or password")
    return parts.scheme, host


def _require_port(url: str, ports: Ports) -> None:
    port = urlsplit(url).port or HTTPS_PORT
    if port not in ports:
        allowed = ", ".join(str(each) for each in sorted(ports))
        raise ValueError(
            f"must not have the port {port}; allowed: {allowed} (the stack's AllowedPorts)"
        )


def _may_be_public(host: str, address: _Address | None) -> bool:
    """Of a name only its look: where it leads is seen when it is resolved."""
    if address is not None:
        return is_public_address(str(address))
    name = host.rstrip(".").lower()
    return "." in name and not name.endswith(_PRIVATE_SUFFIXES)


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
    if "%" in host:
        raise ValueError("must not carry a zone or other escapes in its host")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if _NUMERIC_LABEL.match(host.rstrip(".").rpartition(".")[2]):
        raise ValueError("must write an address in its usual form, like 192.0.2.1")
    return None
