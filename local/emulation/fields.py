"""Reads the fields of a control body, and says which one is wrong and how to put it right.

Only for `/_emulator` endpoints; the provider's endpoints answer as the provider does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from local.emulation.errors import InvalidField


class Fields:
    """The members of one JSON object at `path` (empty for the body itself)."""

    def __init__(self, document: Any, path: str = "") -> None:
        if not isinstance(document, dict):
            raise InvalidField(path or "body", "must be a JSON object")
        self._document: Mapping[str, Any] = document
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._document

    def name_of(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def refuse_unknown(self, known: Iterable[str]) -> None:
        names = sorted(known)
        for name in self._document:
            if name not in names:
                raise InvalidField(self.name_of(name), f"unknown field; known: {', '.join(names)}")

    def value(self, name: str) -> Any:
        return self._document[name]

    def text(self, name: str, default: str | None = None) -> str:
        if name not in self._document and default is not None:
            return default
        value = self._document.get(name)
        if not isinstance(value, str) or not value.strip():
            raise InvalidField(self.name_of(name), "must be a string that is not blank")
        return value

    def one_of(self, name: str, choices: Iterable[str], default: str | None = None) -> str:
        value = self.text(name, default)
        allowed = list(choices)
        if value not in allowed:
            raise InvalidField(self.name_of(name), f"must be one of {', '.join(allowed)}")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self._document.get(name, default)
        if not isinstance(value, bool):
            raise InvalidField(self.name_of(name), "must be true or false")
        return value

    def integer(self, name: str, default: int | None = None, *, low: int, high: int) -> int:
        value = self._document.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidField(self.name_of(name), f"must be an integer from {low} to {high}")
        return value

    def number(self, name: str, default: float | None = None, *, low: float, high: float) -> float:
        value = self._document.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            raise InvalidField(self.name_of(name), f"must be a number from {low:g} to {high:g}")
        return float(value)

    def header_map(self, name: str) -> dict[str, str]:
        value = self._document.get(name, {})
        if not isinstance(value, dict):
            raise InvalidField(self.name_of(name), "must be an object of strings")
        for key, text in value.items():
            is_clean = isinstance(text, str) and key and not set("\r\n\0") & set(key + text)
            if not is_clean or not (key + text).isascii():
                raise InvalidField(
                    f"{self.name_of(name)}.{key}", "must be one line of ASCII, as a string"
                )
        return dict(value)


def require_list(document: Any, path: str) -> list[Any]:
    """`document` itself. Raises InvalidField, naming `path`."""
    if not isinstance(document, list):
        raise InvalidField(path, "must be a JSON list")
    return document
