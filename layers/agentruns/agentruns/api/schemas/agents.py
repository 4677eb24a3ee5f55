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
    answer_adapter,
)
from agentruns.errors import InvalidRequest
from agentruns.model import Agent, OnStartUnknown, RetryPolicy
from agentruns.polling import USUAL_DETECTION, Detection


class RetryBody(Body):
    """How many runs an activity may have, and the wait before the next."""

    max_attempts: Annotated[int, Field(ge=1, le=10)] = 1
    backoff_seconds: Annotated[int, Field(ge=0, le=86_400)] = 30


class DetectionBody(Body):
    """How late an end may be noticed: one of the two."""

    relative_delay: Annotated[float, Field(ge=0.01, le=1)] | None = None
    max_delay_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None

    def setting(self) -> Detection:
        """InvalidRequest unless exactly one is given."""
        if (self.relative_delay is None) == (self.max_delay_seconds is None):
            fault = "give exactly one of relative_delay and max_delay_seconds"
            raise InvalidRequest([("detection", fault)])
        return Detection(
            relative_delay=self.relative_delay, max_delay_seconds=self.max_delay_seconds
        )


class AgentBody(Body):
    adapter: AdapterBody
    enabled: bool = True
    retry: RetryBody = RetryBody()
    timeout_seconds: Annotated[int, Field(ge=60, le=LONGEST_TIMEOUT_SECONDS)] = 86_400
    on_start_unknown: OnStartUnknownWord = "hold"
    detection: DetectionBody | None = None

    def settings(self) -> AgentSettings:
        return AgentSettings(
            adapter=self.adapter.adapter(),
            enabled=self.enabled,
            retry=RetryPolicy(
                max_attempts=self.retry.max_attempts, backoff_seconds=self.retry.backoff_seconds
            ),
            timeout_seconds=self.timeout_seconds,
            on_start_unknown=OnStartUnknown(self.on_start_unknown),
            detection=USUAL_DETECTION if self.detection is None else self.detection.setting(),
        )


class RetryAnswer(Answer):
    max_attempts: int
    backoff_seconds: int


class RelativeDelayAnswer(Answer):
    relative_delay: float


class MaxDelayAnswer(Answer):
    max_delay_seconds: int


def _answer_detection(detection: Detection) -> RelativeDelayAnswer | MaxDelayAnswer:
    if detection.max_delay_seconds is not None:
        return MaxDelayAnswer(max_delay_seconds=detection.max_delay_seconds)
    return RelativeDelayAnswer(relative_delay=detection.relative_delay or 0.0)


class AgentAnswer(Answer):
    agent_role: Name
    adapter: AdapterAnswer
    enabled: bool
    retry: RetryAnswer
    timeout_seconds: int
    on_start_unknown: OnStartUnknownWord
    detection: RelativeDelayAnswer | MaxDelayAnswer
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, agent: Agent) -> AgentAnswer:
        return cls(
            agent_role=agent.role,
            adapter=answer_adapter(agent.adapter),
            enabled=agent.enabled,
            retry=RetryAnswer(
                max_attempts=agent.retry.max_attempts,
                backoff_seconds=agent.retry.backoff_seconds,
            ),
            timeout_seconds=agent.timeout_seconds,
            on_start_unknown=agent.on_start_unknown.value,
            detection=_answer_detection(agent.detection),
            created_at=agent.created_at,
            updated_at=agent.updated_at,
        )


class AgentsAnswer(Answer):
    items: list[AgentAnswer]
    next_cursor: str | None = None
