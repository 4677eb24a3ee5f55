"""The sweeper's marks in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock

from agentruns.errors import StoreConflict
from agentruns.ports import LookMark


class InMemoryLookMarkStore:
    """`writes` counts the conditional writes that were made."""

    def __init__(self) -> None:
        self.writes = 0
        self._marks: dict[tuple[str, str], LookMark] = {}
        self._lock = Lock()

    def list(self) -> tuple[LookMark, ...]:
        with self._lock:
            return tuple(self._marks.values())

    def read(self, tenant: str, connection: str) -> LookMark:
        with self._lock:
            return self._marks.get(
                (tenant, connection), LookMark(tenant=tenant, connection=connection)
            )

    def write(self, mark: LookMark, now: datetime) -> None:
        with self._lock:
            stored = self._marks.get((mark.tenant, mark.connection))
            if (stored.version if stored else 0) != mark.version:
                raise StoreConflict(f"look mark of {mark.connection!r} moved on")
            self.writes += 1
            following = replace(mark, version=mark.version + 1)
            self._marks[mark.tenant, mark.connection] = following
