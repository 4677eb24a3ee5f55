"""`/agent/v1/health`: whether the agent of a key could work, and whether it does."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.agent_routes.callers import BY_AGENT_KEY, calling_agent
from agentruns.api.agent_schemas.health import HealthAnswer, ProbeAnswer
from agentruns.api.agent_services import AgentServices
from agentruns.api.routes.parameters import new_router

_TAGS = ["health"]


def health_routes(services: AgentServices) -> Router:
    router = new_router()

    @router.get(
        "/health/<agent_role>",
        summary="Check the agent's adapter",
        tags=_TAGS,
        security=BY_AGENT_KEY,
    )
    def get_health(agent_role: str) -> HealthAnswer:
        agent = calling_agent(router, agent_role)
        return HealthAnswer.of(services.check_agent_health(agent.tenant, agent.role))

    @router.post(
        "/health/<agent_role>/test", summary="Dispatch a probe", tags=_TAGS, security=BY_AGENT_KEY
    )
    def post_test(agent_role: str) -> ProbeAnswer:
        agent = calling_agent(router, agent_role)
        return ProbeAnswer.of(services.probe_agent(agent.tenant, agent.role))

    return router
