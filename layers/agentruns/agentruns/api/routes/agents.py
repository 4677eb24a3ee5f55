"""`/v1/agents`: the roles that activities are given to."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.access import require_name, tenant_of
from agentruns.api.routes.parameters import NewName, new_router, no_content
from agentruns.api.schemas.agents import (
    AgentAnswer,
    AgentBody,
    AgentsAnswer,
    SigningSecretAnswer,
    StoredAgentAnswer,
    answer_stored,
)
from agentruns.api.services import ApiServices
from agentruns.errors import AgentNotFound
from agentruns.finding import agent_for
from agentruns.operator_keys import Scope

_TAGS = ["agents"]


def agent_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.put("/agents/<agent_role>", summary="Create or replace an agent", tags=_TAGS)
    def put_agent(agent_role: NewName, body: AgentBody) -> AgentAnswer | StoredAgentAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        return answer_stored(services.store_agent(tenant, agent_role, body.settings()))

    @router.post(
        "/agents/<agent_role>/signing-secret",
        summary="Give an agent another signing secret",
        tags=_TAGS,
    )
    def rotate_signing_secret(agent_role: str) -> SigningSecretAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        role = require_name(agent_role, AgentNotFound)
        return SigningSecretAnswer.of(services.rotate_signing_secret(tenant, role))

    @router.get("/agents", summary="List the agents", tags=_TAGS)
    def list_agents() -> AgentsAnswer:
        agents = services.agents.list(tenant_of(router, Scope.READ))
        return AgentsAnswer(items=[AgentAnswer.of(each) for each in agents])

    @router.get("/agents/<agent_role>", summary="Read an agent", tags=_TAGS)
    def get_agent(agent_role: str) -> AgentAnswer:
        tenant = tenant_of(router, Scope.READ)
        role = require_name(agent_role, AgentNotFound)
        return AgentAnswer.of(agent_for(services.agents, tenant, role))

    @router.delete("/agents/<agent_role>", summary="Delete an agent", tags=_TAGS)
    def delete_agent(agent_role: str) -> Response[str]:
        tenant = tenant_of(router, Scope.ADMIN)
        services.delete_agent(tenant, require_name(agent_role, AgentNotFound))
        return no_content()

    return router
