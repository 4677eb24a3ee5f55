"""Bodies and answers of `/v1/agents`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from agentruns.agent_credentials import OWN_HEADERS, AuthHeader
from agentruns.agents import AgentSettings, NewSigningSecret, StoredAgent
from agentruns.api.schemas.fields import (
    LONGEST_TIMEOUT_SECONDS,
    ONE_LINE_PATTERN,
    AdapterAnswer,
    AgentAdapterBody,
    Answer,
    Body,
    Moment,
    Name,
    OnStartUnknownWord,
    answer_adapter,
)
from agentruns.definitions import Agent
from agentruns.errors import InvalidRequest
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.secret import Secret
from agentruns.skills import SKILLS_PER_AGENT
from agentruns.wait import OnApprovalExpired

OnApprovalExpiredWord = Literal["fail", "approve", "reject", "escalate"]


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


class AuthBody(Body):
    """A header that the agent's own front door asks for."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$", examples=["Authorization"])] = (
        "Authorization"
    )
    value: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[!-~]([ -~]*[!-~])?$")]

    def auth_header(self) -> AuthHeader:
        """InvalidRequest for a header that is ours to set."""
        if self.header.lower() in OWN_HEADERS:
            raise InvalidRequest([("auth.header", f"{self.header} is set by the dispatch itself")])
        return AuthHeader(name=self.header, value=Secret(self.value))


def _require_each_once(names: list[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise PydanticCustomError("twice", "names one of them twice")
    return names


_EXAMPLE: dict[str, Any] = {
    "adapter": {
        "type": "leena_aop",
        "connection": "acme",
        "aop_id": "it_support_ticket_creation",
    },
    "retry": {"max_attempts": 2, "backoff_seconds": 60},
    "timeout_seconds": 3600,
}


class AgentBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    adapter: AgentAdapterBody
    enabled: bool = True
    retry: RetryBody = RetryBody()
    timeout_seconds: Annotated[int, Field(ge=60, le=LONGEST_TIMEOUT_SECONDS)] = 86_400
    on_start_unknown: OnStartUnknownWord = "hold"
    detection: DetectionBody | None = None
    on_approval_expired: OnApprovalExpiredWord = "fail"
    auth: Annotated[
        AuthBody | None,
        Field(
            description="Of an agent called at its URL. Left out, what is stored stays; null "
            "removes it. Never shown.",
            examples=[{"header": "Authorization", "value": "Bearer ..."}],
        ),
    ] = None
    system_prompt: Annotated[str, Field(max_length=32_768)] = ""
    model: Annotated[str, Field(max_length=128, pattern=ONE_LINE_PATTERN)] = ""
    max_turns: Annotated[int, Field(ge=1, le=10_000)] | None = None
    skills: Annotated[
        list[Name],
        AfterValidator(_require_each_once),
        Field(
            default_factory=list,
            max_length=SKILLS_PER_AGENT,
            description="What the agent may read up on, by name; at most 20.",
            examples=[["seo"]],
        ),
    ]

    def settings(self) -> AgentSettings:
        """InvalidRequest for settings that this kind of adapter has no use for."""
        if self.auth is not None and self.adapter.type != "webhook":
            fault = "only an agent with an adapter of type webhook is called with a header"
            raise InvalidRequest([("auth", fault)])
        return AgentSettings(
            adapter=self.adapter.adapter(),
            enabled=self.enabled,
            retry=RetryPolicy(
                max_attempts=self.retry.max_attempts, backoff_seconds=self.retry.backoff_seconds
            ),
            timeout_seconds=self.timeout_seconds,
            on_start_unknown=OnStartUnknown(self.on_start_unknown),
            detection=USUAL_DETECTION if self.detection is None else self.detection.setting(),
            on_approval_expired=OnApprovalExpired(self.on_approval_expired),
            system_prompt=self.system_prompt,
            model=self.model,
            max_turns=self.max_turns,
            auth=None if self.auth is None else self.auth.auth_header(),
            keeps_auth="auth" not in self.model_fields_set,
            skills=tuple(self.skills),
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
    on_approval_expired: OnApprovalExpiredWord
    system_prompt: str
    model: str
    max_turns: int | None
    skills: list[Name]
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
            on_approval_expired=agent.on_approval_expired.value,
            system_prompt=agent.system_prompt,
            model=agent.model,
            max_turns=agent.max_turns,
            skills=list(agent.skills),
            created_at=agent.created_at,
            updated_at=agent.updated_at,
        )


class StoredAgentAnswer(AgentAnswer):
    """Where storing the agent made a `signing_secret` (Standard Webhooks): this is the only time
    it is seen."""

    signing_secret: str


def answer_stored(stored: StoredAgent) -> AgentAnswer | StoredAgentAnswer:
    answer = AgentAnswer.of(stored.agent)
    if stored.signing_secret is None:
        return answer
    return StoredAgentAnswer(**dict(answer), signing_secret=stored.signing_secret.reveal())


class SigningSecretAnswer(Answer):
    """Dispatches are signed with this one and the one before it."""

    agent_role: Name
    signing_secret: Annotated[str, Field(examples=["whsec_..."])]

    @classmethod
    def of(cls, made: NewSigningSecret) -> SigningSecretAnswer:
        return cls(agent_role=made.role, signing_secret=made.secret.reveal())


class AgentsAnswer(Answer):
    items: list[AgentAnswer]
    next_cursor: str | None = None
