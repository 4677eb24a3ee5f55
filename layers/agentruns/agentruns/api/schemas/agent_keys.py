"""Bodies and answers of `/v1/agents/{agent_role}/keys`. Only the first answer ever has the key."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentruns.agent_keys import IssuedAgentKey
from agentruns.agent_records import AgentKey
from agentruns.api.schemas.fields import ONE_LINE_PATTERN, Answer, Body, Moment, Name


class AgentKeyBody(Body):
    name: Annotated[
        str,
        Field(
            max_length=100,
            pattern=ONE_LINE_PATTERN,
            description="For people: where the key is kept.",
            examples=["the runtime in eu-west-1"],
        ),
    ] = ""


class AgentKeyAnswer(Answer):
    key_id: Annotated[str, Field(examples=["9f86d081884c7d65"])]
    agent_role: Name
    name: str
    created_at: Moment

    @classmethod
    def of(cls, key: AgentKey) -> AgentKeyAnswer:
        return cls(key_id=key.key_id, agent_role=key.role, name=key.name, created_at=key.created_at)


class IssuedAgentKeyAnswer(AgentKeyAnswer):
    key: Annotated[str, Field(description="Shown once; only its SHA-256 is stored.")]

    @classmethod
    def of_issued(cls, issued: IssuedAgentKey) -> IssuedAgentKeyAnswer:
        shown = AgentKeyAnswer.of(issued.key)
        return cls(**shown.model_dump(), key=issued.secret.reveal())


class AgentKeysAnswer(Answer):
    items: list[AgentKeyAnswer]
    next_cursor: str | None = None
