"""Everything one emulator remembers, in one place. It knows nothing of HTTP."""

from __future__ import annotations

from typing import Any

from local.emulation.clock import Clock
from local.emulation.state import ControlledState
from local.leena_emulator.errors import JournalUnusable
from local.leena_emulator.faults import vocabulary
from local.leena_emulator.items import AopItem, ItemStore
from local.leena_emulator.journal import Journal
from local.leena_emulator.ledger import Ledger
from local.leena_emulator.scenarios import AopCatalogue
from local.leena_emulator.settings import EmulatorSettings, change_settings
from local.leena_emulator.tokens import TokenMint


class EmulatorState(ControlledState[EmulatorSettings]):
    """Each part guards itself against concurrent use."""

    def __init__(
        self, *, clock: Clock, settings: EmulatorSettings, journal: Journal | None = None
    ) -> None:
        self.journal = journal or Journal()
        self.tokens = TokenMint(clock)
        self.aops = AopCatalogue()
        super().__init__(
            clock=clock,
            settings=settings,
            change=change_settings,
            fault_vocabulary=vocabulary(self.aops),
        )
        self.items = ItemStore(clock, self.journal)
        self.ledger = Ledger(clock, self.journal)
        self._restore(self.journal.open())

    def reset(self) -> None:
        """Back to the start: no items, ledger, faults or own AOPs. Tokens stay valid."""
        super().reset()
        self.items.clear()
        self.ledger.clear()
        self.journal.clear()
        self.aops.restore_ready_ones()

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
