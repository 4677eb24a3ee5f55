"""`/agent/v1/runs/{runId}/actions`: what a run asks for while it goes on."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.api.agent_routes.callers import task_caller
from agentruns.api.agent_schemas.actions import (
    AddCommentBody,
    ApprovalAnswer,
    BlockedAnswer,
    CommentAnswer,
    CreateApprovalBody,
    CreateSubtaskBody,
    ReassignBody,
    ReassignedAnswer,
    ReportBlockerBody,
    RequestReviewBody,
    ReviewAnswer,
    SubtaskAnswer,
)
from agentruns.api.agent_services import AgentServices
from agentruns.api.routes.parameters import new_router

_TAGS = ["actions"]
_CREATED = HTTPStatus.CREATED.value


def action_routes(services: AgentServices) -> Router:
    router = new_router()
    actions = services.actions

    def tenant_entering(run_id: str) -> str:
        """The caller's tenant, once its run is known to go on. Unauthenticated; RunNotFound."""
        caller = task_caller(router)
        services.runs.enter(caller, run_id)
        return caller.tenant

    @router.post(
        "/runs/<run_id>/actions/report-blocker", summary="Ask a person for help", tags=_TAGS
    )
    def report_blocker(run_id: str, body: ReportBlockerBody) -> BlockedAnswer:
        tenant = tenant_entering(run_id)
        return BlockedAnswer.of(actions.report_blocker(tenant, run_id, body.blocker()))

    @router.post(
        "/runs/<run_id>/actions/create-subtask",
        summary="Give a part of the work to another agent",
        tags=_TAGS,
        status_code=_CREATED,
    )
    def create_subtask(run_id: str, body: CreateSubtaskBody) -> SubtaskAnswer:
        tenant = tenant_entering(run_id)
        return SubtaskAnswer.of(actions.create_subtask(tenant, run_id, body.subtask()))

    @router.post(
        "/runs/<run_id>/actions/request-review",
        summary="Have the work in progress looked at",
        tags=_TAGS,
        status_code=_CREATED,
    )
    def request_review(run_id: str, body: RequestReviewBody) -> ReviewAnswer:
        tenant = tenant_entering(run_id)
        return ReviewAnswer.of(actions.request_review(tenant, run_id, body.wanted()))

    @router.post(
        "/runs/<run_id>/actions/create-approval",
        summary="Have it allowed before it is done",
        tags=_TAGS,
        status_code=_CREATED,
    )
    def create_approval(run_id: str, body: CreateApprovalBody) -> ApprovalAnswer:
        tenant = tenant_entering(run_id)
        return ApprovalAnswer.of(actions.create_approval(tenant, run_id, body.wanted()))

    @router.post(
        "/runs/<run_id>/actions/reassign",
        summary="Give the activity to another agent or to a person",
        tags=_TAGS,
        status_code=_CREATED,
    )
    def reassign(run_id: str, body: ReassignBody) -> ReassignedAnswer:
        tenant = tenant_entering(run_id)
        return ReassignedAnswer.of(actions.reassign(tenant, run_id, body.wanted()))

    @router.post(
        "/runs/<run_id>/actions/add-comment",
        summary="Write into the activity's thread",
        tags=_TAGS,
        status_code=_CREATED,
    )
    def add_comment(run_id: str, body: AddCommentBody) -> CommentAnswer:
        tenant = tenant_entering(run_id)
        return CommentAnswer.of(actions.add_comment.by_run(tenant, run_id, body.comment()))

    return router
