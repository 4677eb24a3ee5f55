"""`/agent/v1/runs/{runId}/actions`: what a run asks for while it goes on."""

from __future__ import annotations

from collections.abc import Callable
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
from agentruns.api.schemas.fields import Answer


def action_routes(services: AgentServices) -> Router:
    router = new_router()
    actions = services.actions

    def action(
        name: str, summary: str, status: HTTPStatus = HTTPStatus.CREATED
    ) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        """The route of an action: its function takes `run_id` and the body."""
        path = f"/runs/<run_id>/actions/{name}"
        return router.post(path, summary=summary, tags=["actions"], status_code=status.value)

    def tenant_entering(run_id: str) -> str:
        """The caller's tenant, once its run is known to go on. Unauthenticated; RunNotFound."""
        caller = task_caller(router)
        services.runs.enter(caller, run_id)
        return caller.tenant

    @action("report-blocker", "Ask a person for help", HTTPStatus.OK)
    def report_blocker(run_id: str, body: ReportBlockerBody) -> BlockedAnswer:
        return BlockedAnswer.of(
            actions.report_blocker(tenant_entering(run_id), run_id, body.blocker())
        )

    @action("create-subtask", "Give a part of the work to another agent")
    def create_subtask(run_id: str, body: CreateSubtaskBody) -> SubtaskAnswer:
        return SubtaskAnswer.of(
            actions.create_subtask(tenant_entering(run_id), run_id, body.subtask())
        )

    @action("request-review", "Have the work in progress looked at")
    def request_review(run_id: str, body: RequestReviewBody) -> ReviewAnswer:
        return ReviewAnswer.of(
            actions.request_review(tenant_entering(run_id), run_id, body.wanted())
        )

    @action("create-approval", "Have it allowed before it is done")
    def create_approval(run_id: str, body: CreateApprovalBody) -> ApprovalAnswer:
        return ApprovalAnswer.of(
            actions.create_approval(tenant_entering(run_id), run_id, body.wanted())
        )

    @action("reassign", "Give the activity to another agent or to a person")
    def reassign(run_id: str, body: ReassignBody) -> ReassignedAnswer:
        return ReassignedAnswer.of(actions.reassign(tenant_entering(run_id), run_id, body.wanted()))

    @action("add-comment", "Write into the activity's thread")
    def add_comment(run_id: str, body: AddCommentBody) -> CommentAnswer:
        return CommentAnswer.of(
            actions.add_comment.by_run(tenant_entering(run_id), run_id, body.comment())
        )

    return router
