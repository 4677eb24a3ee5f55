"""What an agent tells while it works: its text, piece by piece, and the tools that it called.

Not here: how a run begins and ends (`agent_results`), in which order the log tells it (`deltas`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns import agent_calls
from agentruns.agent_errors import DeltaAlreadyReceived, RunLimitReached
from agentruns.agent_reports import ToolCall, ToolCallStatus
from agentruns.agent_results import AgentRuns, require_dispatched
from agentruns.deltas import Delta
from agentruns.errors import StoreConflict
from agentruns.idempotency import body_sha256_of
from agentruns.ids import tool_call_id_for
from agentruns.request_errors import IdempotencyKeyReused

if TYPE_CHECKING:
    from agentruns.agent_stores import DeltaStore, ToolCallStore
    from agentruns.model import ActivityRecord, Change
    from agentruns.ports import Clock
    from agentruns.task_tokens import TaskCaller

RUN_TEXT_LIMIT_BYTES = 5 * 1024 * 1024
"""Of all deltas of a run together, in UTF-8."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveDelta:
    """Store a piece of the run's text under its number, once. The activity's row is only read."""

    runs: AgentRuns
    deltas: DeltaStore
    clock: Clock

    def __call__(self, caller: TaskCaller, run_id: str, number: int, text: str) -> None:
        """DeltaAlreadyReceived where the number has another text; RunLimitReached; else as
        `AgentRuns.enter`."""
        record = self.runs.enter(caller, run_id)
        run = record.run(run_id)
        delta = Delta(
            tenant=run.tenant,
            activity_id=run.activity_id,
            run_id=run_id,
            attempt=run.attempt,
            number=number,
            text=text,
            after_event=record.activity.last_sequence,
            received_at=self.clock(),
        )
        try:
            is_stored = self.deltas.put(delta, RUN_TEXT_LIMIT_BYTES)
        except StoreConflict as error:
            stored = self.deltas.find(run, number)
            if stored is None or stored.text != text:
                raise DeltaAlreadyReceived(run_id, number) from error
            return
        if not is_stored:
            logger.warning("run_text_full", extra={"limit_bytes": RUN_TEXT_LIMIT_BYTES})
            fault = (
                f"has {delta.size_bytes} bytes, and the run's text no room for them: it ends at "
                f"{RUN_TEXT_LIMIT_BYTES} bytes. Stop streaming; the result may still have all of it"
            )
            raise RunLimitReached([("delta", fault)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallReport:
    """What an agent says of a tool call. Costs are billionths of a US dollar."""

    tool_name: str
    method: str
    status: ToolCallStatus
    input: object
    output: object = None
    error: str | None = None
    duration_ms: int
    cost_nanousd: int = 0

    @property
    def size_bytes(self) -> int:
        """Of what went in and came out, as JSON."""
        both = (self.input, self.output)
        return sum(len(json.dumps(each, ensure_ascii=False).encode()) for each in both)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportToolCall:
    """Store a tool call together with its event, and add its cost to the run's."""

    runs: AgentRuns
    tool_calls: ToolCallStore
    clock: Clock

    def __call__(
        self, caller: TaskCaller, run_id: str, report: ToolCallReport, key: str | None
    ) -> str:
        """Its id; the same for a repeat with the same key. IdempotencyKeyReused where that came
        with another report; RunLimitReached; else as `AgentRuns.enter`."""
        self.runs.enter(caller, run_id)
        key_sha256 = None if key is None else hashlib.sha256(key.encode()).hexdigest()
        body_sha256 = body_sha256_of(report)
        number = 0

        def decide(seen: ActivityRecord) -> Change | None:
            nonlocal number
            run = require_dispatched(seen.run(run_id))
            known = key_sha256 and self.tool_calls.find_by_key(run, key_sha256)
            if key and known:
                if known.body_sha256 != body_sha256:
                    raise IdempotencyKeyReused(key)
                number = known.number
                return None
            number = run.tool_calls + 1
            call = ToolCall(
                tenant=run.tenant,
                activity_id=run.activity_id,
                run_id=run_id,
                attempt=run.attempt,
                number=number,
                tool_name=report.tool_name,
                method=report.method,
                status=report.status,
                input=report.input,
                output=report.output,
                error=report.error,
                duration_ms=report.duration_ms,
                cost_nanousd=report.cost_nanousd,
                called_at=self.clock(),
                key_sha256=key_sha256,
                body_sha256=body_sha256,
            )
            return agent_calls.tool_called(seen, run, call, report.size_bytes)

        self.runs.transact(caller, run_id, decide)
        return tool_call_id_for(run_id, number)
