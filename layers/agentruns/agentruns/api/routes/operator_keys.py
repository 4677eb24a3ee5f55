"""`/v1/operator-keys`: who may call this API. A key is shown once, when it is issued."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from agentruns.api.access import caller_of, require_name
from agentruns.api.routes.parameters import new_router, no_content
from agentruns.api.schemas.operator_keys import (
    IssuedKeyAnswer,
    OperatorKeyAnswer,
    OperatorKeyBody,
    OperatorKeysAnswer,
)
from agentruns.api.services import ApiServices
from agentruns.errors import OperatorKeyNotFound
from agentruns.ids import TENANT_PATTERN
from agentruns.operator_keys import Scope, require_tenant

_TAGS = ["operator-keys"]


def operator_key_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.post("/operator-keys", summary="Issue an operator key", tags=_TAGS, status_code=201)
    def issue_operator_key(body: OperatorKeyBody) -> IssuedKeyAnswer:
        issued = services.issue_operator_key(
            caller_of(router, Scope.ADMIN),
            name=body.name,
            scopes=[Scope(scope) for scope in body.scopes],
            tenant=body.tenant,
            expires_in_days=body.expires_in_days,
        )
        return IssuedKeyAnswer.of_issued(issued)

    @router.get("/operator-keys", summary="List the operator keys", tags=_TAGS)
    def list_operator_keys(
        tenant: Annotated[
            str | None,
            Query(pattern=TENANT_PATTERN, description="Another's needs the scope `platform`."),
        ] = None,
    ) -> OperatorKeysAnswer:
        owner = require_tenant(caller_of(router, Scope.ADMIN), tenant)
        keys = services.operator_keys.list(owner)
        return OperatorKeysAnswer(items=[OperatorKeyAnswer.of(key) for key in keys])

    @router.delete("/operator-keys/<key_id>", summary="Revoke an operator key", tags=_TAGS)
    def revoke_operator_key(key_id: str) -> Response[str]:
        caller = caller_of(router, Scope.ADMIN)
        services.revoke_operator_key(caller, require_name(key_id, OperatorKeyNotFound))
        return no_content()

    return router
