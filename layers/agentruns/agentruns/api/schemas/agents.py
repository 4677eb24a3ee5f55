"""Bodies and answers of `/v1/agents`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentruns.agents import AgentSettings
from agentruns.api.schemas.fields import (
    LONGEST_TIMEOUT_SECONDS,
    AdapterAnswer,
    AdapterBody,
    Answer,
    Body,
    Moment,
    Name,
    OnStartUnknownWord,
)
from agentruns.model import Agent, LeenaAopAdapter, OnStartUnknown, RetryPolicy


class RetryBody(Body):
    """How many runs an activity may have, and the wait before the next."""

    max_attempts: Annotated[int, Field(ge=1, le=10)] = 1
    backoff_seconds: Annotated[int, Field(ge=0, le=86_400)] = 30


class AgentBody(Body):
    adapter: AdapterBody
    enabled: bool = True
    retry: RetryBody = RetryBody()
    timeout_seconds: Annotated[int, Field(ge=60, le=LONGEST_TIMEOUT_SECONDS)] = 86_400
    on_start_unknown: OnStartUnknownWord = "hold"

    def settings(self) -> AgentSettings:
        return AgentSettings(
            adapter=LeenaAopAdapter(connection=self.adapter.connection, aop_id=self.adapter.aop_id),
            enabled=self.enabled,
            retry=RetryPolicy(
                max_attempts=self.retry.max_attempts, backoff_seconds=self.retry.backoff_seconds
            ),
            timeout_seconds=self.timeout_seconds,
            on_start_unknown=OnStartUnknown(self.on_start_unknown),
        )


class RetryAnswer(Answer):
    max_attempts: int
    backoff_seconds: int


class AgentAnswer(Answer):
    agent_role: Name
    adapter: AdapterAnswer
    enabled: bool
    retry: RetryAnswer
    timeout_seconds: int
    on_start_unknown: OnStartUnknownWord
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, agent: Agent) -> AgentAnswer:
        return cls(
            agent_role=agent.role,
            adapter=AdapterAnswer(
                type=agent.adapter.type,
                connection=agent.adapter.connection,
                aop_id=agent.adapter.aop_id,
            ),
            enabled=agent.enabled,
            retry=RetryAnswer(
                max_attempts=agent.retry.max_attempts,
                backoff_seconds=agent.retry.backoff_seconds,
            ),
            timeout_seconds=agent.timeout_seconds,
            on_start_unknown=agent.on_start_unknown.value,
            created_at=agent.created_at,
            updated_at=agent.updated_at,
        )


class AgentsAnswer(Answer):
    items: list[AgentAnswer]
    next_cursor: str | None = None
