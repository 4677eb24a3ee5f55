"""Pydantic's errors in our words: a dotted path, and what is wrong there. Never a value.

Apart from `problems`, since the event trigger needs it without Powertools' event handler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PARTS_OF_A_REQUEST = frozenset({"body", "query", "path"})
_MESSAGES = {
    "extra_forbidden": "is not a field of this request; remove it",
    "missing": "is required",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "list_type": "must be a JSON array",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """`field` is a dotted path in the body, or the name of a parameter or header."""

    field: str
    message: str


def field_problems(
    validation_errors: Sequence[Mapping[str, Any]], whole: str = "body"
) -> tuple[FieldProblem, ...]:
    """Pydantic's errors as ours: `("body", "adapter", "connection")` is `adapter.connection`.

    `whole` names what has no part that is wrong: all of it is.
    """
    return tuple(
        FieldProblem(field=_field_path(error["loc"] or (whole,)), message=_message(error))
        for error in validation_errors
    )


def _field_path(location: Sequence[Any]) -> str:
    where, *path = [str(part) for part in location]
    if where == "header":
        return "-".join(path).title()
    if where in _PARTS_OF_A_REQUEST and path:
        return ".".join(path)
    return ".".join([where, *path])


def _message(error: Mapping[str, Any]) -> str:
    """Pydantic's own texts, save where they speak of Python or leave the fix open."""
    return _MESSAGES.get(error["type"], str(error["msg"]))
