"""What our APIs share: authenticate, route, answer; every error becomes a problem.

The only place that catches everything. Authentication comes before routing and validation, so that
a caller without a credential learns nothing of what is there; what there could be, the OpenAPI
document, anybody may read. Not here: who a caller is, what a route does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import ResponseValidationError

from agentruns.api.access import CALLER
from agentruns.api.intake import JSON_CONTENT_TYPE, Request, parse_json
from agentruns.api.problems import (
    PROBLEM_CONTENT_TYPE,
    MethodNotAllowed,
    ProblemDocument,
    RouteNotFound,
    describe,
)
from agentruns.shown_names import is_our_id, shown_path

LambdaAnswer = dict[str, Any]
LambdaApp = Callable[[Mapping[str, Any], Any], LambdaAnswer]

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """An API's face. `authenticate` gives the caller, and what of it the log may show; `more` is
    what this API adds to a problem document; `challenge` is the WWW-Authenticate of a 401;
    `documents` writes what anybody may read, by its path."""

    resolver: APIGatewayRestResolver
    authenticate: Callable[[Request], tuple[object, Mapping[str, Any]]]
    more: Callable[[ProblemDocument], Mapping[str, Any]]
    challenge: str
    documents: Mapping[str, Callable[[], str]]

    def __call__(self, event: Mapping[str, Any], context: Any) -> LambdaAnswer:
        """Answer an API Gateway REST (v1) proxy event. It never raises."""
        request = Request.of(event)
        try:
            if (write := self._document(request)) is not None:
                return _finished(_document_answer(write()), request)
            caller, shown = self.authenticate(request)
            readable_event = request.readable_event()
            self.resolver.context[CALLER] = caller  # cleared by the resolver
            response = self.resolver.resolve(readable_event, context)
        except Exception as error:  # noqa: BLE001  # the one boundary: logs once and answers
            known = _known(error, request, self.resolver)
            return _finished(self._problem_answer(known, request), request)
        about = self._about(request, response["statusCode"])
        logger.info("request_answered", extra=about | dict(shown))
        return _finished(response, request)

    def _document(self, request: Request) -> Callable[[], str] | None:
        return self.documents.get(request.path) if request.method == "GET" else None

    def _problem_answer(self, error: Exception, request: Request) -> LambdaAnswer:
        problem = describe(error)
        about = self._about(request, problem.status) | {"code": problem.code}
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("request_failed", extra=about, exc_info=_without_payload(error))
        else:
            logger.info("request_refused", extra=about)
        shown = shown_path(request.path)
        document = problem.to_json(shown, request.request_id) | dict(self.more(problem))
        headers = {**problem.headers, "Content-Type": PROBLEM_CONTENT_TYPE}
        if problem.status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = self.challenge
        return {
            "statusCode": problem.status.value,
            "headers": headers,
            "body": json.dumps(document),
            "isBase64Encoded": False,
        }

    def _about(self, request: Request, status: int) -> dict[str, Any]:
        """What the log has of a request: the route and an id of ours, nothing else of its URL."""
        routes = _matching(self.resolver, request)
        ids = filter(is_our_id, request.path.split("/"))
        return {
            "http_method": request.method,
            "http_route": routes[0].path if routes else "none",
            "subject_id": next(ids, None),
            "http_status": int(status),
            "api_request_id": request.request_id,
        }


def _document_answer(text: str) -> LambdaAnswer:
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": {"Content-Type": JSON_CONTENT_TYPE},
        "body": text,
        "isBase64Encoded": False,
    }


def new_resolver() -> APIGatewayRestResolver:
    """Without routes; an OpenAPI document is generated from it."""
    resolver = APIGatewayRestResolver(
        enable_validation=True,
        json_body_deserializer=parse_json,
        # An answer that is not what its type says is our fault, not the caller's.
        response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        debug=False,
    )
    resolver.exception_handler(Exception)(_pass_on)
    return resolver


def _pass_on(error: Exception) -> NoReturn:
    """Powertools would log and answer by itself; ours is the boundary in `Front`."""
    if isinstance(error, NotFoundError):  # the one kind that Powertools would catch again
        raise RouteNotFound from error
    raise error


def _known(error: Exception, request: Request, resolver: APIGatewayRestResolver) -> Exception:
    """A route that is missing only for this method is told apart from one that is missing."""
    if not isinstance(error, RouteNotFound):
        return error
    allowed = sorted({route.method for route in _matching(resolver, request)})
    return MethodNotAllowed(request.method, allowed) if allowed else error


def _matching(resolver: APIGatewayRestResolver, request: Request) -> list[Route]:
    """Those of the request's path, whatever their method."""
    path = str(request.event.get("path", ""))
    routes = [*resolver._static_routes, *resolver._dynamic_routes]  # noqa: SLF001  # no public list
    return [route for route in routes if route.rule.match(path)]


def _without_payload(error: Exception) -> Exception:
    """Powertools' error about an answer of the wrong shape shows the answer; only where stays."""
    if not isinstance(error, ResponseValidationError):
        return error
    places = sorted({".".join(str(part) for part in each["loc"]) for each in error.errors()})
    return TypeError(f"the answer has not the shape of its type: {', '.join(places)}")


def _finished(response: LambdaAnswer, request: Request) -> LambdaAnswer:
    """With the headers that every answer has, one value each."""
    multi_value = response.pop("multiValueHeaders", None) or {}
    headers = {name: ", ".join(values) for name, values in multi_value.items()}
    headers |= response.get("headers") or {}
    return {**response, "headers": headers | SAFE_HEADERS | {"X-Request-Id": request.request_id}}
