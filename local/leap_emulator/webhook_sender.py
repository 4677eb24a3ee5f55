"""Posts a webhook to an address on this machine, and says what became of it.

No redirects, no proxies, no TLS, and never an address beyond loopback.
"""

from __future__ import annotations

import http.client
import ipaddress
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from local.leap_emulator.ledger import WebhookOutcome
from local.leap_emulator.webhook_plan import Shipment, pieces_of

_SHOWN_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the receiver made of a webhook; `response_status` None: it gave no answer."""

    outcome: WebhookOutcome
    response_status: int | None = None
    response_body: str = ""
    seconds: float = 0.0


class WebhookSender(Protocol):
    """Sends one webhook, once."""

    def send(self, url: str, shipment: Shipment, *, timeout_seconds: float) -> Receipt:
        """Returns when it was answered or could not be; never raises."""
        ...


class LoopbackWebhookSender:
    """By HTTP/1.1, a connection for each."""

    def send(self, url: str, shipment: Shipment, *, timeout_seconds: float) -> Receipt:
        """`timeout_seconds`: for connecting, and for each wait of the receiver's."""
        parts = urlsplit(url)
        if not is_on_this_machine(parts):
            return Receipt(outcome=WebhookOutcome.REFUSED)
        began = time.monotonic()
        try:
            status, body = _post(parts, shipment, timeout_seconds)
        except TimeoutError:
            return _without_answer(WebhookOutcome.TIMED_OUT, began)
        except (OSError, http.client.HTTPException):
            return _without_answer(WebhookOutcome.UNREACHABLE, began)
        return Receipt(
            outcome=WebhookOutcome.ANSWERED,
            response_status=status,
            response_body=body.decode("utf-8", "replace"),
            seconds=time.monotonic() - began,
        )


def is_on_this_machine(parts: SplitResult) -> bool:
    """True for plain HTTP to `localhost` or a loopback address."""
    if parts.scheme != "http" or not parts.hostname:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def _post(parts: SplitResult, shipment: Shipment, timeout_seconds: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=timeout_seconds
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.putrequest("POST", target)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(shipment.body)))
        connection.putheader("User-Agent", "leap-emulator")
        connection.putheader("Connection", "close")
        connection.endheaders()
        _send_body(connection, shipment)
        response = connection.getresponse()
        return response.status, response.read(_SHOWN_CHARACTERS)
    finally:
        connection.close()


def _send_body(connection: http.client.HTTPConnection, shipment: Shipment) -> None:
    pieces = pieces_of(shipment.body) if shipment.drip_seconds else [shipment.body]
    try:
        for piece in pieces:
            time.sleep(shipment.drip_seconds / len(pieces))
            connection.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        # A receiver may refuse a body before it has read it; its answer is there all the same.
        return


def _without_answer(outcome: WebhookOutcome, began: float) -> Receipt:
    return Receipt(outcome=outcome, seconds=time.monotonic() - began)
