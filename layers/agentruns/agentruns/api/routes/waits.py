"""`/v1/inbox`, `/v1/approvals`, `/v1/human-tasks`, comments: what waits for people; their word."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from agentruns.api.access import caller_of, tenant_of
from agentruns.api.routes.parameters import IdempotencyKey, new_router
from agentruns.api.schemas.waits import (
    AnsweredAnswer,
    CommentAnswer,
    CommentBody,
    CommentsAnswer,
    DecisionBody,
    InboxAnswer,
    InboxItemAnswer,
    ResolveTaskBody,
)
from agentruns.api.services import ApiServices
from agentruns.ids import require_activity_id
from agentruns.operator_keys import Scope

_TAGS = ["inbox"]


def wait_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.get("/inbox", summary="List what waits for a person, oldest first", tags=_TAGS)
    def list_inbox(
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
        cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
    ) -> InboxAnswer:
        page = services.waits.list_inbox(tenant_of(router, Scope.READ), limit, cursor)
        return InboxAnswer(
            items=[InboxItemAnswer.of(item) for item in page.items], next_cursor=page.next_cursor
        )

    @router.post(
        "/approvals/<approval_id>/decision", summary="Decide an approval or a review", tags=_TAGS
    )
    def decide_approval(approval_id: str, body: DecisionBody) -> AnsweredAnswer:
        caller = caller_of(router, Scope.OPERATE)
        answered = services.waits.decide_approval(
            caller.tenant, approval_id, body.answer(caller.key_id)
        )
        return AnsweredAnswer.of(answered)

    @router.post(
        "/human-tasks/<task_id>/resolve",
        summary="Say that a blocker is gone, or a task done",
        tags=_TAGS,
    )
    def resolve_human_task(task_id: str, body: ResolveTaskBody | None = None) -> AnsweredAnswer:
        caller = caller_of(router, Scope.OPERATE)
        answered = services.waits.resolve_human_task(
            caller.tenant, task_id, body.note if body else "", f"operator:{caller.key_id}"
        )
        return AnsweredAnswer.of(answered)

    @router.post(
        "/activities/<activity_id>/comments",
        summary="Comment on an activity",
        tags=_TAGS,
        status_code=HTTPStatus.CREATED.value,
    )
    def add_comment(
        activity_id: str, body: CommentBody, idempotency_key: IdempotencyKey = None
    ) -> Response[CommentAnswer]:
        caller = caller_of(router, Scope.OPERATE)
        added = services.waits.add_comment.by_operator(
            caller.tenant,
            require_activity_id(activity_id),
            caller.key_id,
            body.comment(),
            idempotency_key,
        )
        return Response(
            status_code=HTTPStatus.CREATED.value,
            content_type="application/json",
            body=CommentAnswer.of(added.comment),
            headers={"Idempotent-Replayed": "true"} if added.is_repeated else {},
        )

    @router.get(
        "/activities/<activity_id>/comments", summary="Read an activity's comments", tags=_TAGS
    )
    def list_comments(
        activity_id: str,
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
        after: Annotated[str, Query(pattern=r"^cmt_[0-9A-HJKMNP-TV-Z]{26}$")] | None = None,
    ) -> CommentsAnswer:
        tenant = tenant_of(router, Scope.READ)
        services.activities.read(tenant, require_activity_id(activity_id))
        found = services.waits.comments.list_comments(tenant, activity_id, after or "", limit + 1)
        shown = found[:limit]
        return CommentsAnswer(
            items=[CommentAnswer.of(comment) for comment in shown],
            next_after=shown[-1].comment_id if len(found) > limit else None,
        )

    return router
