"""The stores of `agentruns.agent_stores` in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Lock

from agentruns.agent_errors import AgentKeyNotFound, SkillNotFound
from agentruns.agent_records import AgentKey, AgentSession, Skill, SkillSummary
from agentruns.agent_reports import ToolCall
from agentruns.agent_stores import Stretch
from agentruns.deltas import Delta
from agentruns.errors import StoreConflict
from agentruns.model import Run
from tests.fakes.stores import InMemoryActivityStore


class InMemoryAgentKeyStore:
    def __init__(self) -> None:
        self._keys: dict[str, AgentKey] = {}

    def put(self, key: AgentKey) -> None:
        self._keys[key.key_id] = key

    def find(self, key_id: str) -> AgentKey | None:
        return self._keys.get(key_id)

    def list(self, tenant: str, role: str) -> tuple[AgentKey, ...]:
        own = [key for key in self._keys.values() if (key.tenant, key.role) == (tenant, role)]
        return tuple(sorted(own, key=lambda key: (key.created_at, key.key_id)))

    def delete(self, tenant: str, role: str, key_id: str) -> None:
        if key_id not in {key.key_id for key in self.list(tenant, role)}:
            raise AgentKeyNotFound(key_id)
        del self._keys[key_id]


class InMemorySkillStore:
    def __init__(self) -> None:
        self._skills: dict[tuple[str, str], Skill] = {}

    def put(self, skill: Skill) -> None:
        self._skills[skill.summary.tenant, skill.summary.name] = skill

    def get(self, tenant: str, name: str) -> Skill:
        try:
            return self._skills[tenant, name]
        except KeyError:
            raise SkillNotFound(name) from None

    def list(self, tenant: str) -> tuple[SkillSummary, ...]:
        names = sorted(name for owner, name in self._skills if owner == tenant)
        return tuple(self._skills[tenant, name].summary for name in names)

    def delete(self, tenant: str, name: str) -> None:
        self.get(tenant, name)
        del self._skills[tenant, name]


class InMemorySessionStore:
    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str, str], AgentSession] = {}
        self._latest: dict[tuple[str, str], AgentSession] = {}

    def put(self, session: AgentSession, now: datetime) -> None:
        self._sessions[session.tenant, session.role, session.session_id] = session
        self._latest[session.tenant, session.role] = session

    def find(self, tenant: str, role: str, session_id: str) -> AgentSession | None:
        return self._sessions.get((tenant, role, session_id))

    def latest(self, tenant: str, role: str) -> AgentSession | None:
        return self._latest.get((tenant, role))


class InMemoryDeltaStore:
    def __init__(self) -> None:
        self._deltas: dict[tuple[str, str, int], Delta] = {}
        self._lock = Lock()

    def put(self, delta: Delta, limit_bytes: int) -> bool:
        with self._lock:
            key = (delta.tenant, delta.run_id, delta.number)
            if key in self._deltas:
                raise StoreConflict(f"delta {delta.number} is there")
            own = [each for each in self._deltas.values() if each.run_id == delta.run_id]
            if sum(each.size_bytes for each in (*own, delta)) > limit_bytes:
                return False
            self._deltas[key] = delta
            return True

    def find(self, run: Run, number: int) -> Delta | None:
        return self._deltas.get((run.tenant, run.run_id, number))

    def list(self, run: Run, first: int, last: int, limit: int) -> Stretch[Delta]:
        there = tuple(
            self._deltas[key]
            for key in sorted(self._deltas)
            if key[:2] == (run.tenant, run.run_id) and first <= key[2] <= last
        )
        return Stretch(items=there[:limit], has_more=len(there) >= limit)


class InMemoryToolCallStore:
    """What the activities' store was given together with their events."""

    def __init__(self, activities: InMemoryActivityStore) -> None:
        self._calls = activities.tool_calls

    def find_by_key(self, run: Run, key_sha256: str) -> ToolCall | None:
        own = [call for call in self._of(run) if call.key_sha256 == key_sha256]
        return own[0] if own else None

    def list(self, run: Run, after: int, limit: int) -> Stretch[ToolCall]:
        own = tuple(call for call in self._of(run) if call.number > after)
        return Stretch(items=own[:limit], has_more=len(own) >= limit)

    def _of(self, run: Run) -> Sequence[ToolCall]:
        return [
            call for call in self._calls if (call.tenant, call.run_id) == (run.tenant, run.run_id)
        ]
