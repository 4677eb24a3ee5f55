"""A probe: real work given to an agent, end to end, to see whether and how fast it comes back.

The probe is an activity like any other, opened with the wake reason `probe`: an AOP or a workflow
really runs. Not here: checks that start nothing (`agent_health`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns.definitions import ActivityRequest
from agentruns.errors import ActivityEnded, AgentDisabled, InvalidRequest
from agentruns.finding import agent_for
from agentruns.model import Run, Trigger
from agentruns.providers import Adapter, LeapWorkflowAdapter, LeenaAopAdapter
from agentruns.statuses import RunStatus

if TYPE_CHECKING:
    from agentruns.activities import AcceptActivity
    from agentruns.cancelling import CancelActivity
    from agentruns.ports import ActivityStore, AgentStore, Clock

PROMPT = "This is a probe. Answer with one short sentence, without using any tool."
TAG = "probe"
WAIT_SECONDS = 20.0
"""API Gateway waits 29 s."""
LOOK_SECONDS = 0.5
DEADLINE_SECONDS = 60
"""Ends the activity where whoever waited for it has died."""
OUTPUT_LENGTH = 2000
NOTHING_RAN = "nothing was started"
_NOT_TAKEN_BACK = "what it does is not taken back"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """`error` where it is not ok; `activity_id` where the probe was begun; `detail`: what really
    ran for it, and where it may go on."""

    is_ok: bool
    duration_ms: int
    detail: str
    activity_id: str | None = None
    output: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAgent:
    """Give an agent a probe and wait for its end. `sleep` takes seconds."""

    agents: AgentStore
    activities: ActivityStore
    accept_activity: AcceptActivity
    cancel_activity: CancelActivity
    clock: Clock
    sleep: Callable[[float], None]

    def __call__(self, tenant: str, role: str) -> ProbeResult:
        """AgentNotFound. A probe without an end in time is cancelled."""
        agent = agent_for(self.agents, tenant, role)
        began = self.clock()
        request = ActivityRequest(
            agent_role=agent.role,
            message=PROMPT,
            title="Probe",
            tags=(TAG,),
            timeout_seconds=DEADLINE_SECONDS,
        )
        try:
            accepted = self.accept_activity(
                tenant, request, trigger=Trigger.PROBE, idempotency_key=None
            )
        except (AgentDisabled, InvalidRequest) as error:
            return ProbeResult(is_ok=False, duration_ms=0, detail=NOTHING_RAN, error=str(error))
        run = self._ended_run(tenant, accepted.activity_id, began)
        result = self._result(accepted.activity_id, run, began, _what_ran(agent.adapter, run))
        if not result.is_ok:
            goes_on = self._cancel(tenant, accepted.activity_id)
            result = replace(result, detail="; ".join(filter(None, (result.detail, goes_on))))
        about = {"tenant": tenant, "agent_role": agent.role, "duration_ms": result.duration_ms}
        logger.info("agent_probed", extra=about | {"is_ok": result.is_ok})
        return result

    def _ended_run(self, tenant: str, activity_id: str, began: datetime) -> Run:
        """The first run once it has ended, or as it is when the time is up."""
        while True:
            run = self.activities.read(tenant, activity_id).runs[0]
            waited_seconds = (self.clock() - began).total_seconds()
            if run.status.is_terminal or waited_seconds >= WAIT_SECONDS:
                return run
            self.sleep(LOOK_SECONDS)

    def _result(self, activity_id: str, run: Run, began: datetime, detail: str) -> ProbeResult:
        duration_ms = round((self.clock() - began).total_seconds() * 1000)
        is_ok = run.status is RunStatus.COMPLETED
        return ProbeResult(
            is_ok=is_ok,
            duration_ms=duration_ms,
            detail=detail,
            activity_id=activity_id,
            output=_shown(run.output),
            error=None if is_ok else _why(run),
        )

    def _cancel(self, tenant: str, activity_id: str) -> str | None:
        """So that no further run is opened for it. What goes on at the provider all the same."""
        try:
            cancelled = self.cancel_activity(tenant, activity_id, "the probe is over")
        except ActivityEnded:  # by itself, meanwhile
            return None
        return None if cancelled.provider_stopped else cancelled.detail


def _what_ran(adapter: Adapter, run: Run) -> str:
    if run.dispatch_id is None:
        return NOTHING_RAN
    if isinstance(adapter, LeenaAopAdapter):
        return f"AOP {adapter.aop_id} was really started at Leena AI; {_NOT_TAKEN_BACK}"
    if isinstance(adapter, LeapWorkflowAdapter):
        return f"workflow {adapter.workflow_id} was really started at Leap; {_NOT_TAKEN_BACK}"
    return "the agent was given real work, with the wake reason probe"


def _why(run: Run) -> str:
    if run.status.is_terminal:
        return run.error.message if run.error is not None else f"the run is {run.status}"
    problem = f"; {run.last_problem.message}" if run.last_problem is not None else ""
    return f"no end after {WAIT_SECONDS:g} s: the run is {run.status}{problem}"


def _shown(output: Any) -> str | None:
    if output is None:
        return None
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return text[:OUTPUT_LENGTH]
