"""Pydantic's errors in our words: a dotted path, and what is wrong there. Never a value.

Apart from `problems`, since the event trigger needs it without Powertools' event handler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PARTS_OF_A_REQUEST = frozenset({"body", "query", "path"})
_KINDS = frozenset({"leap", "leap_workflow", "leena", "leena_aop", "webhook"})
"""Which kind of a body was taken, between the names of its fields: not a field itself."""

_MESSAGES = {
    "extra_forbidden": "is not a field of this request; remove it",
    "missing": "is required",
    "union_tag_not_found": "is required",
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
        FieldProblem(field=_field_path(_location(error) or (whole,)), message=_message(error))
        for error in validation_errors
    )


def _location(error: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where it is wrong; of a body that is of no kind we know, in the field that names its kind."""
    location = tuple(error["loc"])
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return (*location, str(error["ctx"]["discriminator"]).strip("'"))
    return location


def _field_path(location: Sequence[Any]) -> str:
    where, *path = [
        str(part)
        for place, part in enumerate(location)
        if part not in _KINDS or place == len(location) - 1
    ]
    if where == "header":
        return "-".join(path).title()
    if where in _PARTS_OF_A_REQUEST and path:
        return ".".join(path)
    return ".".join([where, *path])


def _message(error: Mapping[str, Any]) -> str:
    """Pydantic's own texts, save where they speak of Python or leave the fix open."""
    if error["type"] == "union_tag_invalid":
        if error["ctx"]["tag"] == "webhook":  # only an agent has that kind of adapter
            return "store it as an agent (PUT /v1/agents/{agent_role}), then give its agent_role"
        return f"Input should be {str(error['ctx']['expected_tags']).replace(', ', ' or ')}"
    return _MESSAGES.get(error["type"], str(error["msg"]))
