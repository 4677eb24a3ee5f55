"""An emulator's server in a thread of this process: bound at once, serving from start to stop."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from local.emulation.http_server import EmulatorServer


class ServedEmulator:
    """Base of the emulators as objects; a context manager."""

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
