"""What the use cases ask of the stores of agents' keys, skills, sessions, text and tool calls.

As `ports`: shapes and errors stand here once; each has two implementations, the real one and a
fake. Not a place for logic.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from agentruns.agent_records import AgentKey, AgentSession, Skill, SkillSummary
    from agentruns.agent_reports import ToolCall
    from agentruns.deltas import Delta
    from agentruns.model import Run

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch(Generic[T]):
    """Part of a range, in order. `has_more`: there may be more of it behind the last item."""

    items: tuple[T, ...]
    has_more: bool


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


class DeltaStore(Protocol):
    """The text that agents stream, a row for each delta; it lives 90 days."""

    def put(self, delta: Delta, limit_bytes: int) -> bool:
        """False, and nothing stored, where the run's text would be longer than `limit_bytes` with
        it. StoreConflict where the run has one of that number; StoreContention."""

    def find(self, run: Run, number: int) -> Delta | None:
        """Strongly consistent."""

    def list(self, run: Run, first: int, last: int, limit: int) -> Stretch[Delta]:
        """By number, from `first` to `last`, both included; a megabyte or so at a time. Strongly
        consistent."""


class ToolCallStore(Protocol):
    """The tool calls that were stored together with their event (`ActivityStore.apply`)."""

    def find_by_key(self, run: Run, key_sha256: str) -> ToolCall | None:
        """Strongly consistent."""

    def list(self, run: Run, after: int, limit: int) -> Stretch[ToolCall]:
        """Those with a number above `after`, ascending; a megabyte or so at a time. Strongly
        consistent."""
