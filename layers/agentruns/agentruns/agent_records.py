"""What is kept of agents besides their settings: keys, skills, sessions.

Plain immutable values. Not here: the agent itself (`definitions`), what may be done with these
(`agent_keys`, `skills`, `sessions`), how they are stored (`store`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentKey:
    """A stored key of an agent: its hash, never itself. It speaks for one role of one tenant."""

    tenant: str
    role: str
    key_id: str
    name: str
    secret_sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillReference:
    """A further text that a skill speaks of."""

    name: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSummary:
    """What decides whether a skill is read: its name, and when to use it."""

    tenant: str
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """`content` is the whole Markdown document, front matter included."""

    summary: SkillSummary
    content: str
    references: tuple[SkillReference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSession:
    """A session that an agent keeps with its own runtime, to go on from in its next run."""

    tenant: str
    role: str
    session_id: str
    run_id: str
    input_tokens: int
    output_tokens: int
    created_at: datetime
    updated_at: datetime
