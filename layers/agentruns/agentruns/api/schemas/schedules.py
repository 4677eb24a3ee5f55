"""Bodies and answers of `/v1/schedules`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from agentruns.api.schemas.activities import ActivityBody
from agentruns.api.schemas.fields import Answer, Body, Moment, Name, answer_adapter
from agentruns.definitions import ActivityRequest, Schedule
from agentruns.schedules import scheduler_input


class ScheduleBody(Body):
    activity: ActivityBody


class ScheduleAnswer(Answer):
    name: Name
    activity: Annotated[
        dict[str, Any], Field(description="The stored body, with only what was given.")
    ]
    scheduler_input: Annotated[
        str,
        Field(
            description="The exact Input for an EventBridge Scheduler target.",
            examples=[scheduler_input("default", "nightly")],
        ),
    ]
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleAnswer:
        return cls(
            name=schedule.name,
            activity=_body_of(schedule.request),
            scheduler_input=scheduler_input(schedule.tenant, schedule.name),
            created_at=schedule.created_at,
            updated_at=schedule.updated_at,
        )


class SchedulesAnswer(Answer):
    items: list[ScheduleAnswer]
    next_cursor: str | None = None


def _body_of(request: ActivityRequest) -> dict[str, Any]:
    adapter = request.adapter
    given = {
        "agent_role": request.agent_role,
        "adapter": adapter and answer_adapter(adapter).model_dump(),
        "message": request.message or None,
        "context": dict(request.context) or None,
        "input_csv_url": request.input_csv_url,
        "title": request.title or None,
        "priority": request.priority.value,
        "tags": list(request.tags) or None,
        "timeout_seconds": request.timeout_seconds,
        "on_start_unknown": request.on_start_unknown and request.on_start_unknown.value,
    }
    return {name: value for name, value in given.items() if value is not None}
