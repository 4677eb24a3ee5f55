"""`/agent/v1/sessions`: the session that an agent goes on from in its next run."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.agent_routes.callers import BY_AGENT_KEY, calling_agent
from agentruns.api.agent_schemas.sessions import (
    LatestSessionAnswer,
    SessionAnswer,
    SessionBody,
)
from agentruns.api.agent_services import AgentServices
from agentruns.api.routes.parameters import new_router

_TAGS = ["sessions"]


def session_routes(services: AgentServices) -> Router:
    router = new_router()

    @router.put(
        "/sessions/<agent_role>", summary="Store a session", tags=_TAGS, security=BY_AGENT_KEY
    )
    def put_session(agent_role: str, body: SessionBody) -> SessionAnswer:
        stored = services.store_session(
            calling_agent(router, agent_role),
            session_id=body.sessionId,
            run_id=body.activityRunId,
            input_tokens=body.inputTokensSoFar,
            output_tokens=body.outputTokensSoFar,
        )
        return SessionAnswer(sessionId=stored.session_id)

    @router.get(
        "/sessions/<agent_role>/latest",
        summary="Read the latest session",
        tags=_TAGS,
        security=BY_AGENT_KEY,
    )
    def get_latest_session(agent_role: str) -> LatestSessionAnswer:
        agent = calling_agent(router, agent_role)
        latest = services.sessions.latest(agent.tenant, agent.role)
        return LatestSessionAnswer.of(latest, services.clock())

    return router
