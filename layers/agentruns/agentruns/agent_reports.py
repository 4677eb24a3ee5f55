"""What an agent of one's own tells of a run beside its output: for billing and audit.

Plain values. Not here: what the Agent API calls its parts (`api`), how it is stored (`store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """None, or empty: the agent did not say. `session_id` is the agent's own, to go on from."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    duration_ms: int | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ToolCallStatus(StrEnum):
    """How a tool answered."""

    SUCCESS = "success"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a tool that an agent made; `number` counts those of its run, from 1.

    `key_sha256`: of the key under which a repeat is the same call; `body_sha256`: what it said.
    """

    tenant: str
    activity_id: str
    run_id: str
    attempt: int
    number: int
    tool_name: str
    method: str
    status: ToolCallStatus
    input: Any
    output: Any
    error: str | None
    duration_ms: int
    cost_nanousd: int
    called_at: datetime
    key_sha256: str | None = None
    body_sha256: str = ""
