"""Bodies and answers of the Agent API's run lifecycle, in its own names.

Fields that the document does not know are passed over, since adapters send more than it says.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from agentruns.agent_calls import AgentResult
from agentruns.agent_reports import AgentReport
from agentruns.agent_results import MentionedIn, RunContext
from agentruns.api.schemas.fields import Answer
from agentruns.comment import Comment, CommentType
from agentruns.errors import InvalidRequest
from agentruns.model import Problem, Run
from agentruns.problem_words import AGENT_FAILED
from agentruns.statuses import RunStatus
from agentruns.task_tokens import IssuedToken

ERROR_LENGTH = 2000

Count = Annotated[int, Field(ge=0, le=2**53)]


class AgentBody(BaseModel):
    """A part of an agent's request: nothing is converted, other fields are passed over."""

    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True
    )


class UsageBody(AgentBody):
    inputTokens: Count  # noqa: N815  # the protocol's names
    outputTokens: Count  # noqa: N815


class ResultBody(AgentBody):
    """How the run ended. `success` and `completed`, `error` and `failed`, `text` and `output` are
    the same: two published forms of one body."""

    status: Annotated[
        Literal["success", "error", "completed", "failed"], Field(examples=["success"])
    ]
    text: Annotated[
        str | None,
        Field(
            validation_alias=AliasChoices("text", "output"),
            description="What the agent made. Required on success.",
            examples=["A first draft of the article ..."],
        ),
    ] = None
    error: Annotated[
        str | None, Field(description="Why it failed. Required on error.", examples=[None])
    ] = None
    usage: UsageBody | None = None
    durationMs: Count | None = None  # noqa: N815
    sessionId: Annotated[str | None, Field(max_length=256)] = None  # noqa: N815
    metadata: dict[str, Any] | None = None

    def result(self) -> AgentResult:
        """InvalidRequest where the text, or the error, is missing."""
        usage = self.usage
        report = AgentReport(
            input_tokens=usage.inputTokens if usage else None,
            output_tokens=usage.outputTokens if usage else None,
            duration_ms=self.durationMs,
            session_id=self.sessionId,
            metadata=self.metadata or {},
        )
        if self.status in {"success", "completed"}:
            if self.text is None:
                raise InvalidRequest([("text", f"is required when status is {self.status!r}")])
            return AgentResult(report=report, output=self.text)
        if not self.error:
            raise InvalidRequest([("error", f"is required when status is {self.status!r}")])
        problem = Problem(code=AGENT_FAILED, message=self.error[:ERROR_LENGTH])
        return AgentResult(report=report, output=self.text, problem=problem)


class SparseAnswer(Answer):
    """Fields that the document marks with `?` are left out where there is no value: not null."""

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # a return type would replace the model's JSON Schema
        return {name: value for name, value in serialize(self).items() if value is not None}


class ResultAnswer(Answer):
    received: Literal[True] = True
    runId: Annotated[str, Field(examples=["run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])]  # noqa: N815


class ContextSkill(Answer):
    name: str
    content: str


class ContextComment(Answer):
    author: Annotated[str, Field(examples=["operator:bootstrap"])]
    type: CommentType
    text: str
    createdAt: datetime  # noqa: N815

    @classmethod
    def of(cls, comment: Comment) -> ContextComment:
        return cls(
            author=comment.author,
            type=comment.type,
            text=comment.text,
            createdAt=comment.created_at,
        )


class ContextMention(Answer):
    """Where the agent was mentioned; `comments` as those of the activity itself."""

    activityId: str  # noqa: N815
    commentId: Annotated[str, Field(examples=["cmt_01J9Z3M7QK8W5T2X4Y6A8B0C1D"])]  # noqa: N815
    title: str
    comments: list[ContextComment]

    @classmethod
    def of(cls, found: MentionedIn) -> ContextMention:
        return cls(
            activityId=found.mention.activity_id,
            commentId=found.mention.comment_id,
            title=found.title,
            comments=list(map(ContextComment.of, found.comments)),
        )


class ContextAnswer(SparseAnswer):
    runId: str  # noqa: N815
    activityId: str  # noqa: N815
    tenantId: str  # noqa: N815
    agentRole: str  # noqa: N815
    wakeReason: Annotated[str, Field(examples=["new_task"])]  # noqa: N815
    prompt: str
    systemPrompt: str | None = None  # noqa: N815
    skills: list[ContextSkill]
    priorOutput: str | None = None  # noqa: N815
    rejectionNote: str | None = None  # noqa: N815
    reviewerFeedback: str | None = None  # noqa: N815
    subtaskOutput: str | None = None  # noqa: N815
    comments: Annotated[
        list[ContextComment],
        Field(description="The newest 50 of the activity's thread, oldest first."),
    ]
    mentionedIn: Annotated[  # noqa: N815
        ContextMention | None, Field(description="Of a notification.")
    ] = None
    model: str
    maxTurns: int | None = None  # noqa: N815
    timeoutMs: int  # noqa: N815

    @classmethod
    def of(cls, context: RunContext) -> ContextAnswer:
        briefing = context.briefing
        run = briefing.run
        return cls(
            runId=run.run_id,
            activityId=run.activity_id,
            tenantId=run.tenant,
            agentRole=briefing.agent_role,
            wakeReason=run.wake_reason.value,
            prompt=briefing.prompt,
            systemPrompt=briefing.system_prompt or None,
            skills=[
                ContextSkill(name=each.summary.name, content=each.content)
                for each in context.skills
            ],
            priorOutput=briefing.prior_output,
            rejectionNote=briefing.rejection_note,
            reviewerFeedback=briefing.reviewer_feedback,
            subtaskOutput=briefing.subtask_output,
            comments=list(map(ContextComment.of, context.comments)),
            mentionedIn=ContextMention.of(context.mentioned_in) if context.mentioned_in else None,
            model=briefing.model,
            maxTurns=briefing.max_turns,
            timeoutMs=briefing.timeout_ms,
        )


AgentRunStatus = Literal["pending", "running", "completed", "failed", "timeout"]

_STATUSES: dict[RunStatus, AgentRunStatus] = {
    RunStatus.PENDING: "pending",
    RunStatus.DISPATCHING: "pending",
    RunStatus.START_UNKNOWN: "pending",
    RunStatus.RUNNING: "running",
    RunStatus.PAUSED: "running",
    RunStatus.COMPLETED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.ABORTED: "failed",
    RunStatus.TIMEOUT: "timeout",
}


class StatusAnswer(SparseAnswer):
    runId: str  # noqa: N815
    status: AgentRunStatus
    startedAt: datetime | None = None  # noqa: N815
    expiresAt: datetime  # noqa: N815

    @classmethod
    def of(cls, run: Run, expires_at: datetime) -> StatusAnswer:
        return cls(
            runId=run.run_id,
            status=_STATUSES[run.status],
            startedAt=run.started_at,
            expiresAt=expires_at,
        )


class TokenAnswer(Answer):
    """`taskToken` takes the place of the one it was asked with, which goes on to its own end."""

    taskToken: str  # noqa: N815
    expiresAt: datetime  # noqa: N815

    @classmethod
    def of(cls, issued: IssuedToken) -> TokenAnswer:
        return cls(taskToken=issued.token.reveal(), expiresAt=issued.expires_at)
