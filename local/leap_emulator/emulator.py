"""The emulator as one object: the composition root, used by the program and by tests alike."""

from __future__ import annotations

from typing import Any, Self

from local.emulation.clock import Clock, utc_now
from local.emulation.http_server import EmulatorServer
from local.emulation.messages import Delivery, Request
from local.emulation.serving import ServedEmulator
from local.leap_emulator.ledger import Ledger
from local.leap_emulator.routes import answer
from local.leap_emulator.runs import RunStore
from local.leap_emulator.settings import EmulatorSettings
from local.leap_emulator.state import EmulatorState
from local.leap_emulator.workflows import Workflow, WorkflowCatalogue


class LeapEmulator(ServedEmulator[EmulatorSettings]):
    """A Leap emulator in a thread of this process.

    >>> with LeapEmulator() as leap:
    ...     leap.add_fault(operation="webhook", kind="twice", times=1)
    ...     run_the_client_against(leap.url)
    ...     assert len(leap.ledger.wait_for_webhooks(2)) == 2

    Raises OSError if the port is taken.
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
    ) -> None:
        self._state = EmulatorState(clock=clock, settings=settings or EmulatorSettings())
        server = EmulatorServer(
            (host, port), self._answer, service_name="leap-emulator", verbose=verbose
        )
        super().__init__(self._state, server)
        self._state.base_url = self.url

    @property
    def ledger(self) -> Ledger:
        return self._state.ledger

    @property
    def runs(self) -> RunStore:
        return self._state.runs

    @property
    def workflows(self) -> WorkflowCatalogue:
        return self._state.workflows

    def define_workflow(
        self, workflow_id: str, phases: list[dict[str, Any]], **document: Any
    ) -> Workflow:
        """The fields of `PUT /_emulator/workflows/{workflow_id}`. Raises InvalidField."""
        return self.workflows.define_from_document(workflow_id, {"phases": phases, **document})[0]

    def set_run_status(self, run_id: str, status: str, **outcome: Any) -> None:
        """Ends a run on command; `output` and `error` replace the workflow's own."""
        self._state.set_status(run_id, status, outcome)

    def start(self) -> Self:
        self._state.webhooks.start()
        return super().start()

    def stop(self) -> None:
        """Ends at once; what hangs is cut, webhooks not sent yet never are."""
        super().stop()
        self._state.webhooks.stop()

    def _answer(self, request: Request) -> Delivery:
        return answer(self._state, request)
