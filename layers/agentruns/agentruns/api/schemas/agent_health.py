"""Answers of `/v1/agents/{agent_role}/health` and `/probe`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentruns.agent_health import AgentHealth
from agentruns.api.schemas.connections import CheckAnswer
from agentruns.api.schemas.fields import Answer, Moment, Name
from agentruns.probing import ProbeResult


class AgentHealthAnswer(Answer):
    agent_role: Name
    adapter_type: Annotated[str, Field(examples=["webhook"])]
    ok: bool
    message: str
    checks: list[CheckAnswer]
    checked_at: Moment

    @classmethod
    def of(cls, health: AgentHealth) -> AgentHealthAnswer:
        return cls(
            agent_role=health.agent.role,
            adapter_type=health.agent.adapter.type,
            ok=health.is_ok,
            message=health.message,
            checks=[
                CheckAnswer(name=each.name, ok=each.ok, detail=each.detail)
                for each in health.checks
            ],
            checked_at=health.checked_at,
        )


class ProbeAnswer(Answer):
    ok: bool
    activity_id: Annotated[str | None, Field(description="Null where nothing was started.")]
    output: str | None
    duration_ms: int
    detail: Annotated[
        str,
        Field(
            description="What really ran for it, and where it may go on.",
            examples=["the agent was given real work, with the wake reason probe"],
        ),
    ]
    error: str | None

    @classmethod
    def of(cls, result: ProbeResult) -> ProbeAnswer:
        return cls(
            ok=result.is_ok,
            activity_id=result.activity_id,
            output=result.output,
            duration_ms=result.duration_ms,
            detail=result.detail,
            error=result.error,
        )
