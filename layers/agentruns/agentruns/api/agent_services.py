"""What the Agent API needs: use cases, and who its callers are.

Not here: which ports they are (`wiring`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentruns.agent_health import CheckAgentHealth
    from agentruns.agent_keys import AgentKeyring
    from agentruns.agent_results import (
        AgentOfRun,
        AgentRuns,
        DeliverResult,
        ReadContext,
        RenewToken,
    )
    from agentruns.agent_stores import SessionStore
    from agentruns.agent_streams import ReceiveDelta, ReportToolCall
    from agentruns.api.action_services import ActionServices
    from agentruns.ports import Clock
    from agentruns.probing import ProbeAgent
    from agentruns.sessions import StoreSession
    from agentruns.skills import SkillsOfAgent
    from agentruns.task_tokens import TaskTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentServices:
    """Handed to `build_agent_app`."""

    task_tokens: TaskTokens
    keyring: AgentKeyring
    runs: AgentRuns
    read_context: ReadContext
    renew_token: RenewToken
    deliver_result: DeliverResult
    actions: ActionServices
    agent_of_run: AgentOfRun
    skills_of_agent: SkillsOfAgent
    store_session: StoreSession
    sessions: SessionStore
    check_agent_health: CheckAgentHealth
    probe_agent: ProbeAgent
    clock: Clock
    receive_delta: ReceiveDelta
    report_tool_call: ReportToolCall
