"""Answers of the Agent API about an agent's health, in its own names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from agentruns.agent_health import AgentHealth
from agentruns.api.agent_schemas.runs import SparseAnswer
from agentruns.api.schemas.fields import Answer
from agentruns.probing import ProbeResult


class HealthCheck(Answer):
    name: Annotated[str, Field(examples=["host_reachable"])]
    ok: bool
    detail: str


class HealthAnswer(Answer):
    agentRole: str  # noqa: N815  # the protocol's names
    adapterType: Annotated[str, Field(examples=["webhook"])]  # noqa: N815
    ok: bool
    message: str
    checks: list[HealthCheck]
    checkedAt: datetime  # noqa: N815

    @classmethod
    def of(cls, health: AgentHealth) -> HealthAnswer:
        return cls(
            agentRole=health.agent.role,
            adapterType=health.agent.adapter.type,
            ok=health.is_ok,
            message=health.message,
            checks=[
                HealthCheck(name=each.name, ok=each.ok, detail=each.detail)
                for each in health.checks
            ],
            checkedAt=health.checked_at,
        )


class ProbeAnswer(SparseAnswer):
    """What became of a probe."""

    ok: bool
    probeOutput: str | None = None  # noqa: N815
    durationMs: int  # noqa: N815
    error: str | None = None
    detail: Annotated[
        str,
        Field(
            description="What really ran for it, and where it may go on (addition).",
            examples=["the agent was given real work, with the wake reason probe"],
        ),
    ]

    @classmethod
    def of(cls, result: ProbeResult) -> ProbeAnswer:
        return cls(
            ok=result.is_ok,
            probeOutput=result.output,
            durationMs=result.duration_ms,
            error=result.error,
            detail=result.detail,
        )
