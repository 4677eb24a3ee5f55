"""Tool calls in DynamoDB: a row for each, in full, and one that says which has a caller's key.

They are written in the transaction of their event (`store.activities`). The calls are kept for
audit and billing as long as the activity; the keys 90 days, longer than any run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agentruns.agent_reports import ToolCall, ToolCallStatus
from agentruns.agent_stores import Stretch
from agentruns.store import keys
from agentruns.store.table import ABSENT, Delete, DynamoDbTable, Put
from agentruns.store.values import Row, read_json, read_time, write_json, write_time

if TYPE_CHECKING:
    from agentruns.model import Run

KEYS_KEPT = timedelta(days=90)
LARGEST_NUMBER = 99_999_999


class DynamoDbToolCallStore:
    """`agentruns.agent_stores.ToolCallStore` on the one table."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def find_by_key(self, run: Run, key_sha256: str) -> ToolCall | None:
        pk = keys.activity_key(run.tenant, run.activity_id)
        key = self._table.get(pk, keys.tool_call_key_sort_key(run.attempt, key_sha256))
        if key is None:
            return None
        row = self._table.get(pk, keys.tool_call_sort_key(run.attempt, key["number"]))
        return None if row is None else _tool_call(row)

    def list(self, run: Run, after: int, limit: int) -> Stretch[ToolCall]:
        rows, has_more = self._table.read_stretch(
            keys.activity_key(run.tenant, run.activity_id),
            keys.tool_call_sort_key(run.attempt, after + 1),
            keys.tool_call_sort_key(run.attempt, LARGEST_NUMBER),
            limit,
        )
        return Stretch(items=tuple(_tool_call(row) for row in rows), has_more=has_more)


def tool_call_writes(call: ToolCall) -> list[Put | Delete]:
    """The call, and its key where it has one; neither is there yet."""
    writes: list[Put | Delete] = [Put(row=_row(call), condition=ABSENT)]
    if call.key_sha256 is not None:
        writes.append(Put(row=_key_row(call, call.key_sha256), condition=ABSENT))
    return writes


def _row(call: ToolCall) -> Row:
    return {
        "pk": keys.activity_key(call.tenant, call.activity_id),
        "sk": keys.tool_call_sort_key(call.attempt, call.number),
        "tenant": call.tenant,
        "activity_id": call.activity_id,
        "run_id": call.run_id,
        "attempt": call.attempt,
        "number": call.number,
        "tool_name": call.tool_name,
        "method": call.method,
        "status": call.status.value,
        "input": write_json(call.input),
        "output": write_json(call.output),
        "error": call.error,
        "duration_ms": call.duration_ms,
        "cost_nanousd": call.cost_nanousd,
        "called_at": write_time(call.called_at),
        "key_sha256": call.key_sha256,
        "body_sha256": call.body_sha256,
    }


def _key_row(call: ToolCall, key_sha256: str) -> Row:
    return {
        "pk": keys.activity_key(call.tenant, call.activity_id),
        "sk": keys.tool_call_key_sort_key(call.attempt, key_sha256),
        "number": call.number,
        "ttl": int((call.called_at + KEYS_KEPT).timestamp()),
    }


def _tool_call(row: Row) -> ToolCall:
    return ToolCall(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        run_id=row["run_id"],
        attempt=row["attempt"],
        number=row["number"],
        tool_name=row["tool_name"],
        method=row["method"],
        status=ToolCallStatus(row["status"]),
        input=read_json(row["input"]),
        output=read_json(row["output"]),
        error=row.get("error"),
        duration_ms=row["duration_ms"],
        cost_nanousd=row["cost_nanousd"],
        called_at=read_time(row["called_at"]),
        key_sha256=row.get("key_sha256"),
        body_sha256=row["body_sha256"],
    )
