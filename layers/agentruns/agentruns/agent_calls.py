"""The rules of what an agent of one's own tells of a run: that it has it, and how it ended.

Pure, as `lifecycle`. An agent may call before the answer to its dispatch is stored, after a
dispatch whose answer never came, twice, or after the run's end; each has its rule here. Not here:
whether the caller may speak for the run (`task_tokens`), what it may do meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns import lifecycle
from agentruns.agent_errors import RunLimitReached
from agentruns.event_types import EventType
from agentruns.ids import tool_call_id_for
from agentruns.model import ActivityRecord, Change, EvidenceSource, Problem, Run
from agentruns.statuses import RunStatus
from agentruns.transitions import new_event, resumed, run_in_status, touched, unblocked
from agentruns.wait_errors import RunEnded

if TYPE_CHECKING:
    from agentruns.agent_reports import AgentReport, ToolCall

NANOS = 1_000_000_000
"""Costs are kept in billionths of a dollar: sums of them are exact."""

TOOL_CALL_LIMIT = 2_000
"""Of a run. Each is an event of its activity's log."""

TOOL_CALLS_LIMIT_BYTES = 20 * 1024 * 1024
"""Of what went in and came out of a run's tool calls together, as JSON."""

_GO_ON = "all else of the run goes on, and its result may still come"
_MAY_HAVE_STARTED = frozenset({RunStatus.DISPATCHING, RunStatus.START_UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """How an agent says that its run ended. A problem where it failed, else its output."""

    report: AgentReport
    output: Any = None
    problem: Problem | None = None

    @property
    def status(self) -> RunStatus:
        return RunStatus.COMPLETED if self.problem is None else RunStatus.FAILED


def require_going_on(record: ActivityRecord, run_id: str) -> Run:
    """The run. RunNotFound; RunEnded, also where another run has followed."""
    run = record.run(run_id)
    if record.activity.status.is_terminal or run.status.is_terminal:
        raise RunEnded(run_id, run.status)
    return run


def agent_name(record: ActivityRecord) -> str:
    return f"agent:{record.activity.agent_role or ''}"


def taken(record: ActivityRecord, run: Run, now: datetime) -> Change | None:
    """The agent answered its dispatch with 2xx. None where it has called, or the run ended."""
    if run.status is not RunStatus.DISPATCHING:
        return None
    return _started(record, run, EvidenceSource.START, now)


def called(record: ActivityRecord, run: Run, now: datetime) -> Change | None:
    """The agent speaks of the run, so it has it, whatever became of the dispatch's answer."""
    if run.status not in _MAY_HAVE_STARTED:
        return None
    return _started(record, run, EvidenceSource.AGENT, now)


def delivered(record: ActivityRecord, run: Run, result: AgentResult, now: datetime) -> Change:
    """The agent's result: the run's end, or evidence that contradicts another end."""
    begun = called(record, run, now)
    if begun is not None:
        run = begun.runs[0]
        record = replace(
            record,
            activity=begun.activity,
            runs=tuple(run if each.run_id == run.run_id else each for each in record.runs),
        )
    run = replace(run, report=result.report)
    ended = lifecycle.end_run(
        record,
        run,
        result.status,
        EvidenceSource.AGENT,
        now,
        problem=result.problem,
        output=result.output,
    )
    return ended if begun is None else replace(ended, events=begun.events + ended.events)


def tool_called(record: ActivityRecord, run: Run, call: ToolCall, size_bytes: int) -> Change:
    """A tool call, counted and told: never what went in or came out, which has `size_bytes`.

    RunLimitReached where the run has as many as it may have.
    """
    _require_room(run, size_bytes)
    run = replace(
        run,
        tool_calls=call.number,
        tool_cost_nanousd=run.tool_cost_nanousd + call.cost_nanousd,
        tool_call_bytes=run.tool_call_bytes + size_bytes,
    )
    detail = {
        "tool_call_id": tool_call_id_for(call.run_id, call.number),
        "tool_name": call.tool_name,
        "method": call.method,
        "status": call.status.value,
        "duration_ms": call.duration_ms,
        "cost_usd": call.cost_nanousd / NANOS,
    }
    event = new_event(EventType.TOOL_CALLED, run, call.called_at, detail)
    activity = touched(record.activity, call.called_at)
    return Change(activity=activity, runs=(run,), events=(event,), tool_call=call)


def _require_room(run: Run, size_bytes: int) -> None:
    if run.tool_calls >= TOOL_CALL_LIMIT:
        fault = f"has {TOOL_CALL_LIMIT} tool calls, and may have no more; {_GO_ON}"
        raise RunLimitReached([("run", fault)])
    if run.tool_call_bytes + size_bytes > TOOL_CALLS_LIMIT_BYTES:
        fault = (
            f"and output have {size_bytes} bytes, and the run's tool calls no room for them: they "
            f"end at {TOOL_CALLS_LIMIT_BYTES} bytes. Report shorter ones; {_GO_ON}"
        )
        raise RunLimitReached([("input", fault)])


def has_result(run: Run) -> bool:
    """Whether the agent has delivered one already."""
    return any(each.source is EvidenceSource.AGENT for each in run.evidence)


def _started(record: ActivityRecord, run: Run, source: EvidenceSource, now: datetime) -> Change:
    """A parked execution stays parked: only the result, or the deadline, wakes it."""
    is_parked = run.callback_token is not None
    due_at = record.activity.deadline_at if is_parked else now + lifecycle.EXECUTION_GRACE
    run = replace(
        run,
        started_at=run.status_since if source is EvidenceSource.AGENT else now,
        last_problem=None,
        failed_checks=0,
        next_check_at=None,
        due_at=due_at,
    )
    run = run_in_status(run, RunStatus.RUNNING, now)
    activity = unblocked(record, now)
    detail = {"status": run.status.value, "source": source.value}
    event = new_event(EventType.RUN_STARTED, run, now, detail)
    return Change(
        activity=activity, runs=(run,), events=(event, *resumed(record.activity, run, activity))
    )
