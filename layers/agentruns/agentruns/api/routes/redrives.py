"""`/v1/activities/.../redrive`: doing failed activities again."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.access import tenant_of
from agentruns.api.routes.parameters import IdempotencyKey, new_router
from agentruns.api.schemas.redrives import (
    BulkRedriveBody,
    BulkRedrivenAnswer,
    RedriveBody,
    RedrivenAnswer,
)
from agentruns.api.services import ApiServices
from agentruns.ids import require_activity_id
from agentruns.operator_keys import Scope

_TAGS = ["activities"]


def redrive_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.post(
        "/activities/redrive", summary="Redrive failed activities, or list them first", tags=_TAGS
    )
    def redrive_activities(body: BulkRedriveBody) -> BulkRedrivenAnswer:
        redriven = services.redrive_activities(
            tenant_of(router, Scope.OPERATE),
            body.filter.wanted(),
            body.reason,
            limit=body.limit,
            cursor=body.cursor,
            is_preview=body.dry_run,
        )
        return BulkRedrivenAnswer.of(redriven, dry_run=body.dry_run)

    @router.post(
        "/activities/<activity_id>/redrive",
        summary="Do a failed activity again",
        tags=_TAGS,
        status_code=202,
    )
    def redrive_activity(
        activity_id: str, body: RedriveBody, idempotency_key: IdempotencyKey = None
    ) -> Response[RedrivenAnswer]:
        accepted = services.redrive_activity(
            tenant_of(router, Scope.OPERATE),
            require_activity_id(activity_id),
            body.redrive(),
            idempotency_key,
        )
        headers = {"Location": f"/v1/activities/{accepted.activity_id}"}
        if accepted.repeated:
            headers["Idempotent-Replayed"] = "true"
        return Response(
            status_code=HTTPStatus.ACCEPTED.value,
            content_type="application/json",
            body=RedrivenAnswer.of_redrive(activity_id, accepted),
            headers=headers,
        )

    return router
