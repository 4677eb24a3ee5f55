"""AOP execution items: what one accepted execute made, and how far it has come.

Polls advance an item only when a status read was handled; a read that a fault swallowed before it
was handled does not count. Looking at an item through the control endpoints never advances it.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.emulation.clock import Clock, control_timestamp
from local.emulation.errors import RequestRefused
from local.leena_emulator.journal import Journal
from local.leena_emulator.object_ids import ObjectIds
from local.leena_emulator.scenarios import Aop, Phase, is_terminal
from local.leena_emulator.timestamps import provider_timestamp


@dataclass(slots=True, kw_only=True)
class AopItem:
    """Changed only by its `ItemStore`, under the store's lock."""

    aop_item_id: str
    request_id: str
    run_id: str | None
    reference_id: str
    aop_id: str
    phases: tuple[Phase, ...]
    initiated_at: datetime
    phase_index: int = 0
    phase_entered_at: datetime
    polls_in_phase: int = 0
    forced_status: str | None = None
    forced_at: datetime | None = field(default=None)

    @property
    def status(self) -> str:
        return self.forced_status or self.phases[self.phase_index].status

    @property
    def completed_at(self) -> datetime | None:
        if not is_terminal(self.status):
            return None
        return self.forced_at or self.phase_entered_at

    def advance_by_clock(self, now: datetime) -> None:
        while self.phase_index < len(self.phases) - 1:
            seconds = self.phases[self.phase_index].seconds
            if seconds is None:
                return
            ends_at = self.phase_entered_at + timedelta(seconds=seconds)
            if now < ends_at:
                return
            self._enter_next_phase(ends_at)

    def advance_by_poll(self, now: datetime) -> None:
        """One status read: moves on if this phase has been shown often enough already."""
        self.advance_by_clock(now)
        polls = self.phases[self.phase_index].polls
        is_last = self.phase_index == len(self.phases) - 1
        if not is_last and polls is not None and self.polls_in_phase >= polls:
            self._enter_next_phase(now)
            self.advance_by_clock(now)
        self.polls_in_phase += 1

    def _enter_next_phase(self, entered_at: datetime) -> None:
        self.phase_index += 1
        self.phase_entered_at = entered_at
        self.polls_in_phase = 0

    def progress(self) -> dict[str, Any]:
        """What changes over the item's life, for the journal."""
        return {
            "phase_index": self.phase_index,
            "phase_entered_at": self.phase_entered_at.isoformat(),
            "polls_in_phase": self.polls_in_phase,
            "forced_status": self.forced_status,
            "forced_at": self.forced_at.isoformat() if self.forced_at else None,
        }

    def take_progress(self, progress: dict[str, Any]) -> None:
        forced_at = progress["forced_at"]
        self.phase_index = progress["phase_index"]
        self.phase_entered_at = datetime.fromisoformat(progress["phase_entered_at"])
        self.polls_in_phase = progress["polls_in_phase"]
        self.forced_status = progress["forced_status"]
        self.forced_at = datetime.fromisoformat(forced_at) if forced_at else None

    def as_record(self) -> dict[str, Any]:
        """All of it, for the journal."""
        return {
            "aop_item_id": self.aop_item_id,
            "request_id": self.request_id,
            "run_id": self.run_id,
            "reference_id": self.reference_id,
            "aop_id": self.aop_id,
            "phases": [phase.as_document() for phase in self.phases],
            "initiated_at": self.initiated_at.isoformat(),
            "progress": self.progress(),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> AopItem:
        """What `as_record` wrote."""
        initiated_at = datetime.fromisoformat(record["initiated_at"])
        item = cls(
            aop_item_id=record["aop_item_id"],
            request_id=record["request_id"],
            run_id=record["run_id"],
            reference_id=record["reference_id"],
            aop_id=record["aop_id"],
            phases=tuple(Phase(**phase) for phase in record["phases"]),
            initiated_at=initiated_at,
            phase_entered_at=initiated_at,
        )
        item.take_progress(record["progress"])
        return item

    def as_status_document(self) -> dict[str, Any]:
        """The provider's status answer."""
        completed_at = self.completed_at
        return {
            "aop_item_id": self.aop_item_id,
            "reference_id": self.reference_id,
            "status": self.status,
            "initiated_at": provider_timestamp(self.initiated_at),
            "completed_at": provider_timestamp(completed_at) if completed_at else None,
        }

    def as_control_document(self) -> dict[str, Any]:
        completed_at = self.completed_at
        return {
            "aop_item_id": self.aop_item_id,
            "request_id": self.request_id,
            "run_id": self.run_id,
            "reference_id": self.reference_id,
            "aop_id": self.aop_id,
            "status": self.status,
            "is_terminal": is_terminal(self.status),
            "is_forced": self.forced_status is not None,
            "initiated_at": control_timestamp(self.initiated_at),
            "completed_at": control_timestamp(completed_at) if completed_at else None,
        }


class ItemStore:
    """All items since the start or the last reset, in memory. Thread safe.

    Progress goes to the journal; the start of an item is the ledger's to write.
    """

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._lock = threading.Lock()
        self._ids = ObjectIds(clock)
        self._items: dict[str, AopItem] = {}
        self._numbers = itertools.count(1)

    def create(self, aop: Aop) -> AopItem:
        now = self._clock()
        with self._lock:
            number = next(self._numbers)
            item = AopItem(
                request_id=self._ids.next_id(),
                aop_item_id=self._ids.next_id(),
                run_id=f"ID_{number:06d}" if aop.has_run_id else None,
                reference_id=f"RPT{number:06d}",
                aop_id=aop.aop_id,
                phases=aop.phases,
                initiated_at=now,
                phase_entered_at=now,
            )
            self._items[item.aop_item_id] = item
        return item

    def restore(self, item: AopItem) -> None:
        """Takes in an item of an earlier process; its numbers are not given out again."""
        with self._lock:
            self._items[item.aop_item_id] = item
            self._numbers = itertools.count(int(item.reference_id.removeprefix("RPT")) + 1)

    def restore_progress(self, aop_item_id: str, progress: dict[str, Any]) -> None:
        with self._lock:
            self._items[aop_item_id].take_progress(progress)

    def aop_id_of(self, aop_item_id: str) -> str | None:
        with self._lock:
            item = self._items.get(aop_item_id.lower())
            return item.aop_id if item else None

    def read_status(self, aop_item_id: str) -> dict[str, Any]:
        """A provider status read, which counts as a poll. Raises RequestRefused 404."""
        now = self._clock()
        with self._lock:
            item = self._get(aop_item_id)
            if item.forced_status is None:
                item.advance_by_poll(now)
            self._write_progress(item, is_poll=True)
            return item.as_status_document()

    def look(self, aop_item_id: str) -> dict[str, Any]:
        """The item as the control endpoints show it; no poll. Raises RequestRefused 404."""
        now = self._clock()
        with self._lock:
            item = self._get(aop_item_id)
            item.advance_by_clock(now)
            return item.as_control_document()

    def look_at_all(self) -> list[dict[str, Any]]:
        now = self._clock()
        with self._lock:
            for item in self._items.values():
                item.advance_by_clock(now)
            return [item.as_control_document() for item in self._items.values()]

    def force_status(self, aop_item_id: str, status: str | None) -> dict[str, Any]:
        """Shows `status` from now on, whatever the scenario; None gives it back to its scenario.

        Raises RequestRefused 404.
        """
        now = self._clock()
        with self._lock:
            item = self._get(aop_item_id)
            item.forced_status = status
            item.forced_at = now if status else None
            self._write_progress(item, is_poll=False)
            return item.as_control_document()

    def clear(self) -> None:
        with self._lock:
            self._items.clear()

    def _write_progress(self, item: AopItem, *, is_poll: bool) -> None:
        record = {"record": "progress", "aop_item_id": item.aop_item_id, "is_poll": is_poll}
        self._journal.append({**record, "progress": item.progress()})

    def _get(self, aop_item_id: str) -> AopItem:
        item = self._items.get(aop_item_id.lower())
        if item is None:
            raise RequestRefused(404, f"AOP item {aop_item_id} not found")
        return item
