"""The Agent API as one callable: what an agent of one's own calls back.

A task token speaks for one run; where no run is at hand, the agent's key speaks for its role.

Paths, names and codes are those of the Agent API document; what is added is documented as such
(docs/agents.md). Not here: what our APIs share (`front`), what a route does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from agentruns.api.agent_codes import code_of
from agentruns.api.agent_routes.actions import action_routes
from agentruns.api.agent_routes.health import health_routes
from agentruns.api.agent_routes.reports import report_routes
from agentruns.api.agent_routes.runs import callback_routes, run_routes
from agentruns.api.agent_routes.sessions import session_routes
from agentruns.api.agent_routes.skills import skill_routes
from agentruns.api.front import Front, LambdaApp, new_resolver
from agentruns.request_errors import Unauthenticated

if TYPE_CHECKING:
    from agentruns.api.agent_services import AgentServices
    from agentruns.api.intake import Request

CHALLENGE = 'Bearer realm="agentruns", ApiKey realm="agentruns"'
PREFIX = "/agent/v1"
DOCUMENT_PATH = f"{PREFIX}/openapi.json"


def build_agent_resolver(services: AgentServices) -> APIGatewayRestResolver:
    """The routes with their validation; the OpenAPI document is generated from it."""
    resolver = new_resolver()
    for build_router in (
        run_routes,
        action_routes,
        report_routes,
        skill_routes,
        session_routes,
        health_routes,
    ):
        resolver.include_router(build_router(services), prefix=PREFIX)
    resolver.include_router(callback_routes(services))
    return resolver


def build_agent_app(services: AgentServices) -> LambdaApp:
    """A handler of API Gateway REST (v1) proxy events. It never raises."""
    resolver = build_agent_resolver(services)

    def authenticate(request: Request) -> tuple[object, Mapping[str, Any]]:
        token, key = request.task_token(), request.agent_key()
        if token is not None:
            caller = services.task_tokens.read(token)
            return caller, {"tenant": caller.tenant, "run_id": caller.run_id}
        if key is not None:
            agent = services.keyring.authenticate(key)
            return agent, {"tenant": agent.tenant, "key_id": agent.key_id}
        raise Unauthenticated(
            "send the header Authorization: Bearer <task token>, or ApiKey <agent key>"
        )

    return Front(
        resolver=resolver,
        authenticate=authenticate,
        more=code_of,
        challenge=CHALLENGE,
        documents={DOCUMENT_PATH: cache(lambda: _write_document(resolver))},
    )


def _write_document(resolver: APIGatewayRestResolver) -> str:
    """What it is written with costs a cold start: loaded when somebody asks."""
    from agentruns.api.agent_description import AGENT_API
    from agentruns.api.openapi import describe_api, render

    return render(describe_api(resolver, AGENT_API))
