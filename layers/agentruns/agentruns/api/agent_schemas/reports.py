"""Bodies and answers of what an agent tells while it works, in the Agent API's own names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from agentruns.agent_calls import NANOS
from agentruns.agent_reports import ToolCallStatus
from agentruns.agent_streams import ToolCallReport
from agentruns.api.agent_schemas.runs import ERROR_LENGTH, AgentBody
from agentruns.api.schemas.fields import Answer
from agentruns.errors import InvalidRequest
from agentruns.log_positions import LARGEST_NUMBER

DELTA_LIMIT_BYTES = 64 * 1024
TOOL_CALL_LIMIT_BYTES = 300 * 1024
"""Of input and output together, as JSON: with its names it fits DynamoDB's 400 KB."""

ToolText = Annotated[str, Field(min_length=1, max_length=200)]


class DeltaBody(AgentBody):
    """A piece of the text. The numbers begin with 0 or 1; in which order they come is no matter."""

    delta: Annotated[str, Field(examples=["The first "])]
    sequenceNum: Annotated[  # noqa: N815
        int, Field(ge=0, json_schema_extra={"maximum": LARGEST_NUMBER}, examples=[1])
    ]

    def text(self) -> str:
        """InvalidRequest where it is too long, or one too many."""
        if self.sequenceNum > LARGEST_NUMBER:
            fault = (
                f"is {self.sequenceNum}; a run's deltas end at {LARGEST_NUMBER}. Number them "
                "without gaps and send more text at a time; the result may still have all of it"
            )
            raise InvalidRequest([("sequenceNum", fault)])
        size_bytes = len(self.delta.encode())
        if size_bytes > DELTA_LIMIT_BYTES:
            fault = f"has {size_bytes} bytes; at most {DELTA_LIMIT_BYTES} are taken"
            raise InvalidRequest([("delta", fault)])
        return self.delta


class DeltaAnswer(Answer):
    received: Literal[True] = True


class ToolCallBody(AgentBody):
    """A call of a tool, without any credential in it."""

    toolName: Annotated[ToolText, Field(examples=["semrush_keyword_research"])]  # noqa: N815
    method: Annotated[ToolText, Field(examples=["getKeywordData"])]
    input: Annotated[Any, Field(examples=[{"keyword": "vpn"}])]
    output: Any = None
    status: Annotated[Literal["success", "error"], Field(examples=["success"])]
    error: Annotated[str | None, Field(description="Required on error.", examples=[None])] = None
    durationMs: Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]  # noqa: N815
    costUsd: Annotated[  # noqa: N815
        float | None, Field(ge=0, le=1_000_000, allow_inf_nan=False, examples=[0.015])
    ] = None

    def report(self) -> ToolCallReport:
        """InvalidRequest where the error is missing, or input and output are too large."""
        if self.status == "error" and not self.error:
            raise InvalidRequest([("error", "is required when status is 'error'")])
        report = ToolCallReport(
            tool_name=self.toolName,
            method=self.method,
            status=ToolCallStatus(self.status),
            input=self.input,
            output=self.output,
            error=self.error[:ERROR_LENGTH] if self.error else None,
            duration_ms=round(self.durationMs),
            cost_nanousd=round((self.costUsd or 0) * NANOS),
        )
        if report.size_bytes > TOOL_CALL_LIMIT_BYTES:
            fault = (
                f"has {report.size_bytes} bytes of JSON together with output; at most "
                f"{TOOL_CALL_LIMIT_BYTES} are taken"
            )
            raise InvalidRequest([("input", fault)])
        return report


class ToolCallAnswer(Answer):
    toolCallId: Annotated[  # noqa: N815
        str, Field(examples=["call_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1_1"])
    ]
