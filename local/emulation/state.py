"""What every emulator remembers besides its provider's things: clock, settings and faults.

It knows nothing of HTTP. What an emulator's own state adds is that emulator's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from local.emulation.clock import Clock
from local.emulation.faults import FaultScript, FaultVocabulary


class ShownSettings(Protocol):
    """Settings of an emulator, as a value."""

    def as_document(self) -> dict[str, Any]:
        """Everything but the secrets."""


Settings = TypeVar("Settings", bound=ShownSettings)


class ControlledState(Generic[Settings]):
    """Each part guards itself against concurrent use."""

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        change: Callable[[Settings, Any], Settings],
        fault_vocabulary: FaultVocabulary,
    ) -> None:
        self.clock = clock
        self.started_at = clock()
        self.faults = FaultScript()
        self.fault_vocabulary = fault_vocabulary
        self._lock = threading.Lock()
        self._change = change
        self._settings_at_start = settings
        self._settings = settings

    @property
    def settings(self) -> Settings:
        return self._settings

    def change_settings(self, document: Any) -> Settings:
        """Takes over the fields of `document`. Raises InvalidField and then changes nothing."""
        with self._lock:
            self._settings = self._change(self._settings, document)
            return self._settings

    def reset(self) -> None:
        """Back to the start: neither faults nor changed settings."""
        self.faults.clear()
        with self._lock:
            self._settings = self._settings_at_start
