"""`/v1/agents/{agent_role}/keys`: with which an agent calls us. Shown once, when issued."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.agent_errors import AgentKeyNotFound
from agentruns.api.access import require_name, tenant_of
from agentruns.api.routes.parameters import new_router, no_content
from agentruns.api.schemas.agent_keys import (
    AgentKeyAnswer,
    AgentKeyBody,
    AgentKeysAnswer,
    IssuedAgentKeyAnswer,
)
from agentruns.api.services import ApiServices
from agentruns.errors import AgentNotFound
from agentruns.operator_keys import Scope

_TAGS = ["agents"]


def agent_key_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.post(
        "/agents/<agent_role>/keys",
        summary="Issue a key for an agent",
        tags=_TAGS,
        status_code=201,
    )
    def issue_agent_key(agent_role: str, body: AgentKeyBody | None = None) -> IssuedAgentKeyAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        role = require_name(agent_role, AgentNotFound)
        issued = services.issue_agent_key(tenant, role, (body or AgentKeyBody()).name)
        return IssuedAgentKeyAnswer.of_issued(issued)

    @router.get("/agents/<agent_role>/keys", summary="List the keys of an agent", tags=_TAGS)
    def list_agent_keys(agent_role: str) -> AgentKeysAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        keys = services.list_agent_keys(tenant, require_name(agent_role, AgentNotFound))
        return AgentKeysAnswer(items=[AgentKeyAnswer.of(key) for key in keys])

    @router.delete(
        "/agents/<agent_role>/keys/<key_id>", summary="Revoke a key of an agent", tags=_TAGS
    )
    def revoke_agent_key(agent_role: str, key_id: str) -> Response[str]:
        tenant = tenant_of(router, Scope.ADMIN)
        role = require_name(agent_role, AgentNotFound)
        services.revoke_agent_key(tenant, role, require_name(key_id, AgentKeyNotFound))
        return no_content()

    return router
