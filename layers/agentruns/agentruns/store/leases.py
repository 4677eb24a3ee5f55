"""Leases in DynamoDB: one conditional write takes one, its expiry gives it back."""

from __future__ import annotations

import math
from datetime import datetime

from agentruns.errors import StoreConflict
from agentruns.store.keys import META, lease_key
from agentruns.store.table import Condition, DynamoDbTable, Put


class DynamoDbLeaseStore:
    """`agentruns.ports.LeaseStore` on the one table. Times are whole milliseconds since 1970."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def acquire(self, name: str, owner: str, now: datetime, ttl_seconds: float) -> bool:
        """StoreContention where the row is too busy to tell."""
        now_ms = int(now.timestamp() * 1000)
        expires_at_ms = now_ms + math.ceil(ttl_seconds * 1000)
        row = {
            "pk": lease_key(name),
            "sk": META,
            "owner": owner,
            "expires_at_ms": expires_at_ms,
            "ttl": expires_at_ms // 1000 + 1,
        }
        free = Condition(
            expression="attribute_not_exists(pk) OR #expires_at_ms <= :now OR #owner = :owner",
            names={"#expires_at_ms": "expires_at_ms", "#owner": "owner"},
            values={":now": now_ms, ":owner": owner},
        )
        try:
            self._table.put_if(f"lease {name!r}", Put(row=row, condition=free))
        except StoreConflict:
            return False
        return True

    def release(self, name: str, owner: str) -> None:
        own = Condition(
            expression="#owner = :owner", names={"#owner": "owner"}, values={":owner": owner}
        )
        self._table.delete_if(lease_key(name), META, own)
