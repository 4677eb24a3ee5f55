"""Everything one emulator remembers, in one place. It knows nothing of HTTP."""

from __future__ import annotations

import threading
from typing import Any

from local.emulation.clock import Clock
from local.emulation.faults import FaultScript
from local.leena_emulator.errors import JournalUnusable
from local.leena_emulator.faults import vocabulary
from local.leena_emulator.items import AopItem, ItemStore
from local.leena_emulator.journal import Journal
from local.leena_emulator.ledger import Ledger
from local.leena_emulator.scenarios import AopCatalogue
from local.leena_emulator.settings import EmulatorSettings, change_settings
from local.leena_emulator.tokens import TokenMint


class EmulatorState:
    """Each part guards itself against concurrent use."""

    def __init__(
        self, *, clock: Clock, settings: EmulatorSettings, journal: Journal | None = None
    ) -> None:
        self.journal = journal or Journal()
        self.clock = clock
        self.started_at = clock()
        self.tokens = TokenMint(clock)
        self.aops = AopCatalogue()
        self.items = ItemStore(clock, self.journal)
        self.ledger = Ledger(clock, self.journal)
        self.faults = FaultScript()
        self.fault_vocabulary = vocabulary(self.aops)
        self._lock = threading.Lock()
        self._settings_at_start = settings
        self._settings = settings
        self._restore(self.journal.open())

    @property
    def settings(self) -> EmulatorSettings:
        return self._settings

    def change_settings(self, document: Any) -> EmulatorSettings:
        """Takes over the fields of `document`. Raises InvalidField and then changes nothing."""
        with self._lock:
            self._settings = change_settings(self._settings, document)
            return self._settings

    def reset(self) -> None:
        """Back to the start: no items, ledger, faults or own AOPs. Tokens stay valid."""
        self.faults.clear()
        self.items.clear()
        self.ledger.clear()
        self.journal.clear()
        self.aops.restore_ready_ones()
        with self._lock:
            self._settings = self._settings_at_start

    def _restore(self, records: list[dict[str, Any]]) -> None:
        try:
            self._replay(records)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            self.journal.close()
            raise JournalUnusable(f"{self.journal.path}: a record lacks a part") from exc

    def _replay(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            if record["record"] == "start":
                item = AopItem.from_record(record["item"])
                self.items.restore(item)
                self.ledger.restore_execute(item, record)
            else:
                self.items.restore_progress(record["aop_item_id"], record["progress"])
                if record["is_poll"]:
                    self.ledger.restore_status_read(record["aop_item_id"])
