"""`/agent/v1/runs`: what an agent asks and tells of the run that its task token speaks for."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.agent_routes.callers import task_caller
from agentruns.api.agent_schemas.runs import (
    ContextAnswer,
    ResultAnswer,
    ResultBody,
    StatusAnswer,
    TokenAnswer,
)
from agentruns.api.agent_services import AgentServices
from agentruns.api.routes.parameters import new_router

_TAGS = ["runs"]


def run_routes(services: AgentServices) -> Router:
    router = new_router()

    @router.post("/runs/<run_id>/result", summary="Deliver the run's one result", tags=_TAGS)
    def post_result(run_id: str, body: ResultBody) -> ResultAnswer:
        services.deliver_result(task_caller(router), run_id, body.result())
        return ResultAnswer(runId=run_id)

    @router.get("/runs/<run_id>/context", summary="Read what is to be done", tags=_TAGS)
    def get_context(run_id: str) -> ContextAnswer:
        return ContextAnswer.of(services.read_context(task_caller(router), run_id))

    @router.get("/runs/<run_id>/status", summary="Read how the run stands", tags=_TAGS)
    def get_status(run_id: str) -> StatusAnswer:
        caller = task_caller(router)
        run = services.runs.read(caller, run_id).run(run_id)
        return StatusAnswer.of(run, caller.expires_at)

    @router.post("/runs/<run_id>/token", summary="Get another task token", tags=_TAGS)
    def post_token(run_id: str) -> TokenAnswer:
        return TokenAnswer.of(services.renew_token(task_caller(router), run_id))

    return router


def callback_routes(services: AgentServices) -> Router:
    """The one route of the other published form: an alias of the result's."""
    router = new_router()

    @router.post("/api/agent-callback/<run_id>", summary="Deliver the run's one result", tags=_TAGS)
    def post_callback(run_id: str, body: ResultBody) -> ResultAnswer:
        services.deliver_result(task_caller(router), run_id, body.result())
        return ResultAnswer(runId=run_id)

    return router
