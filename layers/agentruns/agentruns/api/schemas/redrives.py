"""Bodies and answers of the redrive of one activity, and of many by filter."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from agentruns.activities import Accepted
from agentruns.api.schemas.activities import AcceptedAnswer, LinksAnswer
from agentruns.api.schemas.fields import (
    ONE_LINE_PATTERN,
    Answer,
    Body,
    Context,
    Message,
    Moment,
    Name,
    ProblemAnswer,
    Tag,
)
from agentruns.redriving import BulkRedriven, Considered, FailedFilter, Redrive

_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def _require_date_and_time(value: object) -> object:
    """Not pydantic's other readings: seconds since 1970, as a number or in text."""
    if not isinstance(value, str) or _DATE_AND_TIME.match(value) is None:
        raise PydanticCustomError(
            "not_a_time", "must be text with date, time and zone, as 2026-04-22T15:50:55Z"
        )
    return value


_Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_date_and_time)]
Reason = Annotated[
    str,
    Field(min_length=1, max_length=500, pattern=ONE_LINE_PATTERN, examples=["the AOP is mended"]),
]


class RedriveBody(Body):
    """Why, and what the agent is told instead of what it was told before."""

    reason: Reason
    message: Message | None = None
    context: Context | None = None
    not_started: bool = False

    def redrive(self) -> Redrive:
        return Redrive(
            reason=self.reason,
            message=self.message,
            context=self.context,
            not_started=self.not_started,
        )


class RedriveFilterBody(Body):
    """Failed activities; what is left out matches any."""

    status: Literal["failed"] = "failed"
    agent_role: Name | None = None
    tag: Tag | None = None
    error_code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    created_after: _Time | None = None
    created_before: _Time | None = None

    def wanted(self) -> FailedFilter:
        return FailedFilter(
            agent_role=self.agent_role,
            tag=self.tag,
            error_code=self.error_code,
            created_after=self.created_after,
            created_before=self.created_before,
        )


class BulkRedriveBody(Body):
    """`dry_run` is the default: nothing is redriven unless it is false."""

    filter: RedriveFilterBody
    reason: Reason
    limit: Annotated[int, Field(ge=1, le=100)] = 25
    dry_run: bool = True
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None


class RedrivenAnswer(AcceptedAnswer):
    """The successor, and which activity it does again."""

    redrive_of: str

    @classmethod
    def of_redrive(cls, activity_id: str, accepted: Accepted) -> RedrivenAnswer:
        answer = AcceptedAnswer.of(accepted)
        return cls(
            activity_id=answer.activity_id,
            run_id=answer.run_id,
            status=answer.status,
            links=LinksAnswer(**answer.links.model_dump()),
            redrive_of=activity_id,
        )


class ConsideredAnswer(Answer):
    """One activity of a bulk redrive; `skipped` says why it was left as it is."""

    activity_id: str
    agent_role: str | None
    title: str
    created_at: Moment
    error: ProblemAnswer | None
    outcome: Literal["would_redrive", "redriven", "skipped"]
    redriven_as: str | None
    skipped: ProblemAnswer | None

    @classmethod
    def of(cls, considered: Considered) -> ConsideredAnswer:
        activity, skipped = considered.activity, considered.skipped
        accepted = considered.accepted
        return cls(
            activity_id=activity.activity_id,
            agent_role=activity.agent_role,
            title=activity.title,
            created_at=activity.created_at,
            error=ProblemAnswer.of(activity.error),
            outcome="skipped" if skipped else "redriven" if accepted else "would_redrive",
            redriven_as=accepted.activity_id if accepted else activity.redriven_as,
            skipped=ProblemAnswer(code=skipped.code, message=str(skipped)) if skipped else None,
        )


class BulkRedrivenAnswer(Answer):
    """Newest first; go on with `next_cursor` until it is null."""

    dry_run: bool
    items: list[ConsideredAnswer]
    next_cursor: str | None

    @classmethod
    def of(cls, redriven: BulkRedriven, *, dry_run: bool) -> BulkRedrivenAnswer:
        return cls(
            dry_run=dry_run,
            items=[ConsideredAnswer.of(each) for each in redriven.items],
            next_cursor=redriven.next_cursor,
        )
