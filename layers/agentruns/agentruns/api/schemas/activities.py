"""Bodies and answers of `/v1/activities`; the body is also an event's detail and a schedule's."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from agentruns.activities import Accepted
from agentruns.api.schemas.fields import (
    LONGEST_TIMEOUT_SECONDS,
    ONE_LINE_PATTERN,
    TAGS_LIMIT,
    AdapterAnswer,
    AdapterBody,
    Answer,
    Body,
    Context,
    InputCsvUrl,
    Message,
    Moment,
    Name,
    OnStartUnknownWord,
    PriorityWord,
    ProblemAnswer,
    Tag,
    Title,
    answer_adapter,
)
from agentruns.api.schemas.runs import RunAnswer
from agentruns.api.schemas.waits import WaitAnswer
from agentruns.cancelling import Cancelled
from agentruns.definitions import ActivityRequest
from agentruns.errors import InvalidRequest
from agentruns.model import (
    Activity,
    ActivityInput,
    ActivityRecord,
    Admission,
    OnStartUnknown,
    Priority,
)
from agentruns.statuses import ActivityStatus


class ActivityBody(Body):
    """Work for an agent. Exactly one of `agent_role` and `adapter` is given."""

    agent_role: Annotated[Name | None, Field(examples=["it_support"])] = None
    adapter: AdapterBody | None = None
    message: Message = ""
    context: Context = Field(default_factory=dict)
    input_csv_url: Annotated[InputCsvUrl | None, Field(examples=[None])] = None
    title: Title = ""
    priority: PriorityWord = "normal"
    tags: Annotated[list[Tag], Field(max_length=TAGS_LIMIT)] = Field(default_factory=list)
    timeout_seconds: Annotated[int, Field(ge=5, le=LONGEST_TIMEOUT_SECONDS)] | None = None
    on_start_unknown: OnStartUnknownWord | None = None

    def request(self, parent: str = "") -> ActivityRequest:
        """InvalidRequest unless exactly one of `agent_role` and `adapter` is given, and for a CSV
        with a message or a context.

        `parent` stands before the fields' names (`activity.`, `detail.`).
        """
        if (self.agent_role is None) is (self.adapter is None):
            fault = "give exactly one of agent_role and adapter"
            raise InvalidRequest([(f"{parent}agent_role", fault), (f"{parent}adapter", fault)])
        told = {"message": self.message, "context": self.context}
        if self.input_csv_url is not None and any(told.values()):
            fault = "goes with no input_csv_url: a bulk run has no inputs but its CSV"
            raise InvalidRequest([(parent + name, fault) for name, each in told.items() if each])
        return ActivityRequest(
            agent_role=self.agent_role,
            adapter=None if self.adapter is None else self.adapter.adapter(),
            message=self.message,
            context=self.context,
            input_csv_url=self.input_csv_url,
            title=self.title,
            priority=Priority(self.priority),
            tags=tuple(dict.fromkeys(self.tags)),
            timeout_seconds=self.timeout_seconds,
            on_start_unknown=(
                OnStartUnknown(self.on_start_unknown) if self.on_start_unknown else None
            ),
        )


class CancelBody(Body):
    reason: Annotated[str, Field(max_length=500, pattern=ONE_LINE_PATTERN)] = ""


class LinksAnswer(Answer):
    """Paths, to be put behind the API's address."""

    self: str
    run: str
    events: str


class AcceptedAnswer(Answer):
    activity_id: Annotated[str, Field(examples=["act_01J9Z3M7QK8W5T2X4Y6A8B0C1D"])]
    run_id: Annotated[str, Field(examples=["run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])]
    status: Literal["queued"]
    links: LinksAnswer

    @classmethod
    def of(cls, accepted: Accepted) -> AcceptedAnswer:
        """The same for the first request and each repeat, whatever became of the activity."""
        run = f"/v1/runs/{accepted.run_id}"
        return cls(
            activity_id=accepted.activity_id,
            run_id=accepted.run_id,
            status="queued",
            links=LinksAnswer(
                self=f"/v1/activities/{accepted.activity_id}", run=run, events=f"{run}/events"
            ),
        )


class MentionAnswer(Answer):
    """In whose thread the agent was mentioned, and by which comment."""

    activity_id: str
    comment_id: Annotated[str, Field(examples=["cmt_01J9Z3M7QK8W5T2X4Y6A8B0C1D"])]


class ActivitySummaryAnswer(Answer):
    """An activity as the list shows it."""

    activity_id: str
    tenant: str
    agent_role: str | None
    adapter: AdapterAnswer
    trigger: Annotated[str, Field(examples=["api"])]
    title: str
    tags: list[str]
    priority: PriorityWord
    status: ActivityStatus
    created_at: Moment
    updated_at: Moment
    deadline_at: Moment
    ended_at: Moment | None
    error: ProblemAnswer | None
    execution_arn: str | None
    generation: int
    redrive_of: str | None
    redriven_as: str | None
    reassigned_from: str | None
    reassigned_as: str | None
    parent_activity_id: str | None
    mentioned_in: Annotated[MentionAnswer | None, Field(description="Of a notification.")]
    admission: Annotated[
        Admission,
        Field(description="`waiting`: for a slot of the connection, which limits them."),
    ]

    @classmethod
    def of(cls, activity: Activity) -> ActivitySummaryAnswer:
        return cls(**_fields_of(activity))


class ActivityAnswer(ActivitySummaryAnswer):
    """An activity with what the agent was told, its runs and its waits, oldest first."""

    message: str
    context: dict[str, Any]
    input_csv_url: InputCsvUrl | None
    runs: list[RunAnswer]
    waits: list[WaitAnswer]

    @classmethod
    def of_record(cls, record: ActivityRecord, told: ActivityInput) -> ActivityAnswer:
        return cls(
            **_fields_of(record.activity),
            message=told.message,
            context=dict(told.context),
            input_csv_url=told.input_csv_url,
            runs=[RunAnswer.of(record.activity, run) for run in record.runs],
            waits=[WaitAnswer.of(wait) for wait in record.waits],
        )


class ActivitiesAnswer(Answer):
    """Newest first. A page may be short before the last; go on while there is a `next_cursor`."""

    items: list[ActivitySummaryAnswer]
    next_cursor: str | None


class CancelledSubtaskAnswer(Answer):
    """`provider_stopped` is false where the provider goes on; `detail` says what to do there."""

    activity_id: str
    status: ActivityStatus
    provider_stopped: bool
    detail: str

    @classmethod
    def of(cls, cancelled: Cancelled) -> Self:
        return cls.model_validate(_fields_of_cancelled(cancelled))


class CancelledAnswer(CancelledSubtaskAnswer):
    """With the subtasks that ended with it."""

    subtasks: list[CancelledSubtaskAnswer]

    @classmethod
    def of(cls, cancelled: Cancelled) -> Self:
        subtasks = [_fields_of_cancelled(each) for each in cancelled.subtasks]
        return cls.model_validate({**_fields_of_cancelled(cancelled), "subtasks": subtasks})


def _fields_of_cancelled(cancelled: Cancelled) -> dict[str, Any]:
    activity = cancelled.record.activity
    return {
        "activity_id": activity.activity_id,
        "status": activity.status,
        "provider_stopped": cancelled.provider_stopped,
        "detail": cancelled.detail,
    }


def _fields_of(activity: Activity) -> dict[str, Any]:
    mention = activity.mentioned_in
    return {
        "activity_id": activity.activity_id,
        "tenant": activity.tenant,
        "agent_role": activity.agent_role,
        "adapter": answer_adapter(activity.adapter),
        "trigger": activity.trigger.value,
        "title": activity.title,
        "tags": list(activity.tags),
        "priority": activity.priority.value,
        "status": activity.status,
        "created_at": activity.created_at,
        "updated_at": activity.updated_at,
        "deadline_at": activity.deadline_at,
        "ended_at": activity.ended_at,
        "error": ProblemAnswer.of(activity.error),
        "execution_arn": activity.execution_arn,
        "generation": activity.generation,
        "redrive_of": activity.redrive_of,
        "redriven_as": activity.redriven_as,
        "reassigned_from": activity.reassigned_from,
        "reassigned_as": activity.reassigned_as,
        "parent_activity_id": activity.parent_activity_id,
        "mentioned_in": (
            MentionAnswer(activity_id=mention.activity_id, comment_id=mention.comment_id)
            if mention
            else None
        ),
        "admission": activity.admission,
    }
