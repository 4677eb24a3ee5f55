"""What an agent may ask and tell of its own run: context, status, a new token, and the result.

The task token says which run; the row says whether it still goes on. A call for a run that has
ended is Unauthenticated, as if the token were dead, save where the agent asks how it ended. Not
here: HTTP (`api.agent_routes`), the rules of what a call makes of the run (`agent_calls`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentruns import agent_calls
from agentruns.agent_errors import ResultAlreadyReceived, RunNotDispatched
from agentruns.commenting import newest_of_thread
from agentruns.errors import ActivityNotFound, AgentNotFound, RunNotFound
from agentruns.finding import agent_for, is_same_role
from agentruns.ids import activity_id_of
from agentruns.request_errors import Unauthenticated
from agentruns.run_outputs import own_ref, read_text
from agentruns.statuses import RunStatus
from agentruns.transact import Decide, transact

if TYPE_CHECKING:
    from agentruns.agent_calls import AgentResult
    from agentruns.agent_records import Skill
    from agentruns.agent_tasks import BriefAgent, TaskBriefing
    from agentruns.comment import Comment, Mention
    from agentruns.definitions import Agent
    from agentruns.model import ActivityRecord, Change, Run
    from agentruns.outputs import OutputStore
    from agentruns.ports import ActivityStore, AgentStore, Clock
    from agentruns.task_tokens import IssuedToken, TaskCaller, TaskTokens
    from agentruns.wait_ports import CommentStore
    from agentruns.waking import WakeExecution

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRuns:
    """The run that a task token speaks for."""

    activities: ActivityStore
    clock: Clock

    def read(self, caller: TaskCaller, run_id: str) -> ActivityRecord:
        """Whatever became of it. Errors as `transact`."""
        return self.transact(caller, run_id, lambda _: None)

    def enter(self, caller: TaskCaller, run_id: str) -> ActivityRecord:
        """A run that goes on, and from now on is known to: its agent has called.

        Errors as `transact`; Unauthenticated where it has ended; RunNotDispatched.
        """

        def decide(seen: ActivityRecord) -> Change | None:
            return agent_calls.called(seen, require_dispatched(seen.run(run_id)), self.clock())

        return self.transact(caller, run_id, decide)

    def transact(self, caller: TaskCaller, run_id: str, decide: Decide) -> ActivityRecord:
        """Unauthenticated for a token of another run; RunNotFound; StoreContention; whatever
        `decide` raises."""
        if caller.run_id != run_id:
            raise Unauthenticated("this task token speaks for another run")

        def of_the_run(record: ActivityRecord) -> Change | Run | None:
            record.run(run_id)
            return decide(record)

        try:
            return transact(self.activities, caller.tenant, activity_id_of(run_id), of_the_run)
        except ActivityNotFound as error:
            raise RunNotFound(run_id) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionedIn:
    """Where the agent was mentioned, and what was said there."""

    mention: Mention
    title: str
    comments: tuple[Comment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """`comments`: the newest of the activity's thread. `mentioned_in`: of a notification."""

    briefing: TaskBriefing
    skills: tuple[Skill, ...]
    comments: tuple[Comment, ...] = ()
    mentioned_in: MentionedIn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """What the agent is to do, told again, with what it may read up on."""

    runs: AgentRuns
    brief_agent: BriefAgent
    outputs: Callable[[], OutputStore]
    comments: CommentStore

    def __call__(self, caller: TaskCaller, run_id: str) -> RunContext:
        record = self.runs.enter(caller, run_id)
        briefing = self.brief_agent(record, record.run(run_id))
        briefing = replace(briefing, prior_output=self._prior_output(record) or None)
        agent = agent_for(self.brief_agent.agents, caller.tenant, briefing.agent_role)
        skills = self.brief_agent.skills_of_agent.contents(agent)
        return RunContext(
            briefing=briefing,
            skills=skills,
            comments=newest_of_thread(self.comments, caller.tenant, record.activity.activity_id),
            mentioned_in=self._mentioned_in(record),
        )

    def _mentioned_in(self, record: ActivityRecord) -> MentionedIn | None:
        mention, tenant = record.activity.mentioned_in, record.activity.tenant
        if mention is None:
            return None
        return MentionedIn(
            mention=mention,
            title=self.runs.activities.read(tenant, mention.activity_id).activity.title,
            comments=newest_of_thread(self.comments, tenant, mention.activity_id),
        )

    def _prior_output(self, record: ActivityRecord) -> str | None:
        """Of the newest earlier run that had one, also where it is too large for its row."""
        for run in reversed(record.runs[:-1]):
            if own_ref(run) is not None:
                return read_text(self.outputs, run)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOfRun:
    """The agent whose run a task token speaks for, by the role that a path names."""

    runs: AgentRuns
    agents: AgentStore

    def __call__(self, caller: TaskCaller, role: str) -> Agent:
        """AgentNotFound for any other role; else as `AgentRuns.enter`."""
        record = self.runs.enter(caller, caller.run_id)
        own_role = record.activity.agent_role or ""
        if not is_same_role(own_role, role):
            raise AgentNotFound(role)
        return agent_for(self.agents, caller.tenant, own_role)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewToken:
    """Another token for a run that still goes on: a long one must not die of an expired token."""

    runs: AgentRuns
    task_tokens: TaskTokens

    def __call__(self, caller: TaskCaller, run_id: str) -> IssuedToken:
        record = self.runs.enter(caller, run_id)
        return self.task_tokens.issue(caller.tenant, run_id, record.activity.deadline_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverResult:
    """Take a run's one result and let its execution go on.

    First the row, then the execution: one that could not be woken is the sweeper's.
    """

    runs: AgentRuns
    wake_execution: WakeExecution
    clock: Clock

    def __call__(self, caller: TaskCaller, run_id: str, result: AgentResult) -> None:
        """ResultAlreadyReceived for a second one, and for the first after another end, which is
        kept as evidence; RunNotDispatched; else as `AgentRuns.transact`."""
        came_late = False

        def decide(seen: ActivityRecord) -> Change:
            nonlocal came_late
            run = seen.run(run_id)
            if agent_calls.has_result(run):
                raise ResultAlreadyReceived(run_id, run.status, was_delivered=True)
            if run.status is RunStatus.PENDING:
                raise RunNotDispatched(run_id)
            came_late = run.status.is_terminal
            return agent_calls.delivered(seen, run, result, self.clock())

        record = self.runs.transact(caller, run_id, decide)
        if came_late:
            status = record.run(run_id).status
            raise ResultAlreadyReceived(run_id, status, was_delivered=False)
        logger.info("result_delivered", extra={"run_status": result.status.value})
        self.wake_execution(record, record.current_run.callback_token, forgets_token=False)


def require_dispatched(run: Run) -> Run:
    """The run itself. Unauthenticated where it has ended; RunNotDispatched."""
    if run.status.is_terminal:
        raise Unauthenticated("this task token is not known, or no longer valid")
    if run.status is RunStatus.PENDING:
        raise RunNotDispatched(run.run_id)
    return run
