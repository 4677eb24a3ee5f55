"""The request budgets of connections in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from threading import Lock

from agentruns.budget import BudgetState
from agentruns.errors import StoreConflict


class InMemoryBudgetStore:
    """`reads`, `writes` and `conflicts` (writes that failed) count what was asked."""

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.conflicts = 0
        self._states: dict[tuple[str, str], BudgetState] = {}
        self._lock = Lock()

    def read(self, tenant: str, connection: str) -> BudgetState:
        unused = BudgetState(tenant=tenant, connection=connection)
        with self._lock:
            self.reads += 1
            return self._states.get((tenant, connection), unused)

    def write(self, state: BudgetState, now: datetime) -> BudgetState:
        key = state.tenant, state.connection
        with self._lock:
            self.writes += 1
            stored = self._states.get(key)
            if (stored.version if stored else 0) != state.version:
                self.conflicts += 1
                raise StoreConflict(f"request budget of {state.connection!r} moved on")
            self._states[key] = replace(state, version=state.version + 1)
            return self._states[key]
