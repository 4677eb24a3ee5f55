"""`/v1/connections`: named access to a provider. No answer ever has a credential."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.access import require_name, tenant_of
from agentruns.api.routes.parameters import NewName, new_router, no_content
from agentruns.api.schemas.connections import (
    ChecksAnswer,
    ConnectionAnswer,
    ConnectionBody,
    ConnectionsAnswer,
    LimitsBody,
    answer_connection,
)
from agentruns.api.services import ApiServices
from agentruns.errors import ConnectionNotFound
from agentruns.operator_keys import Scope

_TAGS = ["connections"]


def connection_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.put("/connections/<name>", summary="Create or replace a connection", tags=_TAGS)
    def put_connection(name: NewName, body: ConnectionBody) -> ConnectionAnswer:
        connection = services.store_connection(
            tenant_of(router, Scope.ADMIN),
            name,
            body.access(),
        )
        return answer_connection(connection)

    @router.get("/connections", summary="List the connections", tags=_TAGS)
    def list_connections() -> ConnectionsAnswer:
        connections = services.connections.list(tenant_of(router, Scope.READ))
        return ConnectionsAnswer(items=[answer_connection(each) for each in connections])

    @router.get("/connections/<name>", summary="Read a connection", tags=_TAGS)
    def get_connection(name: str) -> ConnectionAnswer:
        tenant = tenant_of(router, Scope.READ)
        found = services.connections.get(tenant, require_name(name, ConnectionNotFound))
        return answer_connection(found)

    @router.put(
        "/connections/<name>/limits",
        summary="Set what a connection may do at most",
        tags=_TAGS,
    )
    def put_connection_limits(name: str, body: LimitsBody) -> ConnectionAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        name = require_name(name, ConnectionNotFound)
        return answer_connection(services.limit_connection(tenant, name, body.limits()))

    @router.delete("/connections/<name>", summary="Delete a connection", tags=_TAGS)
    def delete_connection(name: str) -> Response[str]:
        tenant = tenant_of(router, Scope.ADMIN)
        services.delete_connection(tenant, require_name(name, ConnectionNotFound))
        return no_content()

    @router.post(
        "/connections/<name>/check",
        summary="Try a connection by calls that change nothing there",
        tags=_TAGS,
    )
    def check_connection(name: str) -> ChecksAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        checks = services.check_connection(tenant, require_name(name, ConnectionNotFound))
        return ChecksAnswer.of(checks)

    return router
