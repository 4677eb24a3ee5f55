"""What the routes of several resources share: a Router, parameter types, the empty answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from agentruns.ids import NAME_PATTERN

NewName = Annotated[
    str, Path(pattern=NAME_PATTERN, description="Letters, digits, _ and -; at most 64.")
]
"""A name to be given: a wrong one is the request's fault (422), not a missing thing (404)."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]*$",
        description="Visible ASCII. Repeats with the same key give the same answer for 24 hours.",
    ),
]


def no_content() -> Response[Any]:
    return Response(status_code=HTTPStatus.NO_CONTENT.value, body="")


def new_router() -> Router:
    return Router()  # type: ignore[no-untyped-call]  # its constructor takes nothing
