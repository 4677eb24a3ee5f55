"""`/v1/agents/{agent_role}/health` and `/probe`: whether an agent could work, and does."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.access import require_name, tenant_of
from agentruns.api.routes.parameters import new_router
from agentruns.api.schemas.agent_health import AgentHealthAnswer, ProbeAnswer
from agentruns.api.services import ApiServices
from agentruns.errors import AgentNotFound
from agentruns.operator_keys import Scope

_TAGS = ["agents"]


def agent_health_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.get("/agents/<agent_role>/health", summary="Check an agent", tags=_TAGS)
    def check_agent_health(agent_role: str) -> AgentHealthAnswer:
        tenant = tenant_of(router, Scope.OPERATE)
        role = require_name(agent_role, AgentNotFound)
        return AgentHealthAnswer.of(services.check_agent_health(tenant, role))

    @router.post("/agents/<agent_role>/probe", summary="Give an agent real work", tags=_TAGS)
    def probe_agent(agent_role: str) -> ProbeAnswer:
        tenant = tenant_of(router, Scope.OPERATE)
        role = require_name(agent_role, AgentNotFound)
        return ProbeAnswer.of(services.probe_agent(tenant, role))

    return router
