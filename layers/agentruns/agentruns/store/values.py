"""Plain values to DynamoDB's attribute values and back.

A row is a mapping of attribute names to str, int, bool or a tuple of str; None is left out. Times
are ISO 8601 in UTC with six digits of microseconds, so that they sort as text; nested JSON is text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Row = Mapping[str, Any]


def write_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def write_optional_time(at: datetime | None) -> str | None:
    return None if at is None else write_time(at)


def read_optional_time(text: str | None) -> datetime | None:
    return None if text is None else read_time(text)


def write_json(value: Any) -> str:
    """As UTF-8 text, not escaped: what a caller measured in bytes stays that size."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_json(text: str) -> Any:
    return json.loads(text)


def to_item(row: Row) -> dict[str, AttributeValueTypeDef]:
    return {name: _attribute(value) for name, value in row.items() if value is not None}


def from_item(item: Mapping[str, Mapping[str, Any]]) -> Row:
    return {name: _value(attribute) for name, attribute in item.items()}


def _attribute(value: Any) -> AttributeValueTypeDef:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, tuple):
        return {"L": [{"S": text} for text in value]}
    raise TypeError(f"a row holds no {type(value).__name__}")


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value)
    if kind == "L":
        return tuple(element["S"] for element in value)
    return value
