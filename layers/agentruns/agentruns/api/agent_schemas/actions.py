"""Bodies and answers of the Agent API's actions, in its own names.

As in `agent_schemas.runs`, fields that the document does not know are passed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from agentruns.actions import (
    LINKED_LIMIT,
    ApprovalWanted,
    Asked,
    Blocker,
    ReviewWanted,
)
from agentruns.api.agent_schemas.runs import AgentBody
from agentruns.api.schemas.fields import Answer, Message, Name, PriorityWord
from agentruns.comment import Comment, CommentType
from agentruns.commenting import NewComment
from agentruns.errors import InvalidRequest
from agentruns.model import Priority
from agentruns.reassigning import Reassigned, Reassignment
from agentruns.subtasks import Subtask
from agentruns.wait import ApprovalType, BlockerType, Wait

Title = Annotated[str, Field(min_length=1, max_length=200, examples=["Publish the article"])]
Description = Annotated[str, Field(max_length=4000)]
UserId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$", examples=["usr_7"])]


class ReportBlockerBody(AgentBody):
    blockerType: Annotated[  # noqa: N815  # the protocol's names
        Literal[
            "channel_auth_expired",
            "missing_integration",
            "insufficient_data",
            "api_unavailable",
            "needs_human_input",
        ],
        Field(examples=["needs_human_input"]),
    ]
    description: Annotated[str, Field(min_length=1, max_length=4000)]
    channelId: Annotated[str | None, Field(max_length=200)] = None  # noqa: N815
    resolution: Annotated[str | None, Field(max_length=4000)] = None

    def blocker(self) -> Blocker:
        """InvalidRequest where an expired channel is not named."""
        blocker_type = BlockerType(self.blockerType)
        if blocker_type is BlockerType.CHANNEL_AUTH_EXPIRED and not self.channelId:
            fault = f"is required when blockerType is {self.blockerType!r}"
            raise InvalidRequest([("channelId", fault)])
        return Blocker(
            blocker_type=blocker_type,
            description=self.description,
            channel_id=self.channelId,
            resolution=self.resolution,
        )


class BlockedAnswer(Answer):
    activityId: str  # noqa: N815
    status: Literal["blocked"] = "blocked"
    humanTaskCreated: Literal[True] = True  # noqa: N815

    @classmethod
    def of(cls, asked: Asked) -> BlockedAnswer:
        return cls(activityId=asked.wait.activity_id)


class CreateSubtaskBody(AgentBody):
    title: Title
    agentRole: Name  # noqa: N815
    prompt: Annotated[Message, Field(min_length=1)]
    blocking: bool = True
    priority: PriorityWord = "normal"

    def subtask(self) -> Subtask:
        return Subtask(
            title=self.title,
            agent_role=self.agentRole,
            prompt=self.prompt,
            is_blocking=self.blocking,
            priority=Priority(self.priority),
        )


class SubtaskAnswer(Answer):
    subtaskActivityId: str  # noqa: N815
    blocking: bool
    parentActivityId: str  # noqa: N815

    @classmethod
    def of(cls, wait: Wait) -> SubtaskAnswer:
        return cls(
            subtaskActivityId=wait.subtask_activity_id or "",
            blocking=wait.is_blocking,
            parentActivityId=wait.activity_id,
        )


class RequestReviewBody(AgentBody):
    title: Title
    description: Description
    contentRef: Annotated[str | None, Field(max_length=512)] = None  # noqa: N815

    def wanted(self) -> ReviewWanted:
        return ReviewWanted(
            title=self.title, description=self.description, content_ref=self.contentRef
        )


class ReviewAnswer(Answer):
    approvalId: Annotated[str, Field(examples=["wait_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])]  # noqa: N815
    activityId: str  # noqa: N815
    status: Literal["awaiting_review"] = "awaiting_review"

    @classmethod
    def of(cls, asked: Asked) -> ReviewAnswer:
        return cls(approvalId=asked.wait.wait_id, activityId=asked.wait.activity_id)


class CreateApprovalBody(AgentBody):
    title: Title
    type: Annotated[
        Literal[
            "content_review",
            "content_direction",
            "brand_direction",
            "strategy_change",
            "budget_authorization",
            "channel_action",
        ],
        Field(examples=["channel_action"]),
    ]
    description: Description = ""
    options: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=20)
    ] = Field(default_factory=list)
    linkedActivityIds: Annotated[  # noqa: N815
        list[Annotated[str, Field(max_length=64)]], Field(max_length=LINKED_LIMIT)
    ] = Field(default_factory=list)
    blockCurrentActivity: bool = True  # noqa: N815

    def wanted(self) -> ApprovalWanted:
        return ApprovalWanted(
            title=self.title,
            approval_type=ApprovalType(self.type),
            description=self.description,
            options=tuple(dict.fromkeys(self.options)),
            linked_activity_ids=tuple(dict.fromkeys(self.linkedActivityIds)),
            is_blocking=self.blockCurrentActivity,
        )


class ApprovalAnswer(Answer):
    approvalId: str  # noqa: N815
    type: ApprovalType
    riskLevel: Annotated[str, Field(examples=["high"])]  # noqa: N815
    expiresAt: datetime  # noqa: N815

    @classmethod
    def of(cls, asked: Asked) -> ApprovalAnswer:
        wait = asked.wait
        return cls.model_validate(
            {
                "approvalId": wait.wait_id,
                "type": wait.approval_type,
                "riskLevel": wait.risk_level,
                "expiresAt": wait.expires_at,
            }
        )


class ReassignBody(AgentBody):
    """To a role or to a person: one of the two."""

    toRole: Name | None = None  # noqa: N815
    toUserId: Annotated[UserId | None, Field(examples=[None])] = None  # noqa: N815
    reason: Annotated[str, Field(min_length=1, max_length=2000)]

    def wanted(self) -> Reassignment:
        return Reassignment(reason=self.reason, to_role=self.toRole, to_user_id=self.toUserId)


class ReassignedAnswer(Answer):
    originalActivityId: str  # noqa: N815
    newActivityId: str  # noqa: N815

    @classmethod
    def of(cls, reassigned: Reassigned) -> ReassignedAnswer:
        return cls(
            originalActivityId=reassigned.original_activity_id,
            newActivityId=reassigned.new_activity_id,
        )


class AddCommentBody(AgentBody):
    """`@agent:role` and `@human:userId` mention somebody."""

    text: Annotated[str, Field(min_length=1, max_length=10_000)]
    type: Literal["comment", "intervention_note"] = "comment"

    def comment(self) -> NewComment:
        return NewComment(text=self.text, type=CommentType(self.type))


class CommentAnswer(Answer):
    commentId: str  # noqa: N815

    @classmethod
    def of(cls, comment: Comment) -> CommentAnswer:
        return cls(commentId=comment.comment_id)
