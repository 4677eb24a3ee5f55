"""From errors to problem documents (RFC 9457): the one table of HTTP statuses.

Every class of the error tree has its row; a test walks the tree. Not here: raising, logging.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from agentruns import agent_errors, errors, refusals, request_errors, wait_errors
from agentruns.api.validation import FieldProblem, field_problems

PROBLEM_CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:agentruns:problem:"

STATUSES: Mapping[type[errors.AgentrunsError], HTTPStatus] = {
    errors.AgentrunsError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StoreConflict: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConnectionClosed: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RequestBudgetSpent: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamUnreadable: HTTPStatus.BAD_GATEWAY,
    errors.MintInProgress: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreContention: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UnknownOutcomeError: HTTPStatus.BAD_GATEWAY,
    errors.StartUnknown: HTTPStatus.BAD_GATEWAY,
    errors.PermanentError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.UpstreamRejected: HTTPStatus.BAD_GATEWAY,
    refusals.CredentialsRejected: HTTPStatus.BAD_GATEWAY,
    refusals.TokenRejected: HTTPStatus.BAD_GATEWAY,
    refusals.ScopeMissing: HTTPStatus.BAD_GATEWAY,
    refusals.AopRejected: HTTPStatus.BAD_GATEWAY,
    refusals.AopNotFound: HTTPStatus.BAD_GATEWAY,
    refusals.AopItemNotFound: HTTPStatus.BAD_GATEWAY,
    refusals.ApiKeyRejected: HTTPStatus.BAD_GATEWAY,
    refusals.WorkflowRejected: HTTPStatus.BAD_GATEWAY,
    refusals.WorkflowNotFound: HTTPStatus.BAD_GATEWAY,
    refusals.WorkflowRunNotFound: HTTPStatus.BAD_GATEWAY,
    refusals.AgentRefused: HTTPStatus.BAD_GATEWAY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.ActivityNotFound: HTTPStatus.NOT_FOUND,
    errors.RunNotFound: HTTPStatus.NOT_FOUND,
    errors.OutputNotFound: HTTPStatus.NOT_FOUND,
    errors.ConnectionNotFound: HTTPStatus.NOT_FOUND,
    errors.AgentNotFound: HTTPStatus.NOT_FOUND,
    errors.ScheduleNotFound: HTTPStatus.NOT_FOUND,
    wait_errors.ApprovalNotFound: HTTPStatus.NOT_FOUND,
    wait_errors.HumanTaskNotFound: HTTPStatus.NOT_FOUND,
    errors.OperatorKeyNotFound: HTTPStatus.NOT_FOUND,
    agent_errors.AgentKeyNotFound: HTTPStatus.NOT_FOUND,
    agent_errors.SkillNotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.ActivityEnded: HTTPStatus.CONFLICT,
    errors.ActivityNotRedrivable: HTTPStatus.CONFLICT,
    errors.ActivityAlreadyRedriven: HTTPStatus.CONFLICT,
    errors.AgentDisabled: HTTPStatus.CONFLICT,
    errors.ConnectionInUse: HTTPStatus.CONFLICT,
    errors.ConnectionOfOtherProvider: HTTPStatus.CONFLICT,
    agent_errors.ResultAlreadyReceived: HTTPStatus.CONFLICT,
    agent_errors.RunNotDispatched: HTTPStatus.CONFLICT,
    agent_errors.SkillInUse: HTTPStatus.CONFLICT,
    agent_errors.DeltaAlreadyReceived: HTTPStatus.CONFLICT,
    wait_errors.RunEnded: HTTPStatus.CONFLICT,
    wait_errors.AlreadyAnswered: HTTPStatus.CONFLICT,
    wait_errors.AnswerTooLate: HTTPStatus.CONFLICT,
    wait_errors.OwnRequest: HTTPStatus.CONFLICT,
    errors.RunNotUnknown: HTTPStatus.CONFLICT,
    request_errors.RequestInFlight: HTTPStatus.CONFLICT,
    request_errors.HookRefused: HTTPStatus.NOT_FOUND,
    request_errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    request_errors.ScopeDenied: HTTPStatus.FORBIDDEN,
    errors.InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.OutputTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    agent_errors.RunLimitReached: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    request_errors.RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    request_errors.RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    request_errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidTransition: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SettingsMissing: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SecretMalformed: HTTPStatus.INTERNAL_SERVER_ERROR,
}

RETRY_AFTER_SECONDS = 2

_INTERNAL_DETAIL = "something failed on our side; the logs have it under this request_id"
_BUSY_DETAIL = "too much is going on right now; send the request again"
_BUSY_AWS_CODES = frozenset(
    {
        "InternalServerError",
        "InternalServiceError",
        "InternalFailure",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


class RouteNotFound(Exception):
    """No route has this path."""


class MethodNotAllowed(Exception):
    """The path is there, the method is not."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not possible here; {', '.join(allowed)} is")
        self.allowed = tuple(allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDocument:
    """What a problem answer says; the request's part of it is added by `to_json`."""

    status: HTTPStatus
    code: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, instance: str, request_id: str) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"{TYPE_PREFIX}{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status.value,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [
                {"field": problem.field, "message": problem.message} for problem in self.errors
            ]
        return document


def describe(error: Exception) -> ProblemDocument:
    """The answer to an error. Says nothing of our insides where the fault is ours."""
    if isinstance(error, errors.AgentrunsError):
        return _describe_own(error)
    if isinstance(error, RequestValidationError):
        return _unprocessable(field_problems(error.errors()))
    if isinstance(error, RouteNotFound):
        return ProblemDocument(
            status=HTTPStatus.NOT_FOUND, code="route_not_found", detail="there is no such route"
        )
    if isinstance(error, MethodNotAllowed):
        return ProblemDocument(
            status=HTTPStatus.METHOD_NOT_ALLOWED,
            code="method_not_allowed",
            detail=str(error),
            headers={"Allow": ", ".join(error.allowed)},
        )
    if _is_aws_busy(error):
        return ProblemDocument(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            code="busy",
            detail=_BUSY_DETAIL,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    return ProblemDocument(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, code="internal_error", detail=_INTERNAL_DETAIL
    )


def _describe_own(error: errors.AgentrunsError) -> ProblemDocument:
    status = STATUSES[type(error)]
    if isinstance(error, errors.InvalidRequest):
        problems = tuple(FieldProblem(field=path, message=text) for path, text in error.problems)
        return _unprocessable(problems, error.code)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProblemDocument(status=status, code="internal_error", detail=_INTERNAL_DETAIL)
    return ProblemDocument(
        status=status, code=error.code, detail=str(error), headers=_headers_for(error, status)
    )


def _headers_for(error: errors.AgentrunsError, status: HTTPStatus) -> dict[str, str]:
    if isinstance(error, request_errors.RangeNotSatisfiable):
        return {"Accept-Ranges": "bytes", "Content-Range": f"bytes */{error.size_bytes}"}
    if isinstance(error, errors.UpstreamUnavailable) and error.retry_after_seconds is not None:
        return {"Retry-After": str(max(1, round(error.retry_after_seconds)))}
    if status is HTTPStatus.SERVICE_UNAVAILABLE or isinstance(
        error, request_errors.RequestInFlight
    ):
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return {}


def _unprocessable(
    problems: tuple[FieldProblem, ...], code: str = errors.InvalidRequest.code
) -> ProblemDocument:
    return ProblemDocument(
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        code=code,
        detail="; ".join(f"{problem.field}: {problem.message}" for problem in problems),
        errors=problems,
    )


def _is_aws_busy(error: Exception) -> bool:
    """True for throttling and AWS' own faults. botocore is never imported for it."""
    botocore = sys.modules.get("botocore.exceptions")
    if botocore is None:
        return False
    if isinstance(error, botocore.ClientError):
        return error.response.get("Error", {}).get("Code") in _BUSY_AWS_CODES
    return isinstance(error, botocore.ConnectionError | botocore.HTTPClientError)


def nothing_more(problem: ProblemDocument) -> Mapping[str, Any]:  # noqa: ARG001  # Front's shape
    """What an API adds to its problems that adds nothing."""
    return {}
