"""`/agent/v1/runs`: what an agent tells while it works: its text, and the tools that it called."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.agent_routes.callers import task_caller
from agentruns.api.agent_schemas.reports import (
    DeltaAnswer,
    DeltaBody,
    ToolCallAnswer,
    ToolCallBody,
)
from agentruns.api.agent_services import AgentServices
from agentruns.api.routes.parameters import IdempotencyKey, new_router

_TAGS = ["runs"]


def report_routes(services: AgentServices) -> Router:
    router = new_router()

    @router.post("/runs/<run_id>/stream", summary="Send a piece of the text", tags=_TAGS)
    def post_delta(run_id: str, body: DeltaBody) -> DeltaAnswer:
        services.receive_delta(task_caller(router), run_id, body.sequenceNum, body.text())
        return DeltaAnswer()

    @router.post(
        "/runs/<run_id>/tool-call",
        summary="Report a call of a tool",
        tags=_TAGS,
        status_code=201,
    )
    def post_tool_call(
        run_id: str, body: ToolCallBody, idempotency_key: IdempotencyKey = None
    ) -> ToolCallAnswer:
        caller = task_caller(router)
        call_id = services.report_tool_call(caller, run_id, body.report(), idempotency_key)
        return ToolCallAnswer(toolCallId=call_id)

    return router
