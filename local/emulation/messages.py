"""What goes in and out of an emulator, apart from sockets.

A `Delivery` is everything that can happen to a request: a proper `Reply`, or one of the ways in
which a network or a gateway misbehaves. Reading and writing sockets is `http_server`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.emulation.errors import InvalidField, InvalidRequestBody, RequestRefused

MAXIMUM_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One parsed HTTP request. Header names are lower case; `params` come from the path."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as strict JSON (no NaN, no endless nesting).

        Raises InvalidRequestBody: empty, not UTF-8, not JSON.
        """
        if not self.body:
            raise InvalidRequestBody("Request body is empty")
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as exc:
            raise InvalidRequestBody("Request body is not valid JSON") from exc

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises InvalidRequestBody."""
        document = self.json()
        if not isinstance(document, dict):
            raise InvalidRequestBody("Request body must be a JSON object")
        return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer with a known length."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedReply:
    """An answer sent piece by piece, with `pause_seconds` between the pieces."""

    status: int
    pieces: Iterable[bytes]
    length_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """The connection stays open without a byte for `seconds`; then `reply`, or the end."""

    seconds: float
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Hangup:
    """The connection is closed in good order, without an answer."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST), without an answer."""


Delivery = Reply | StreamedReply | Silence | Hangup | Reset


def json_reply(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer with `document` as its JSON body."""
    return Reply(status=status, body=json.dumps(document).encode(), headers=dict(headers or {}))


def refusal_reply(refusal: RequestRefused) -> Reply:
    """The provider's error body `{"message"}`; a control refusal also names its field."""
    document = {"message": refusal.message}
    if isinstance(refusal, InvalidField):
        document["field"] = refusal.field
    return json_reply(refusal.status, document, refusal.headers)
