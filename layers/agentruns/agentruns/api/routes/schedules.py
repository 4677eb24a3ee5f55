"""`/v1/schedules`: what an EventBridge schedule opens each time it fires."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.access import require_name, tenant_of
from agentruns.api.routes.parameters import NewName, new_router, no_content
from agentruns.api.schemas.schedules import ScheduleAnswer, ScheduleBody, SchedulesAnswer
from agentruns.api.services import ApiServices
from agentruns.errors import ScheduleNotFound
from agentruns.operator_keys import Scope

_TAGS = ["schedules"]


def schedule_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.put("/schedules/<name>", summary="Create or replace a schedule", tags=_TAGS)
    def put_schedule(name: NewName, body: ScheduleBody) -> ScheduleAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        request = body.activity.request("activity.")
        return ScheduleAnswer.of(services.store_schedule(tenant, name, request))

    @router.get("/schedules", summary="List the schedules", tags=_TAGS)
    def list_schedules() -> SchedulesAnswer:
        schedules = services.schedules.list(tenant_of(router, Scope.READ))
        return SchedulesAnswer(items=[ScheduleAnswer.of(each) for each in schedules])

    @router.get("/schedules/<name>", summary="Read a schedule", tags=_TAGS)
    def get_schedule(name: str) -> ScheduleAnswer:
        tenant = tenant_of(router, Scope.READ)
        found = services.schedules.get(tenant, require_name(name, ScheduleNotFound))
        return ScheduleAnswer.of(found)

    @router.delete("/schedules/<name>", summary="Delete a schedule", tags=_TAGS)
    def delete_schedule(name: str) -> Response[str]:
        tenant = tenant_of(router, Scope.ADMIN)
        services.schedules.delete(tenant, require_name(name, ScheduleNotFound))
        return no_content()

    return router
