"""The field types and bases that the bodies share, with their limits.

Sizes in bytes are of the UTF-8 text that would be sent; messages say the limit and what came.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from agentruns.ids import NAME_PATTERN, TENANT_PATTERN
from agentruns.model import Problem
from agentruns.providers import (
    Adapter,
    HumanAdapter,
    LeapWorkflowAdapter,
    LeenaAopAdapter,
    WebhookAgentAdapter,
)

MESSAGE_LIMIT_BYTES = 64 * 1024
CONTEXT_LIMIT_BYTES = 200 * 1024
CONTEXT_DEPTH_LIMIT = 32
TAGS_LIMIT = 20
LONGEST_TIMEOUT_SECONDS = 2_592_000

AOP_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
WORKFLOW_RUN_ID_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"
TAG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
ONE_LINE_PATTERN = r"^[^\x00-\x1f\x7f\u2028\u2029]*$"


class Body(BaseModel):
    """A part of a request: nothing is converted, unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True
    )


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


def _require_message_size(message: str) -> str:
    try:
        size_bytes = len(message.encode())
    except UnicodeEncodeError as error:
        raise _not_storable() from error
    if size_bytes > MESSAGE_LIMIT_BYTES:
        raise PydanticCustomError(
            "too_large",
            "has {size} bytes; at most {limit} are taken",
            {"size": size_bytes, "limit": MESSAGE_LIMIT_BYTES},
        )
    return message


def _require_context(context: dict[str, Any]) -> dict[str, Any]:
    if _depth_exceeds(context, CONTEXT_DEPTH_LIMIT):
        raise PydanticCustomError(
            "too_deep", "is nested deeper than {limit} levels", {"limit": CONTEXT_DEPTH_LIMIT}
        )
    try:
        text = json.dumps(context, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size_bytes = len(text.encode())
    except ValueError as error:  # also a lone surrogate, which no UTF-8 can hold
        raise _not_storable() from error
    if size_bytes > CONTEXT_LIMIT_BYTES:
        raise PydanticCustomError(
            "too_large",
            "has {size} bytes as JSON; at most {limit} are taken",
            {"size": size_bytes, "limit": CONTEXT_LIMIT_BYTES},
        )
    return context


def _not_storable() -> PydanticCustomError:
    return PydanticCustomError(
        "not_storable", "has a number or a character that JSON in UTF-8 cannot hold"
    )


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Level by level: a recursion would be the very thing that a deep value breaks."""
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


Name = Annotated[
    str,
    Field(
        pattern=NAME_PATTERN,
        description="Starts with a letter or digit; then letters, digits, _ and -; at most 64.",
        examples=["acme"],
    ),
]
Tenant = Annotated[str, Field(pattern=TENANT_PATTERN, examples=["default"])]
AopId = Annotated[
    str,
    Field(
        pattern=AOP_ID_PATTERN,
        description="The AOP's Identifier (slug) or ObjectId, from its details in Leena AI.",
        examples=["it_support_ticket_creation"],
    ),
]
WorkflowId = Annotated[
    str,
    Field(
        pattern=AOP_ID_PATTERN,
        description="The workflow's id in Leap.",
        examples=["wkf_mNcSwn9BlQMkoHbUUxI7"],
    ),
]
AgentUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        description="Where the agent takes its dispatches: https, with a public host.",
        examples=["https://agents.example.com/copywriter"],
    ),
]
Tag = Annotated[str, Field(pattern=TAG_PATTERN, examples=["servicenow"])]
Title = Annotated[
    str,
    Field(
        max_length=200,
        pattern=ONE_LINE_PATTERN,
        description="One line for people, at most 200 characters.",
        examples=["INC0503407: voucher approval"],
    ),
]
Message = Annotated[
    str,
    AfterValidator(_require_message_size),
    Field(
        description="What the agent is told, at most 64 KB.",
        examples=["Analyze the ticket shared"],
    ),
]
Context = Annotated[
    dict[str, Any],
    AfterValidator(_require_context),
    Field(
        description="Facts for the agent, at most 200 KB as JSON and 32 levels deep.",
        examples=[{"ticket_number": "INC0503407", "priority": "Priority 4"}],
    ),
]
InputCsvUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=8192,
        description="Of a workflow over a connection of the dialect `runs`: a bulk run, the "
        "workflow once for each row of the CSV at this https URL, which Leap fetches. Without "
        "`message` and `context`.",
        examples=["https://files.example.com/input.csv"],
    ),
]
PriorityWord = Literal["normal", "high"]
OnStartUnknownWord = Literal["hold", "retry", "fail"]


class LeenaAopBody(Body):
    """An AOP of Leena AI over a stored connection."""

    type: Annotated[Literal["leena_aop"], Field(examples=["leena_aop"])]
    connection: Name
    aop_id: AopId

    def adapter(self) -> Adapter:
        return LeenaAopAdapter(connection=self.connection, aop_id=self.aop_id)


class LeapWorkflowBody(Body):
    """A workflow of Leap over a stored connection."""

    type: Annotated[Literal["leap_workflow"], Field(examples=["leap_workflow"])]
    connection: Name
    workflow_id: WorkflowId

    def adapter(self) -> Adapter:
        return LeapWorkflowAdapter(connection=self.connection, workflow_id=self.workflow_id)


AdapterBody = Annotated[LeenaAopBody | LeapWorkflowBody, Field(discriminator="type")]
"""How work is carried out, where a request says it itself."""


class WebhookAgentBody(Body):
    """An agent of one's own, called at its URL."""

    type: Annotated[Literal["webhook"], Field(examples=["webhook"])]
    url: AgentUrl

    def adapter(self) -> Adapter:
        return WebhookAgentAdapter(url=self.url)


AgentAdapterBody = Annotated[
    LeenaAopBody | LeapWorkflowBody | WebhookAgentBody, Field(discriminator="type")
]
"""How an agent's work is carried out."""


class LeenaAopAnswer(Answer):
    type: Literal["leena_aop"]
    connection: Name
    aop_id: AopId


class LeapWorkflowAnswer(Answer):
    type: Literal["leap_workflow"]
    connection: Name
    workflow_id: WorkflowId


class WebhookAgentAnswer(Answer):
    type: Literal["webhook"]
    url: AgentUrl


class HumanAnswer(Answer):
    """A person does the work: an agent gave it to them."""

    type: Literal["human"]
    user_id: str


AdapterAnswer = Annotated[
    LeenaAopAnswer | LeapWorkflowAnswer | WebhookAgentAnswer | HumanAnswer,
    Field(discriminator="type"),
]


def answer_adapter(
    adapter: Adapter,
) -> LeenaAopAnswer | LeapWorkflowAnswer | WebhookAgentAnswer | HumanAnswer:
    if isinstance(adapter, HumanAdapter):
        return HumanAnswer(type="human", user_id=adapter.user_id)
    if isinstance(adapter, WebhookAgentAdapter):
        return WebhookAgentAnswer(type="webhook", url=adapter.url)
    connection = adapter.connection
    if isinstance(adapter, LeapWorkflowAdapter):
        return LeapWorkflowAnswer(
            type="leap_workflow", connection=connection, workflow_id=adapter.workflow_id
        )
    return LeenaAopAnswer(type="leena_aop", connection=connection, aop_id=adapter.aop_id)


class ProblemAnswer(Answer):
    """Why something ended as it did."""

    code: Annotated[str, Field(examples=["upstream_failed"])]
    message: str

    @classmethod
    def of(cls, problem: Problem | None) -> ProblemAnswer | None:
        return None if problem is None else cls(code=problem.code, message=problem.message)


Moment = Annotated[datetime, Field(examples=["2026-04-22T15:50:55Z"])]
