"""What the agent remembers: the dispatches it took, its calls and how they were answered.

Written down before an answer leaves, and when one has come; thread safe. Not here: judging it
(`chaos.agent_rules`).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from chaos.books import AgentCall, Taken


class AgentLedger:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: list[str] = []
        self._taken: list[Taken] = []
        self._calls: list[AgentCall] = []
        self.refused_signatures = 0

    def record_received(self, run_id: str) -> None:
        """A dispatch with the right signature, whatever becomes of it."""
        with self._lock:
            self._received.append(run_id)

    def record_refused_signature(self) -> None:
        with self._lock:
            self.refused_signatures += 1

    def record_taken(self, taken: Taken) -> None:
        with self._lock:
            self._taken.append(taken)

    def record_call(self, call: AgentCall) -> None:
        with self._lock:
            self._calls.append(call)

    @property
    def received(self) -> int:
        """How many dispatches came."""
        with self._lock:
            return len(self._received)

    def taken(self) -> Sequence[Taken]:
        with self._lock:
            return list(self._taken)

    def calls(self) -> Sequence[AgentCall]:
        with self._lock:
            return list(self._calls)

    def has_taken(self, run_id: str) -> bool:
        return any(entry.run_id == run_id for entry in self.taken())

    def was_told(self, activity_id: str, *names: str) -> bool:
        """Whether such a call was taken, of any of the activity's runs."""
        runs = {entry.run_id for entry in self.taken() if entry.activity_id == activity_id}
        return any(
            call.is_taken and call.name in names and call.run_id in runs for call in self.calls()
        )

    def counts(self) -> Counter[str]:
        """Calls by name, and those of them that were refused as `<name> refused`."""
        found: Counter[str] = Counter()
        for call in self.calls():
            found[call.name] += 1
            found[f"{call.name} refused"] += not call.is_taken
        return found
