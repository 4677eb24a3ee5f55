"""The operator API as one callable: its routes, behind an operator key.

Not here: what our APIs share (`front`), what a route does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from agentruns.api.front import Front, LambdaApp, new_resolver
from agentruns.api.problems import nothing_more
from agentruns.api.routes.activities import activity_routes
from agentruns.api.routes.agent_health import agent_health_routes
from agentruns.api.routes.agent_keys import agent_key_routes
from agentruns.api.routes.agents import agent_routes
from agentruns.api.routes.connections import connection_routes
from agentruns.api.routes.operator_keys import operator_key_routes
from agentruns.api.routes.redrives import redrive_routes
from agentruns.api.routes.runs import run_routes
from agentruns.api.routes.schedules import schedule_routes
from agentruns.api.routes.skills import skill_routes
from agentruns.api.routes.waits import wait_routes

if TYPE_CHECKING:
    from agentruns.api.intake import Request
    from agentruns.api.services import ApiServices

CHALLENGE = 'ApiKey realm="agentruns"'
DOCUMENT_PATH = "/v1/openapi.json"


def build_resolver(services: ApiServices) -> APIGatewayRestResolver:
    """The routes with their validation; the OpenAPI document is generated from it."""
    resolver = new_resolver()
    for build_router in (
        connection_routes,
        agent_routes,
        agent_key_routes,
        agent_health_routes,
        skill_routes,
        activity_routes,
        redrive_routes,
        run_routes,
        schedule_routes,
        wait_routes,
        operator_key_routes,
    ):
        resolver.include_router(build_router(services), prefix="/v1")
    return resolver


def build_app(services: ApiServices) -> LambdaApp:
    """A handler of API Gateway REST (v1) proxy events. It never raises."""
    resolver = build_resolver(services)

    def authenticate(request: Request) -> tuple[object, Mapping[str, Any]]:
        caller = services.keyring.authenticate(request.operator_key())
        return caller, {"tenant": caller.tenant, "key_id": caller.key_id}

    return Front(
        resolver=resolver,
        authenticate=authenticate,
        more=nothing_more,
        challenge=CHALLENGE,
        documents={DOCUMENT_PATH: cache(lambda: _write_document(resolver))},
    )


def _write_document(resolver: APIGatewayRestResolver) -> str:
    """What it is written with costs a cold start: loaded when somebody asks."""
    from agentruns.api.openapi import describe_api, render
    from agentruns.api.operator_description import OPERATOR_API

    return render(describe_api(resolver, OPERATOR_API))
