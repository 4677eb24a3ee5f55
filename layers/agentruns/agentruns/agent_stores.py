"""What the use cases ask of the stores of agents' keys, skills and sessions.

As `ports`: shapes and errors stand here once; each has two implementations, the real one and a
fake. Not a place for logic.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from agentruns.agent_records import AgentKey, AgentSession, Skill, SkillSummary


class AgentKeyStore(Protocol):
    def put(self, key: AgentKey) -> None: ...

    def find(self, key_id: str) -> AgentKey | None:
        """By its id alone: tenant and role are what the key tells us."""

    def list(self, tenant: str, role: str) -> tuple[AgentKey, ...]:
        """Oldest first. Strongly consistent."""

    def delete(self, tenant: str, role: str, key_id: str) -> None:
        """AgentKeyNotFound, also for another role's."""


class SkillStore(Protocol):
    def put(self, skill: Skill) -> None:
        """Both of it or nothing: what `list` says of it, and what `get` gives."""

    def get(self, tenant: str, name: str) -> Skill:
        """SkillNotFound."""

    def list(self, tenant: str) -> tuple[SkillSummary, ...]:
        """By name, without the contents."""

    def delete(self, tenant: str, name: str) -> None:
        """SkillNotFound."""


class SessionStore(Protocol):
    """Sessions of agents. A row lives 90 days after its last write."""

    def put(self, session: AgentSession, now: datetime) -> None:
        """Stored under its id, and as its role's latest, whatever was there."""

    def find(self, tenant: str, role: str, session_id: str) -> AgentSession | None:
        """Strongly consistent."""

    def latest(self, tenant: str, role: str) -> AgentSession | None:
        """The one that was stored last. Strongly consistent."""
