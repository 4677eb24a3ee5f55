"""What the Agent API needs: use cases, and who its callers are.

Not here: which ports they are (`wiring`).
"""

from __future__ import annotations

from dataclasses import dataclass

from agentruns.agent_results import AgentRuns, DeliverResult, ReadContext, RenewToken
from agentruns.task_tokens import TaskTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentServices:
    """Handed to `build_agent_app`."""

    task_tokens: TaskTokens
    runs: AgentRuns
    read_context: ReadContext
    renew_token: RenewToken
    deliver_result: DeliverResult
