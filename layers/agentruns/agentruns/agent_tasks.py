"""Giving a run to an agent of one's own: what the agent is told, and the dispatch itself.

Accepted is not done: the run ends by the agent's call (`agent_results`). Retries: anything that
could not be recorded is raised, and the state machine's Retry owns it. Not here: what every start
shares (`dispatching`), HTTP and signatures (`adapters.agent_webhook`).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from agentruns import agent_calls
from agentruns.dispatching import Dispatch
from agentruns.errors import StartUnknown, UpstreamUnavailable
from agentruns.finding import agent_for
from agentruns.providers import WebhookAgentAdapter
from agentruns.routing import route
from agentruns.skills import SkillsOfAgent, skills_context
from agentruns.statuses import RunStatus
from agentruns.wake import briefing

if TYPE_CHECKING:
    from agentruns.agent_credentials import StoredAgentCredentials
    from agentruns.agent_ports import AgentCaller
    from agentruns.agent_records import SkillSummary
    from agentruns.agent_stores import SessionStore
    from agentruns.model import ActivityInput, ActivityRecord, Run
    from agentruns.polling import PollPolicy
    from agentruns.ports import ActivityStore, AgentStore, Clock
    from agentruns.steps import RunTask, Step
    from agentruns.task_tokens import TaskTokens

USUAL_MODEL = "default"
"""What an agent without a setting is told: the choice is its own."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBriefing:
    """What an agent is told of a run, in its dispatch and when it asks."""

    run: Run
    agent_role: str
    prompt: str
    system_prompt: str
    model: str
    max_turns: int | None
    manifest: tuple[SkillSummary, ...]
    session_id: str | None
    prior_output: str | None
    rejection_note: str | None
    reviewer_feedback: str | None
    subtask_output: str | None
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefAgent:
    """Puts a run's briefing together."""

    activities: ActivityStore
    agents: AgentStore
    skills_of_agent: SkillsOfAgent
    sessions: SessionStore
    clock: Clock

    def __call__(self, record: ActivityRecord, run: Run) -> TaskBriefing:
        """AgentNotFound where the agent was deleted meanwhile."""
        activity = record.activity
        agent = agent_for(self.agents, activity.tenant, activity.agent_role or "")
        activity_input = self.activities.read_input(activity.tenant, activity.activity_id)
        session = self.sessions.latest(activity.tenant, agent.role)
        told = briefing(record)
        return TaskBriefing(
            run=run,
            agent_role=agent.role,
            prompt=prompt_of(activity_input),
            system_prompt=agent.system_prompt,
            model=agent.model or USUAL_MODEL,
            max_turns=agent.max_turns,
            manifest=self.skills_of_agent.manifest(agent),
            session_id=None if session is None else session.session_id,
            prior_output=told.prior_output,
            rejection_note=told.rejection_note,
            reviewer_feedback=told.reviewer_feedback,
            subtask_output=told.subtask_output,
            timeout_ms=_milliseconds_until(activity.deadline_at, self.clock()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchAgent:
    """Give a pending run to its agent: at most once, whatever dies on the way.

    All that can fail without the agent is done before the row says `dispatching`. `agent_api_url`
    is where the agent calls back.
    """

    activities: ActivityStore
    brief_agent: BriefAgent
    credentials: StoredAgentCredentials
    task_tokens: TaskTokens
    caller: AgentCaller
    agent_api_url: str
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """Raises AgentRefused and AgentNotFound; the run is then settled as failed."""
        dispatch = Dispatch(activities=self.activities, clock=self.clock)
        record = self.activities.read(task.tenant, task.activity_id)
        if record.current_run.status is not RunStatus.PENDING:
            record, _ = dispatch.claim(task)  # what was sent must not be taken for refused
            return route(record, self.clock(), self.policy)
        send = self._prepare(record)
        record, is_ours = dispatch.claim(task)
        if is_ours:
            record = self._send(dispatch, record, send)
        return route(record, self.clock(), self.policy)

    def _prepare(self, record: ActivityRecord) -> partial[None]:
        adapter = record.activity.adapter
        if not isinstance(adapter, WebhookAgentAdapter):
            raise TypeError(f"a {adapter.type} is not dispatched")
        run, tenant = record.current_run, record.activity.tenant
        briefing = self.brief_agent(record, run)
        token = self.task_tokens.issue(tenant, run.run_id, record.activity.deadline_at)
        document = self._document(briefing) | {"taskToken": token.token.reveal()}
        credentials = self.credentials.get(tenant, briefing.agent_role)
        return partial(self.caller.dispatch, adapter.url, credentials, run.run_id, document)

    def _document(self, briefing: TaskBriefing) -> dict[str, Any]:
        run = briefing.run
        runs_url = f"{self.agent_api_url}/runs/{run.run_id}"
        return {
            "taskId": run.run_id,
            "tenantId": run.tenant,
            "agentRole": briefing.agent_role,
            "runId": run.run_id,
            "activityId": run.activity_id,
            "prompt": briefing.prompt,
            "systemPrompt": briefing.system_prompt,
            "skillsContext": skills_context(briefing.manifest),
            "wakeReason": run.wake_reason.value,
            "sessionId": briefing.session_id,
            "callbackUrl": f"{runs_url}/result",
            "contextUrl": f"{runs_url}/context",
            "timeoutMs": briefing.timeout_ms,
        }

    def _send(
        self, dispatch: Dispatch, record: ActivityRecord, send: partial[None]
    ) -> ActivityRecord:
        """Send it and store what came of it."""
        try:
            send()
        except UpstreamUnavailable as error:
            return dispatch.store_not_taken(record, error)
        except StartUnknown as error:
            return dispatch.store_unknown(record, error)
        logger.info("agent_dispatched")
        return dispatch.store(record, agent_calls.taken)


def prompt_of(activity_input: ActivityInput) -> str:
    """The message; an activity's context follows it as JSON, since the protocol has one prompt."""
    if not activity_input.context:
        return activity_input.message
    facts = json.dumps(dict(activity_input.context), ensure_ascii=False, indent=2)
    return f"{activity_input.message}\n\nContext:\n{facts}".lstrip()


def _milliseconds_until(at: datetime, now: datetime) -> int:
    return max(0, round((at - now).total_seconds() * 1000))
