"""The text of runs in DynamoDB: a row for each delta, beside the activity's other rows.

Written alone, never with the activity's row, so that a stream of text and the activity's
transitions do not wait for each other.
"""

from __future__ import annotations

from datetime import timedelta

from agentruns.agent_stores import Stretch
from agentruns.deltas import Delta
from agentruns.model import Run
from agentruns.store import keys
from agentruns.store.table import ABSENT, DynamoDbTable, Put
from agentruns.store.values import Row, read_time, write_time

KEPT = timedelta(days=90)


class DynamoDbDeltaStore:
    """`agentruns.agent_stores.DeltaStore` on the one table."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, delta: Delta) -> None:
        put = Put(row=_row(delta), condition=ABSENT)
        self._table.put_if(f"delta {delta.number} of {delta.run_id!r}", put)

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


def _row(delta: Delta) -> Row:
    return {
        "pk": keys.activity_key(delta.tenant, delta.activity_id),
        "sk": keys.delta_sort_key(delta.attempt, delta.number),
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
