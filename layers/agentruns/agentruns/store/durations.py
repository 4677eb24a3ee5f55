"""What agents' past runs took, in DynamoDB: one small row per agent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentruns.durations import DurationHistory, StoredDurations
from agentruns.store.keys import durations_key
from agentruns.store.table import ABSENT, DynamoDbTable, Put, at_version

if TYPE_CHECKING:
    from agentruns.store.values import Row

KEPT_UNUSED = timedelta(days=90)


class DynamoDbDurationStore:
    """`agentruns.ports.DurationStore` on the one table; its TTL removes what nobody adds to."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def read(self, tenant: str, subject: str) -> StoredDurations:
        row = self._table.get(durations_key(tenant), subject)
        if row is None:
            return StoredDurations(tenant=tenant, subject=subject)
        return StoredDurations(
            tenant=tenant,
            subject=subject,
            history=DurationHistory.from_text(row["durations"]),
            counted=row["counted"],
            version=row["version"],
        )

    def write(self, durations: StoredDurations, now: datetime) -> None:
        """StoreContention where the row is too busy to tell."""
        condition = at_version(durations.version) if durations.version else ABSENT
        subject = f"durations of {durations.subject!r}"
        self._table.put_if(subject, Put(row=_row(durations, now), condition=condition))


def _row(durations: StoredDurations, now: datetime) -> Row:
    return {
        "pk": durations_key(durations.tenant),
        "sk": durations.subject,
        "durations": durations.history.text,
        "counted": durations.counted,
        "version": durations.version + 1,
        "ttl": int((now + KEPT_UNUSED).timestamp()),
    }
