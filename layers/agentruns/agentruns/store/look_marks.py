"""The marks of the sweeper in DynamoDB: one small row per connection with parked runs, all in one
partition, so that a tick reads them in one query. A tick writes those of the connections it looked
at runs of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agentruns.ports import LookMark
from agentruns.store.keys import LOOK_MARKS, look_mark_sort_key
from agentruns.store.table import ABSENT, DynamoDbTable, Put, at_version
from agentruns.store.values import Row, read_optional_time, write_optional_time

KEPT_UNUSED = timedelta(days=40)
"""Longer than an activity lives: without its mark a run is looked at once too often."""


class DynamoDbLookMarkStore:
    """`agentruns.ports.LookMarkStore` on the one table; its TTL removes what nobody writes any
    more."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def list(self) -> tuple[LookMark, ...]:
        return tuple(map(_mark, self._table.read_all(LOOK_MARKS)))

    def read(self, tenant: str, connection: str) -> LookMark:
        row = self._table.get(LOOK_MARKS, look_mark_sort_key(tenant, connection))
        return LookMark(tenant=tenant, connection=connection) if row is None else _mark(row)

    def write(self, mark: LookMark, now: datetime) -> None:
        """StoreContention where the row is too busy to tell."""
        condition = at_version(mark.version) if mark.version else ABSENT
        row = _row(replace(mark, version=mark.version + 1), now)
        self._table.put_if(f"look mark of {mark.connection!r}", Put(row=row, condition=condition))


def _row(mark: LookMark, now: datetime) -> Row:
    return {
        "pk": LOOK_MARKS,
        "sk": look_mark_sort_key(mark.tenant, mark.connection),
        "tenant": mark.tenant,
        "connection": mark.connection,
        "until": write_optional_time(mark.until),
        "ahead_until": write_optional_time(mark.ahead_until),
        "ahead_to": mark.ahead_to,
        "version": mark.version,
        "ttl": int((now + KEPT_UNUSED).timestamp()),
    }


def _mark(row: Row) -> LookMark:
    return LookMark(
        tenant=row["tenant"],
        connection=row["connection"],
        until=read_optional_time(row.get("until")),
        ahead_until=read_optional_time(row.get("ahead_until")),
        ahead_to=row.get("ahead_to"),
        version=row["version"],
    )
