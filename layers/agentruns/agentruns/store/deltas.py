"""The text of runs in DynamoDB: a row for each delta, beside the activity's other rows.

Written with the row that counts the run's bytes, never with the activity's row, so that a stream of
text and the activity's transitions do not wait for each other. Deltas of one run that are sent at
once do: the count is written as it was read, and who lost that race reads it again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agentruns.agent_stores import Stretch
from agentruns.deltas import Delta
from agentruns.errors import StoreConflict, StoreContention
from agentruns.store import keys
from agentruns.store.table import ABSENT, Condition, DynamoDbTable, Put
from agentruns.store.values import Row, read_time, write_time

if TYPE_CHECKING:
    from agentruns.model import Run

KEPT = timedelta(days=90)
ATTEMPTS = 10
_NO_TEXT: Row = {"size_bytes": 0}


class DynamoDbDeltaStore:
    """`agentruns.agent_stores.DeltaStore` on the one table."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, delta: Delta, limit_bytes: int) -> bool:
        pk, sk = _key(delta)
        subject = f"delta {delta.number} of {delta.run_id!r}"
        for attempt in range(ATTEMPTS):
            before = self._table.get(pk, keys.text_sort_key(delta.attempt))
            size_bytes = (before or _NO_TEXT)["size_bytes"] + delta.size_bytes
            if size_bytes > limit_bytes:
                if self._table.get(pk, sk) is None:
                    return False
                raise StoreConflict(f"{subject} is there")
            try:
                counted = Put(row=_count(delta, size_bytes), condition=_as_read(before))
                self._table.write_all(subject, [Put(row=_row(delta), condition=ABSENT), counted])
            except StoreConflict:
                if self._table.get(pk, sk) is not None:
                    raise
                self._table.back_off(attempt, ATTEMPTS)
            else:
                return True
        raise StoreContention(subject, ATTEMPTS)

    def find(self, run: Run, number: int) -> Delta | None:
        pk = keys.activity_key(run.tenant, run.activity_id)
        row = self._table.get(pk, keys.delta_sort_key(run.attempt, number))
        return None if row is None else _delta(row)

    def list(self, run: Run, first: int, last: int, limit: int) -> Stretch[Delta]:
        if first > last:
            return Stretch(items=(), has_more=False)
        rows, has_more = self._table.read_stretch(
            keys.activity_key(run.tenant, run.activity_id),
            keys.delta_sort_key(run.attempt, first),
            keys.delta_sort_key(run.attempt, last),
            limit,
        )
        return Stretch(items=tuple(_delta(row) for row in rows), has_more=has_more)


def _key(delta: Delta) -> tuple[str, str]:
    pk = keys.activity_key(delta.tenant, delta.activity_id)
    return pk, keys.delta_sort_key(delta.attempt, delta.number)


def _as_read(count: Row | None) -> Condition:
    """The size is the row's version: a delta without text changes neither."""
    if count is None:
        return ABSENT
    return Condition(expression="size_bytes = :read", values={":read": count["size_bytes"]})


def _count(delta: Delta, size_bytes: int) -> Row:
    return {
        "pk": _key(delta)[0],
        "sk": keys.text_sort_key(delta.attempt),
        "size_bytes": size_bytes,
        "ttl": int((delta.received_at + KEPT).timestamp()),
    }


def _row(delta: Delta) -> Row:
    pk, sk = _key(delta)
    return {
        "pk": pk,
        "sk": sk,
        "tenant": delta.tenant,
        "activity_id": delta.activity_id,
        "run_id": delta.run_id,
        "attempt": delta.attempt,
        "number": delta.number,
        "text": delta.text,
        "after_event": delta.after_event,
        "received_at": write_time(delta.received_at),
        "ttl": int((delta.received_at + KEPT).timestamp()),
    }


def _delta(row: Row) -> Delta:
    return Delta(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        run_id=row["run_id"],
        attempt=row["attempt"],
        number=row["number"],
        text=row["text"],
        after_event=row["after_event"],
        received_at=read_time(row["received_at"]),
    )
