"""The emulator as one object: the composition root, used by the program and by tests alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.emulation.clock import Clock, utc_now
from local.emulation.http_server import EmulatorServer
from local.emulation.messages import Delivery, Request
from local.emulation.serving import ServedEmulator
from local.leena_emulator.items import ItemStore
from local.leena_emulator.journal import Journal
from local.leena_emulator.ledger import Ledger
from local.leena_emulator.routes import answer
from local.leena_emulator.scenarios import Aop, AopCatalogue
from local.leena_emulator.settings import EmulatorSettings
from local.leena_emulator.state import EmulatorState
from local.leena_emulator.tokens import TokenMint


class LeenaEmulator(ServedEmulator[EmulatorSettings]):
    """A Leena emulator in a thread of this process.

    >>> with LeenaEmulator() as leena:
    ...     leena.add_fault(operation="execute", kind="status", status=503, times=1)
    ...     run_the_client_against(leena.url)
    ...     assert len(leena.ledger.executes()) == 1

    Raises OSError if the port is taken, JournalUnusable if the journal is.
    """

    _state: EmulatorState

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock = utc_now,
        settings: EmulatorSettings | None = None,
        verbose: bool = False,
        journal: Path | None = None,
    ) -> None:
        self._state = EmulatorState(
            clock=clock, settings=settings or EmulatorSettings(), journal=Journal(journal)
        )
        try:
            server = EmulatorServer(
                (host, port), self._answer, service_name="leena-emulator", verbose=verbose
            )
        except OSError:
            self._state.journal.close()
            raise
        super().__init__(self._state, server)

    @property
    def ledger(self) -> Ledger:
        return self._state.ledger

    @property
    def items(self) -> ItemStore:
        return self._state.items

    @property
    def aops(self) -> AopCatalogue:
        return self._state.aops

    @property
    def tokens(self) -> TokenMint:
        return self._state.tokens

    def define_aop(self, aop_id: str, phases: list[dict[str, Any]], **document: Any) -> Aop:
        """The fields of `PUT /_emulator/aops/{aop_id}`. Raises InvalidField."""
        return self.aops.define_from_document(aop_id, {"phases": phases, **document})[0]

    def stop(self) -> None:
        """Ends at once; what hangs is cut."""
        super().stop()
        self._state.journal.close()

    def _answer(self, request: Request) -> Delivery:
        return answer(self._state, request)
