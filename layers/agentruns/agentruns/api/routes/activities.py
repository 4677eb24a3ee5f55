"""`/v1/activities`: starting work, seeing how it goes, cancelling it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from agentruns.api.access import tenant_of
from agentruns.api.routes.parameters import IdempotencyKey, new_router
from agentruns.api.schemas.activities import (
    AcceptedAnswer,
    ActivitiesAnswer,
    ActivityAnswer,
    ActivityBody,
    ActivitySummaryAnswer,
    CancelBody,
    CancelledAnswer,
)
from agentruns.api.schemas.fields import TAG_PATTERN
from agentruns.api.services import ApiServices
from agentruns.ids import NAME_PATTERN, require_activity_id
from agentruns.model import Trigger
from agentruns.operator_keys import Scope
from agentruns.ports import ActivityFilter
from agentruns.statuses import ActivityStatus

_TAGS = ["activities"]


def activity_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.post("/activities", summary="Start an activity", tags=_TAGS, status_code=202)
    def start_activity(
        body: ActivityBody, idempotency_key: IdempotencyKey = None
    ) -> Response[AcceptedAnswer]:
        accepted = services.accept_activity(
            tenant_of(router, Scope.OPERATE),
            body.request(),
            trigger=Trigger.API,
            idempotency_key=idempotency_key,
        )
        headers = {"Location": f"/v1/activities/{accepted.activity_id}"}
        if accepted.repeated:
            headers["Idempotent-Replayed"] = "true"
        return Response(
            status_code=HTTPStatus.ACCEPTED.value,
            content_type="application/json",
            body=AcceptedAnswer.of(accepted),
            headers=headers,
        )

    @router.get("/activities", summary="List the activities, newest first", tags=_TAGS)
    def list_activities(
        status: Annotated[ActivityStatus | None, Query()] = None,
        agent_role: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
        tag: Annotated[str | None, Query(pattern=TAG_PATTERN)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
        cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
    ) -> ActivitiesAnswer:
        page = services.activities.list_activities(
            tenant_of(router, Scope.READ),
            ActivityFilter(status=status, agent_role=agent_role, tag=tag),
            limit,
            cursor,
        )
        return ActivitiesAnswer(
            items=[ActivitySummaryAnswer.of(activity) for activity in page.items],
            next_cursor=page.next_cursor,
        )

    @router.get("/activities/<activity_id>", summary="Read an activity and its runs", tags=_TAGS)
    def get_activity(activity_id: str) -> ActivityAnswer:
        tenant = tenant_of(router, Scope.READ)
        record = services.activities.read(tenant, require_activity_id(activity_id))
        told = services.activities.read_input(tenant, activity_id)
        return ActivityAnswer.of_record(services.count_looks.with_next(record), told)

    @router.post("/activities/<activity_id>/cancel", summary="Cancel an activity", tags=_TAGS)
    def cancel_activity(activity_id: str, body: CancelBody | None = None) -> CancelledAnswer:
        cancelled = services.cancel_activity(
            tenant_of(router, Scope.OPERATE),
            require_activity_id(activity_id),
            body.reason if body else "",
        )
        return CancelledAnswer.of(cancelled)

    return router
