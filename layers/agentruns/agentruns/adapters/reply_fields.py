"""Single fields of what a provider answers: short texts, times, and its own words for a person.

Nothing of a stranger is kept longer, or printed otherwise, than these let through. Not here: JSON
itself (`json_reply`), what the fields mean (each provider's adapter).
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from agentruns.adapters.http import Answer

DETAIL_LENGTH = 200
_LONGEST_TEXT = 256


def text(value: object) -> str | None:
    """A short printable string, else None: nothing else is worth keeping from a stranger."""
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable():
        return value
    return None


def timestamp(value: object) -> datetime | None:
    """ISO 8601; without a zone it is UTC (the provider sends none). None where it is no time."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def describe(answer: Answer, secrets: Iterator[str]) -> str:
    """The provider's own `message` as one clipped line, without any of `secrets`."""
    message = answer.body.get("message") if isinstance(answer.body, dict) else None
    if not isinstance(message, str):
        return answer.unreadable or "no message"
    return one_line(message, secrets) or "no message"


def one_line(message: str, secrets: Iterator[str], limit: int = DETAIL_LENGTH) -> str:
    """A stranger's text as one clipped line, without any of `secrets`."""
    shown = "".join(_printable(char) for char in message)
    for secret in sorted(set(secrets), key=len, reverse=True):
        shown = shown.replace(secret, "***")
    return " ".join(shown.split())[:limit]


def _printable(char: str) -> str:
    if char.isspace():
        return " "
    return "" if unicodedata.category(char)[0] == "C" else char


def encodings(value: str) -> Iterator[str]:
    """A secret in the forms in which an answer might echo it."""
    if value:
        yield value
        yield quote(value, safe="")
        yield quote_plus(value)
        yield base64.b64encode(value.encode("utf-8")).decode("ascii")
