"""Bodies and answers of what waits for people: the inbox, its answers, comments."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentruns.api.schemas.fields import Answer, Body, Moment, PriorityWord
from agentruns.comment import Comment, CommentType, WhyNotNotified
from agentruns.commenting import NewComment
from agentruns.deciding import Answered
from agentruns.inbox import InboxItem
from agentruns.statuses import ActivityStatus
from agentruns.wait import Answer as GivenAnswer
from agentruns.wait import (
    ApprovalType,
    BlockerType,
    Decision,
    RiskLevel,
    Wait,
    WaitKind,
)

Note = Annotated[
    str,
    Field(
        max_length=4000,
        description="What the agent is told; at most 4,000 characters.",
        examples=["Too long; keep it under 600 words"],
    ),
]


class DecisionBody(Body):
    """A note is required unless it is approved."""

    decision: Annotated[
        Literal["approved", "rejected", "changes_requested"], Field(examples=["rejected"])
    ]
    option: Annotated[
        str | None, Field(max_length=200, description="One of the approval's options.")
    ] = None
    note: Note = ""

    def answer(self, key_id: str) -> GivenAnswer:
        return GivenAnswer(
            decision=Decision(self.decision),
            answered_by=f"operator:{key_id}",
            note=self.note,
            option=self.option,
        )


class ResolveTaskBody(Body):
    """What was done. Of a task that was given to a person it is the output."""

    note: Note = ""


class CommentBody(Body):
    """`@agent:role` and `@human:userId` mention somebody."""

    text: Annotated[str, Field(min_length=1, max_length=10_000, examples=["Nearly there"])]
    type: Literal["comment", "intervention_note"] = "comment"

    def comment(self) -> NewComment:
        return NewComment(text=self.text, type=CommentType(self.type))


class WaitAnswer(Answer):
    """What an activity waits for, or waited for: it is open while `decision` is null."""

    wait_id: Annotated[str, Field(examples=["wait_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])]
    kind: WaitKind
    run_id: str
    is_blocking: bool
    requested_by: Annotated[str, Field(examples=["agent:copywriter"])]
    title: str
    description: str
    blocker_type: BlockerType | None
    channel_id: str | None
    resolution: str | None
    content_ref: str | None
    approval_type: ApprovalType | None
    risk_level: RiskLevel | None
    options: list[str]
    linked_activity_ids: list[str]
    approval_id: str | None
    subtask_activity_id: str | None
    user_id: str | None
    opened_at: Moment
    expires_at: Moment | None
    escalated_at: Moment | None
    decision: Decision | None
    option: str | None
    note: str | None
    output: str | None
    decided_by: str | None
    decided_at: Moment | None

    @classmethod
    def of(cls, wait: Wait) -> WaitAnswer:
        return cls(
            wait_id=wait.wait_id,
            kind=wait.kind,
            run_id=wait.run_id,
            is_blocking=wait.is_blocking,
            requested_by=wait.requested_by,
            title=wait.title,
            description=wait.description,
            blocker_type=wait.blocker_type,
            channel_id=wait.channel_id,
            resolution=wait.resolution,
            content_ref=wait.content_ref,
            approval_type=wait.approval_type,
            risk_level=wait.risk_level,
            options=list(wait.options),
            linked_activity_ids=list(wait.linked_activity_ids),
            approval_id=wait.approval_id,
            subtask_activity_id=wait.subtask_activity_id,
            user_id=wait.user_id,
            opened_at=wait.opened_at,
            expires_at=wait.expires_at,
            escalated_at=wait.escalated_at,
            decision=wait.decision,
            option=wait.option,
            note=wait.note,
            output=wait.output,
            decided_by=wait.decided_by,
            decided_at=wait.decided_at,
        )


class AnsweredAnswer(Answer):
    """`status` is the activity's, after the answer."""

    activity_id: str
    status: ActivityStatus
    wait: WaitAnswer

    @classmethod
    def of(cls, answered: Answered) -> AnsweredAnswer:
        activity = answered.record.activity
        return cls(
            activity_id=activity.activity_id,
            status=activity.status,
            wait=WaitAnswer.of(answered.wait),
        )


InboxKind = Literal["approval", "review", "blocker", "human_task", "paused", "start_unknown"]


class InboxItemAnswer(Answer):
    """`id` is what is decided or resolved: a wait's, or a run's. `wait` is null of a run."""

    id: Annotated[str, Field(examples=["wait_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])]
    kind: InboxKind
    activity_id: str
    agent_role: str | None
    title: str
    priority: PriorityWord
    status: ActivityStatus
    since: Moment
    age_seconds: int
    expires_at: Moment | None
    wait: WaitAnswer | None

    @classmethod
    def of(cls, item: InboxItem) -> InboxItemAnswer:
        activity = item.activity
        return cls(
            id=item.item_id,
            kind=item.kind,  # type: ignore[arg-type]  # pydantic holds it to the words
            activity_id=activity.activity_id,
            agent_role=activity.agent_role,
            title=item.title,
            priority=activity.priority.value,
            status=activity.status,
            since=item.since,
            age_seconds=round(item.age.total_seconds()),
            expires_at=item.expires_at,
            wait=WaitAnswer.of(item.wait) if item.wait else None,
        )


class InboxAnswer(Answer):
    """Oldest first. A page may be short before the last; go on while there is a `next_cursor`."""

    items: list[InboxItemAnswer]
    next_cursor: str | None


class NotifiedAnswer(Answer):
    """`activity_id` is the activity that tells the agent of the comment."""

    agent_role: Annotated[str, Field(examples=["editor"])]
    activity_id: str


class NotNotifiedAnswer(Answer):
    agent_role: Annotated[str, Field(examples=["sleeper"])]
    reason: Annotated[WhyNotNotified, Field(examples=["agent_disabled"])]


class CommentAnswer(Answer):
    comment_id: Annotated[str, Field(examples=["cmt_01J9Z3M7QK8W5T2X4Y6A8B0C1D"])]
    activity_id: str
    author: Annotated[str, Field(examples=["operator:bootstrap"])]
    type: CommentType
    text: str
    run_id: str | None
    mentioned_agents: list[str]
    mentioned_humans: list[str]
    notified: list[NotifiedAnswer]
    not_notified: list[NotNotifiedAnswer]
    reply_to: Annotated[
        str | None,
        Field(
            description="Of the answer of an agent that was mentioned: the comment that did so.",
            examples=[None],
        ),
    ]
    created_at: Moment

    @classmethod
    def of(cls, comment: Comment) -> CommentAnswer:
        return cls(
            comment_id=comment.comment_id,
            activity_id=comment.activity_id,
            author=comment.author,
            type=comment.type,
            text=comment.text,
            run_id=comment.run_id,
            mentioned_agents=list(comment.mentions.agents),
            mentioned_humans=list(comment.mentions.humans),
            notified=[
                NotifiedAnswer(agent_role=each.agent_role, activity_id=each.activity_id or "")
                for each in comment.notified
            ],
            not_notified=[
                NotNotifiedAnswer.model_validate(
                    {"agent_role": each.agent_role, "reason": each.why_not}
                )
                for each in comment.not_notified
            ],
            reply_to=comment.reply_to,
            created_at=comment.created_at,
        )


class CommentsAnswer(Answer):
    """Oldest first; go on with `after` while there is a `next_after`."""

    items: list[CommentAnswer]
    next_after: str | None
