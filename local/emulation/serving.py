"""An emulator's server in a thread of this process: bound at once, serving from start to stop."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Generic, Self

from local.emulation.faults import FaultScript, fault_rule
from local.emulation.http_server import EmulatorServer
from local.emulation.state import ControlledState, Settings


class Served:
    """A server as an object; a context manager.

    Bound to its port from the construction on, serving between `start` and `stop`.
    """

    def __init__(self, server: EmulatorServer) -> None:
        self._server = server
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL of all endpoints, without a trailing slash."""
        return f"http://{self._server.server_name}:{self._server.server_port}"

    def start(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=self._server.service_name,
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends at once; what hangs is cut."""
        if self._thread is None:
            self._server.server_close()
        else:
            self._server.stop()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class ServedEmulator(Served, Generic[Settings]):
    """Base of the emulators as objects, with what can be controlled of each."""

    def __init__(self, state: ControlledState[Settings], server: EmulatorServer) -> None:
        super().__init__(server)
        self._state = state

    @property
    def faults(self) -> FaultScript:
        return self._state.faults

    @property
    def settings(self) -> Settings:
        return self._state.settings

    def change_settings(self, **document: Any) -> Settings:
        """The fields of `PUT /_emulator/settings`. Raises InvalidField."""
        return self._state.change_settings(document)

    def add_fault(self, **document: Any) -> int:
        """The fields of one fault rule; gives its id. Raises InvalidField."""
        return self.faults.add(fault_rule(self._state.fault_vocabulary, document))[0]

    def reset(self) -> None:
        self._state.reset()
