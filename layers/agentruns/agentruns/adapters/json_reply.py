"""Strict reading of what a stranger sends: JSON bodies and the Retry-After header.

Values in, values out; no socket and no third-party import. What a document means is for the
provider's adapter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

MAX_DEPTH = 32
MAX_RETRY_AFTER_SECONDS = 300.0

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")


class UnreadableJson(ValueError):
    """The bytes are not a document that can be trusted. Never leaves the adapters."""


def parse_json(body: bytes) -> Any:
    """The document in `body`, which must be strict JSON in UTF-8, else UnreadableJson.

    No duplicate keys, no NaN or infinity, no lone surrogates, at most 32 levels of containers.
    """
    if not body.strip():
        raise UnreadableJson("the body is empty")
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_of,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnreadableJson:
        raise
    except RecursionError:
        raise UnreadableJson(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as exc:  # also UnicodeDecodeError and integers of over 4300 digits
        raise UnreadableJson(f"not JSON ({type(exc).__name__})") from None
    _inspect(document)
    return document


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wish of a `Retry-After` header, in either form (RFC 9110, 10.2.3), within [0, 300] s.

    A date is measured against the reply's own `Date`, so that our clock does not matter; against
    `now` where there is none. `headers` has lower-case names. None for no or a senseless header.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if _SECONDS.match(text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    at = _http_date(text)
    if at is None:
        return None
    wait = (at - (_http_date(headers.get("date", "")) or now)).total_seconds()
    return min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnreadableJson("a key stands twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableJson(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableJson("a number is too large")
    return number


def _inspect(document: Any) -> None:
    """Depth and lone surrogates, level by level: no recursion, so no depth can break it."""
    values = [document]
    for _ in range(MAX_DEPTH + 1):
        containers = [value for value in values if isinstance(value, dict | list)]
        for value in values:
            if isinstance(value, str):
                _require_encodable(value)
        if not containers:
            return
        values = [member for container in containers for member in _members(container)]
    raise UnreadableJson(f"nested deeper than {MAX_DEPTH} levels")


def _members(container: dict[str, Any] | list[Any]) -> list[Any]:
    if isinstance(container, dict):
        return [*container.keys(), *container.values()]
    return container


def _require_encodable(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UnreadableJson("a string holds half a character") from None
