"""`/v1/runs`: one attempt at an activity, its output and events, resolving an unknown start."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Header, Query

from agentruns.api import sse
from agentruns.api.access import tenant_of
from agentruns.api.outputs import OutputConditions, answer_output
from agentruns.api.routes.parameters import new_router
from agentruns.api.schemas.run_log import EventAnswer, EventsAnswer, ToolCallsAnswer
from agentruns.api.schemas.runs import ResolveBody, ResolvedAnswer, RunAnswer
from agentruns.api.services import ApiServices
from agentruns.errors import ActivityNotFound, InvalidRequest, RunNotFound
from agentruns.ids import activity_id_of
from agentruns.log_positions import LONGEST_TEXT, LogPosition
from agentruns.model import ActivityRecord
from agentruns.operator_keys import Scope
from agentruns.run_outputs import find_output

STREAM_EVENTS_LIMIT = 1000
"""Of one text/event-stream answer (a Lambda answer has 6 MB); the client comes back for more."""

_TAGS = ["runs"]
_SHA256 = "^[0-9a-f]{64}$"


def run_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.get("/runs/<run_id>", summary="Read a run", tags=_TAGS)
    def get_run(run_id: str) -> RunAnswer:
        record = _read_record(services, tenant_of(router, Scope.READ), run_id)
        return RunAnswer.of(record.activity, record.run(run_id))

    @router.get(
        "/runs/<run_id>/events",
        summary="Read a run's log: a JSON page, or all of it as text/event-stream",
        tags=_TAGS,
        responses={
            200: {
                "description": "The log behind `after` (or `Last-Event-ID`), in order.",
                "content": {
                    "application/json": {"model": EventsAnswer},
                    "text/event-stream": {"schema": {"type": "string"}},
                },
            }
        },
    )
    def list_events(
        run_id: str,
        after: Annotated[str, Query(max_length=LONGEST_TEXT)] = "0",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[
            str | None, Header(alias="Last-Event-ID", max_length=LONGEST_TEXT)
        ] = None,
    ) -> Response[Any]:
        tenant = tenant_of(router, Scope.READ)
        start = _position("after", after)
        resumed = start if last_event_id is None else _position("Last-Event-Id", last_event_id)
        as_stream = sse.accepts_event_stream(accept)
        record = _read_record(services, tenant, run_id)
        limit = STREAM_EVENTS_LIMIT if as_stream else limit
        page = services.read_run_log(
            record, record.run(run_id), resumed if as_stream else start, limit
        )
        if as_stream:
            text = sse.render(EventAnswer.of(entry) for entry in page.entries)
            return Response(status_code=200, content_type=sse.EVENT_STREAM, body=text)
        answer = EventsAnswer.of(page)
        return Response(status_code=200, content_type="application/json", body=answer)

    @router.get("/runs/<run_id>/tool-calls", summary="Read a run's tool calls in full", tags=_TAGS)
    def list_tool_calls(
        run_id: str,
        limit: Annotated[int, Query(ge=1, le=100)] = 25,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,8}$")] = None,
    ) -> ToolCallsAnswer:
        run = _read_record(services, tenant_of(router, Scope.READ), run_id).run(run_id)
        return ToolCallsAnswer.of(services.tool_calls.list(run, int(cursor or 0), limit))

    @router.get(
        "/runs/<run_id>/output",
        summary="Read a run's output, whole or a range of its bytes",
        tags=_TAGS,
        responses={
            200: {
                "description": "The output, a JSON value.",
                "content": {"application/json": {"schema": {}}},
            },
            206: {
                "description": "A range of its text.",
                "content": {"application/json": {"schema": {}}},
            },
            304: {"description": "It is the one that `If-None-Match` names."},
            416: {"description": "There is nothing in this range."},
        },
    )
    def get_output(  # one per header that says what is wanted
        run_id: str,
        sha256: Annotated[str | None, Query(pattern=_SHA256)] = None,
        wanted_range: Annotated[str, Header(alias="Range")] = "",
        if_range: Annotated[str, Header(alias="If-Range")] = "",
        if_none_match: Annotated[str, Header(alias="If-None-Match")] = "",
    ) -> Response[str]:
        run = _read_record(services, tenant_of(router, Scope.READ), run_id).run(run_id)
        return answer_output(
            find_output(services.outputs, run, sha256),
            OutputConditions(range=wanted_range, if_range=if_range, if_none_match=if_none_match),
        )

    @router.post(
        "/runs/<run_id>/resolve",
        summary="Say what became of a run whose start is unknown",
        tags=_TAGS,
    )
    def resolve_run(run_id: str, body: ResolveBody) -> ResolvedAnswer:
        tenant = tenant_of(router, Scope.OPERATE)
        found = body.found()
        try:
            if found is not None:
                services.check_found(tenant, run_id, found)
            remote_id = None if found is None else found.remote_id
            return ResolvedAnswer.of(services.resolve_run(tenant, run_id, remote_id))
        except ActivityNotFound as error:
            raise RunNotFound(run_id) from error

    return router


def _read_record(services: ApiServices, tenant: str, run_id: str) -> ActivityRecord:
    """The activity of a run. RunNotFound, also where the activity is another tenant's."""
    try:
        record = services.count_looks.with_next(
            services.activities.read(tenant, activity_id_of(run_id))
        )
        record.run(run_id)
        return record
    except ActivityNotFound as error:
        raise RunNotFound(run_id) from error


def _position(name: str, text: str) -> LogPosition:
    """InvalidRequest, which names the parameter."""
    try:
        return LogPosition.parse(text)
    except ValueError as error:
        raise InvalidRequest([(name, str(error))]) from error
