"""The gates of connections in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock

from agentruns.errors import StoreConflict
from agentruns.gate import Door, GateState


class InMemoryGateStore:
    """`reads` and `writes` count what was asked; the conditional writes that failed too."""

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self._states: dict[tuple[str, str, Door], GateState] = {}
        self._lock = Lock()

    def read(self, tenant: str, connection: str, door: Door, *, consistent: bool) -> GateState:
        never_closed = GateState(tenant=tenant, connection=connection, door=door)
        with self._lock:
            self.reads += 1
            return self._states.get((tenant, connection, door), never_closed)

    def write(self, state: GateState, now: datetime) -> GateState:
        key = (state.tenant, state.connection, state.door)
        with self._lock:
            self.writes += 1
            stored = self._states.get(key)
            if (stored.version if stored else 0) != state.version:
                raise StoreConflict(f"gate {state.door.value!r} moved on")
            self._states[key] = replace(state, version=state.version + 1)
            return self._states[key]
