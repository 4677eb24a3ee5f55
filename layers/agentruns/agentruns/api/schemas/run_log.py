"""Answers of a run's log: events, the agent's text and its gaps, tool calls in full."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agentruns.agent_calls import NANOS
from agentruns.agent_reports import ToolCall
from agentruns.agent_stores import Stretch
from agentruns.api.schemas.fields import Answer, Moment
from agentruns.deltas import Delta, Gap, LogEntry, LogPage
from agentruns.ids import tool_call_id_for
from agentruns.log_positions import NO_NUMBER, LogPosition

TEXT_DELTA = "TextDelta"
TEXT_GAP = "TextGap"
"""Entries of the log that are no events of the activity: they have no sequence, no bus has them."""


class EventAnswer(Answer):
    """An event, or a piece of the agent's text (`TextDelta`: `number`, `text` and, where its gap
    was declared, `late`), or numbers that have not come (`TextGap`: `from`, `to`)."""

    sequence: Annotated[int | None, Field(description="Of an event: gapless per activity, from 1.")]
    type: Annotated[str, Field(examples=["RunStarted"])]
    at: Moment
    run_id: str | None
    detail: dict[str, Any]
    cursor: Annotated[
        str, Field(description="What `after` takes to go on behind it.", examples=["7.41"])
    ]

    @classmethod
    def of(cls, entry: LogEntry) -> EventAnswer:
        told, cursor = entry.told, entry.position.text
        if isinstance(told, Delta):
            text: dict[str, Any] = {"number": told.number, "text": told.text}
            return cls(
                sequence=None,
                type=TEXT_DELTA,
                at=told.received_at,
                run_id=told.run_id,
                detail=text | ({"late": True} if entry.is_late else {}),
                cursor=cursor,
            )
        if isinstance(told, Gap):
            return cls(
                sequence=None,
                type=TEXT_GAP,
                at=told.at,
                run_id=told.run_id,
                detail={"from": told.first, "to": told.last},
                cursor=cursor,
            )
        return cls(
            sequence=told.sequence,
            type=told.type.value,
            at=told.at,
            run_id=told.run_id,
            detail=dict(told.detail),
            cursor=cursor,
        )


class EventsAnswer(Answer):
    """In order. A page may be short before the last; go on while there is a `next_after`: a number,
    or text once the agent has streamed any."""

    items: list[EventAnswer]
    next_after: Annotated[int | str | None, Field(examples=[None])]

    @classmethod
    def of(cls, page: LogPage) -> EventsAnswer:
        items = [EventAnswer.of(entry) for entry in page.entries]
        return cls(items=items, next_after=_cursor(page.position) if page.has_more else None)


class ToolCallAnswer(Answer):
    tool_call_id: Annotated[str, Field(examples=["call_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1_1"])]
    run_id: str
    tool_name: str
    method: str
    status: Annotated[str, Field(examples=["success"])]
    input: Any
    output: Any
    error: str | None
    duration_ms: int
    cost_usd: float
    at: Moment

    @classmethod
    def of(cls, call: ToolCall) -> ToolCallAnswer:
        return cls(
            tool_call_id=tool_call_id_for(call.run_id, call.number),
            run_id=call.run_id,
            tool_name=call.tool_name,
            method=call.method,
            status=call.status.value,
            input=call.input,
            output=call.output,
            error=call.error,
            duration_ms=call.duration_ms,
            cost_usd=call.cost_nanousd / NANOS,
            at=call.called_at,
        )


class ToolCallsAnswer(Answer):
    """In the order in which they were reported; large ones make short pages."""

    items: list[ToolCallAnswer]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Stretch[ToolCall]) -> ToolCallsAnswer:
        following = str(found.items[-1].number) if found.has_more and found.items else None
        return cls(items=[ToolCallAnswer.of(call) for call in found.items], next_cursor=following)


def _cursor(position: LogPosition) -> int | str:
    return position.event if position.number == NO_NUMBER else position.text
