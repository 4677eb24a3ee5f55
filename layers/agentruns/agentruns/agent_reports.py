"""What an agent of one's own tells of a run beside its output: for billing and audit.

A plain value. Not here: what the Agent API calls its parts (`api`), how it is stored (`store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """None, or empty: the agent did not say. `session_id` is the agent's own, to go on from."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    duration_ms: int | None = None
    session_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
