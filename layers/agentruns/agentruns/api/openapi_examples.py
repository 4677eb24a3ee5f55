"""An example for every body and answer, from the `examples` that the models' fields have.

A model's own example goes before those of its fields. Of a body it has what is required and what
has an example; of an answer it has everything. Not a generator of test data: one example each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_ANY_TEXT = "..."
_MOMENT = "2026-04-22T15:50:55Z"
_USUAL: Mapping[str, Any] = {
    "activity_id": "act_01J9Z3M7QK8W5T2X4Y6A8B0C1D",
    "run_id": "run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1",
    "activity_run_id": "run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1",
    "redrive_of": "act_01J9Z3M7QK8W5T2X4Y6A8B0C1C",
    "agent_role": "it_support",
    "tenant": "default",
    "tenant_id": "default",
    "key_id": "9f86d081884c7d65",
    "name": "acme",
    "skill_name": "seo",
    "self": "/v1/activities/act_01J9Z3M7QK8W5T2X4Y6A8B0C1D",
    "run": "/v1/runs/run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1",
    "events": "/v1/runs/run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1/events",
    "timeout_seconds": 86_400,
    "timeout_ms": 86_400_000,
}
"""Of fields that are the same wherever they stand: in a path, in a body and in an answer."""


class NoExample(Exception):
    """A field that needs an example of its own: its type alone does not give one."""


class Examples:
    """`schemas` are the document's components, to which a schema refers."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of_path_parameter(self, parameter: Schema) -> str:
        schema = parameter["schema"]
        return str(self._of(schema, whole=True, name=_snake(parameter["name"])))

    def of_body(self, schema: Schema) -> Any:
        return self._of(schema, whole=False, name="")

    def of_answer(self, schema: Schema) -> Any:
        return self._of(schema, whole=True, name="")

    def _of(self, schema: Schema, *, whole: bool, name: str) -> Any:
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if "$ref" in schema:
            referred = self._schemas[schema["$ref"].rpartition("/")[2]]
            return self._of(referred, whole=whole, name=name)
        if "anyOf" in schema and whole and _is_nullable(schema) and not _has_example(schema):
            return None
        for way in ("oneOf", "anyOf", "allOf"):
            if way in schema:
                return self._of(schema[way][0], whole=whole, name=name)
        return self._of_type(schema, whole=whole, name=name)

    def _of_type(self, schema: Schema, *, whole: bool, name: str) -> Any:
        kind = schema.get("type")
        if kind in {"string", "integer"} and name in _USUAL:
            return _USUAL[name]
        match kind:
            case "object":
                return self._of_object(schema, whole=whole)
            case "array":
                return [self._of(schema.get("items", {}), whole=whole, name=name)]
            case "string":
                return _text(schema, name)
            case "integer" | "number":
                return schema.get("default", schema.get("minimum", 1))
            case "boolean":
                return schema.get("default", True)
            case "null":
                return None
        return _ANY_TEXT  # any JSON value

    def _of_object(self, schema: Schema, *, whole: bool) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self._of(each, whole=whole, name=_snake(name))
            for name, each in schema.get("properties", {}).items()
            if whole or name in required or _has_example(each)
        }


def _is_nullable(schema: Schema) -> bool:
    return {"type": "null"} in schema["anyOf"]


def _has_example(schema: Schema) -> bool:
    """Itself, or the first of what it may be; null is an example of what to leave out."""
    if "examples" in schema:
        return schema["examples"][0] is not None
    kinds = schema.get("anyOf", ())
    return bool(kinds) and "examples" in kinds[0]


def _text(schema: Schema, name: str) -> str:
    if schema.get("format") == "date-time":
        return _MOMENT
    if "default" in schema:
        return str(schema["default"])
    pattern = schema.get("pattern", "")
    if re.search(pattern, _ANY_TEXT) is None:
        raise NoExample(f"give the field {name!r} examples=[...]: its pattern is {pattern}")
    return _ANY_TEXT


def _snake(name: str) -> str:
    return "".join("_" + char.lower() if char.isupper() else char for char in name)
