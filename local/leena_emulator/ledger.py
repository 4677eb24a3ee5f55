"""What the emulator accepted: the other side of the books that a checker joins with a client's.

An entry is written before the answer leaves, so a client that never saw an answer still has its
start in here. It holds no credential and no token.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from local.emulation.clock import Clock, control_timestamp
from local.leena_emulator.items import AopItem
from local.leena_emulator.journal import Journal

RUN_ID_KEY = "agentruns_run_id"
"""The member of an execute's `context` by which a client's own run id travels."""


class Operation(StrEnum):
    """The three documented calls."""

    TOKEN = "token"  # the name of an operation, not a password
    EXECUTE = "execute"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One accepted token mint or execute. The item fields are empty for a mint."""

    sequence: int
    operation: Operation
    at: datetime
    item: AopItem | None = None
    message_to_start: str = ""
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def aop_item_id(self) -> str | None:
        return self.item.aop_item_id if self.item else None

    @property
    def agentruns_run_id(self) -> Any:
        return self.context.get(RUN_ID_KEY)

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "sequence": self.sequence,
            "operation": self.operation.value,
            "at": control_timestamp(self.at),
        }
        if self.item is not None:
            document |= {
                "aop_id": self.item.aop_id,
                "aop_item_id": self.item.aop_item_id,
                "request_id": self.item.request_id,
                "run_id": self.item.run_id,
                "agentruns_run_id": self.agentruns_run_id,
                "message_to_start": self.message_to_start,
                "context": self.context,
            }
        return document


class Ledger:
    """Thread safe; entries are numbered from 1 without gaps."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._entries: list[LedgerEntry] = []
            self._received: Counter[Operation] = Counter()
            self._accepted: Counter[Operation] = Counter()
            self._status_reads: Counter[str] = Counter()
            self._redirects_followed: list[dict[str, Any]] = []

    def count_received(self, operation: Operation) -> None:
        """Every request that arrived, whatever became of it."""
        with self._lock:
            self._received[operation] += 1

    def record_token(self) -> None:
        self._append(Operation.TOKEN, item=None, message_to_start="", context={})

    def record_execute(
        self, item: AopItem, *, message_to_start: str, context: dict[str, Any]
    ) -> None:
        self._append(
            Operation.EXECUTE, item=item, message_to_start=message_to_start, context=context
        )

    def restore_execute(self, item: AopItem, record: dict[str, Any]) -> None:
        """Takes in a start that an earlier process wrote to the journal."""
        with self._lock:
            self._accepted[Operation.EXECUTE] += 1
            self._received[Operation.EXECUTE] += 1
            self._entries.append(
                LedgerEntry(
                    sequence=len(self._entries) + 1,
                    operation=Operation.EXECUTE,
                    at=datetime.fromisoformat(record["at"]),
                    item=item,
                    message_to_start=record["message_to_start"],
                    context=record["context"],
                )
            )

    def restore_status_read(self, aop_item_id: str) -> None:
        self.count_received(Operation.STATUS)
        self.record_status_read(aop_item_id)

    def record_status_read(self, aop_item_id: str) -> None:
        with self._lock:
            self._accepted[Operation.STATUS] += 1
            self._status_reads[aop_item_id] += 1

    def record_redirect_followed(self, *, method: str, had_authorization: bool) -> None:
        with self._lock:
            self._redirects_followed.append(
                {"method": method, "had_authorization": had_authorization}
            )

    @property
    def entries(self) -> list[LedgerEntry]:
        with self._lock:
            return list(self._entries)

    def mints(self) -> list[LedgerEntry]:
        return [entry for entry in self.entries if entry.operation is Operation.TOKEN]

    def executes(self, run_id: str | None = None) -> list[LedgerEntry]:
        """Accepted executes; with `run_id` those whose context carries it."""
        return [
            entry
            for entry in self.entries
            if entry.operation is Operation.EXECUTE
            and (run_id is None or entry.agentruns_run_id == run_id)
        ]

    def status_reads(self, aop_item_id: str) -> int:
        with self._lock:
            return self._status_reads[aop_item_id]

    def as_document(
        self, *, operation: Operation | None = None, run_id: str | None = None
    ) -> dict[str, Any]:
        """Entries that pass both filters; `counts` and `redirects_followed` are always whole."""
        with self._lock:
            entries = [
                entry
                for entry in self._entries
                if operation in (None, entry.operation)
                and (run_id is None or entry.agentruns_run_id == run_id)
            ]
            items = {entry.aop_item_id for entry in entries}
            is_filtered = run_id is not None
            return {
                "entries": [entry.as_document() for entry in entries],
                "status_reads": {
                    item: reads
                    for item, reads in self._status_reads.items()
                    if not is_filtered or item in items
                },
                "counts": {
                    name.value: {"received": self._received[name], "accepted": self._accepted[name]}
                    for name in Operation
                },
                "redirects_followed": list(self._redirects_followed),
            }

    def _append(
        self,
        operation: Operation,
        *,
        item: AopItem | None,
        message_to_start: str,
        context: dict[str, Any],
    ) -> None:
        with self._lock:
            entry = LedgerEntry(
                sequence=len(self._entries) + 1,
                operation=operation,
                at=self._clock(),
                item=item,
                message_to_start=message_to_start,
                context=context,
            )
            self._accepted[operation] += 1
            self._entries.append(entry)
            if item is not None:
                self._journal.append(
                    {
                        "record": "start",
                        "at": entry.at.isoformat(),
                        "message_to_start": message_to_start,
                        "context": context,
                        "item": item.as_record(),
                    }
                )
