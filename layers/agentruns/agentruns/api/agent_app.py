"""The Agent API as one callable: what an agent of one's own calls back, behind its task token.

Paths, names and codes are those of the Agent API document; what is added is documented as such
(docs/agents.md). Not here: what our APIs share (`front`), what a route does.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from agentruns.api.agent_routes.runs import callback_routes, run_routes
from agentruns.api.agent_services import AgentServices
from agentruns.api.front import Front, LambdaApp, new_resolver
from agentruns.api.intake import Request
from agentruns.api.problems import ProblemDocument

CHALLENGE = 'Bearer realm="agentruns"'
PREFIX = "/agent/v1"

CODES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHORIZED",
    HTTPStatus.FORBIDDEN: "FORBIDDEN",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.CONFLICT: "CONFLICT",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
    HTTPStatus.UNPROCESSABLE_ENTITY: "UNPROCESSABLE",
    HTTPStatus.BAD_GATEWAY: "BAD_GATEWAY",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
}
"""`code` of a problem, by its status: the words of the Agent API document."""


def build_agent_resolver(services: AgentServices) -> APIGatewayRestResolver:
    """The routes with their validation; the OpenAPI document is generated from it."""
    resolver = new_resolver()
    resolver.include_router(run_routes(services), prefix=PREFIX)
    resolver.include_router(callback_routes(services))
    return resolver


def build_agent_app(services: AgentServices) -> LambdaApp:
    """A handler of API Gateway REST (v1) proxy events. It never raises."""

    def authenticate(request: Request) -> tuple[object, Mapping[str, Any]]:
        caller = services.task_tokens.read(request.task_token())
        return caller, {"tenant": caller.tenant, "run_id": caller.run_id}

    return Front(
        resolver=build_agent_resolver(services),
        authenticate=authenticate,
        more=_code_of,
        challenge=CHALLENGE,
    )


def _code_of(problem: ProblemDocument) -> Mapping[str, Any]:
    return {"code": CODES[problem.status]}
