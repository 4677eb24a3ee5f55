"""Bodies and answers of the Agent API about sessions, in its own names."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from agentruns.agent_records import AgentSession
from agentruns.api.agent_schemas.runs import AgentBody, Count
from agentruns.api.schemas.fields import ONE_LINE_PATTERN, Answer


class SessionBody(AgentBody):
    sessionId: Annotated[  # noqa: N815  # the protocol's names
        str,
        Field(
            min_length=1,
            max_length=256,
            pattern=ONE_LINE_PATTERN,
            description="As the agent's own runtime calls it.",
            examples=["4f1c2b9e-0d0a-4b6e-9d0c-8a1f5a3e7c21"],
        ),
    ]
    activityRunId: Annotated[  # noqa: N815
        str, Field(max_length=64, examples=["run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])
    ]
    inputTokensSoFar: Count  # noqa: N815
    outputTokensSoFar: Count  # noqa: N815


class SessionAnswer(Answer):
    sessionId: str  # noqa: N815
    upserted: Literal[True] = True


class LatestSessionAnswer(Answer):
    """`sessionId` is null where there is none yet; `createdAt` is then the time of the answer."""

    sessionId: str | None  # noqa: N815
    inputTokens: int  # noqa: N815
    outputTokens: int  # noqa: N815
    createdAt: datetime  # noqa: N815

    @classmethod
    def of(cls, session: AgentSession | None, now: datetime) -> LatestSessionAnswer:
        if session is None:
            return cls(sessionId=None, inputTokens=0, outputTokens=0, createdAt=now)
        return cls(
            sessionId=session.session_id,
            inputTokens=session.input_tokens,
            outputTokens=session.output_tokens,
            createdAt=session.created_at,
        )
