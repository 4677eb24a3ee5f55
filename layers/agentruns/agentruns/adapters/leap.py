"""Leap Workflows over one connection, in the dialect of the connection: each call one HTTP request.

Nobody retries here. A start that was provably not taken and a look that failed are planned again by
their use cases (`workflows`). Source: the first API document (`workflows`), the published clients
(`runs`): any 2xx is success; error bodies have no documented shape, so the status decides.

There is no idempotency key and no list of runs, so what an answer to a **start** means is as for an
AOP (`adapters.leena`): nothing sent, 429 and 503 with a readable Retry-After may be sent again; 401
and 403 say that the key is not taken, other 4xx but 408 are clear refusals; 2xx with a usable id is
taken; everything else is StartUnknown, which the run's webhook resolves.

The webhook's URL lets whoever has it say how a run ended, so it is a secret here as the key is; so
is the URL of a bulk run's CSV, which may be signed. Bulk runs: the dialect `runs` alone has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from agentruns.adapters.http import Answer, NoAnswer
from agentruns.adapters.leap_run import RUN_ID, parse_bulk_run, parse_run
from agentruns.adapters.reply_fields import describe, encodings
from agentruns.bulk_runs import InputCsv
from agentruns.errors import (
    AgentrunsError,
    InvalidRequest,
    StartUnknown,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from agentruns.providers import LeapConnection, LeapDialect
from agentruns.refusals import (
    ApiKeyRejected,
    WorkflowNotFound,
    WorkflowRejected,
    WorkflowRunNotFound,
)

if TYPE_CHECKING:
    from agentruns.provider_ports import WorkflowRun
    from agentruns.secret import Secret

WORKFLOWS_PATH = "/v1/workflows"
RUNS_PATH = "/v1/runs"
BULK_RUNS_PATH = "/v1/runs/bulk"

LARGEST_RUN_BYTES = 5 * 1024 * 1024
"""Of the answer to a look: it has the run's output in it."""

_TRY_LATER = frozenset({408, 425, 429})


class JsonExchange(Protocol):
    """What of `http.JsonHttp` is used here."""

    def get(
        self, url: str, headers: Mapping[str, str], *, largest_body_bytes: int
    ) -> Answer | NoAnswer: ...

    def post(
        self, url: str, headers: Mapping[str, str], document: Mapping[str, Any]
    ) -> Answer | NoAnswer: ...


class LeapHttpApi:
    """provider_ports.LeapApi over HTTP. Errors as the port says, and one more.

    InvalidRequest, with nothing sent, where the connection's URL is not allowed here or the inputs
    are not JSON.
    """

    def __init__(self, http: JsonExchange) -> None:
        self._http = http

    def start(
        self,
        connection: LeapConnection,
        api_key: Secret,
        *,
        workflow_id: str,
        webhook_url: Secret,
        inputs: Mapping[str, Any] | InputCsv,
    ) -> WorkflowRun:
        is_bulk = isinstance(inputs, InputCsv)
        url, document = _start_request(connection, workflow_id, webhook_url, inputs)
        try:
            answer = self._http.post(url, _headers(api_key), document)
        except ValueError as exc:
            raise InvalidRequest([("request", f"not sent to {url}: {exc}")]) from exc
        subject = f"connection {connection.name!r}: starting workflow {workflow_id!r}"
        if isinstance(answer, NoAnswer):
            if answer.request_sent:
                raise StartUnknown(f"{subject}: {answer.reason}")
            raise UpstreamUnavailable(f"{subject}: {answer.reason}")
        if 200 <= answer.status < 300:
            return _parse_started(subject, answer, workflow_id, is_bulk=is_bulk)
        named = (inputs,) if isinstance(inputs, InputCsv) else ()
        detail = describe(answer, _forms(api_key, webhook_url, *named))
        raise _not_started(subject, connection, workflow_id, answer, detail)

    def read_run(
        self, connection: LeapConnection, api_key: Secret, workflow_run_id: str, *, is_bulk: bool
    ) -> WorkflowRun:
        if RUN_ID.match(workflow_run_id) is None:
            raise WorkflowRunNotFound(workflow_run_id, 400, "not sent: this cannot be a run's id")
        path = BULK_RUNS_PATH if is_bulk else RUNS_PATH
        url = f"{connection.api_url}{path}/{workflow_run_id}"
        try:
            answer = self._http.get(url, _headers(api_key), largest_body_bytes=LARGEST_RUN_BYTES)
        except ValueError as exc:
            raise InvalidRequest([("request", f"not sent to {url}: {exc}")]) from exc
        subject = f"connection {connection.name!r}: reading workflow run {workflow_run_id!r}"
        if isinstance(answer, NoAnswer):
            raise UpstreamUnavailable(f"{subject}: {answer.reason}")
        detail = describe(answer, _forms(api_key))
        if answer.status in _TRY_LATER or answer.status >= 500:
            raise UpstreamUnavailable(
                f"{subject}: answered {answer.status} ({detail})",
                retry_after_seconds=answer.retry_after_seconds,
            )
        if answer.status in {401, 403}:
            raise ApiKeyRejected(connection.name, answer.status, detail)
        if answer.status in {400, 404}:
            raise WorkflowRunNotFound(workflow_run_id, answer.status, detail)
        return _parse_read(subject, answer, workflow_run_id, is_bulk=is_bulk)


def _start_request(
    connection: LeapConnection,
    workflow_id: str,
    webhook_url: Secret,
    inputs: Mapping[str, Any] | InputCsv,
) -> tuple[str, dict[str, Any]]:
    if isinstance(inputs, InputCsv):
        return connection.api_url + BULK_RUNS_PATH, {
            "workflow_id": workflow_id,
            "input_csv_url": inputs.reveal(),
            "webhook_url": webhook_url.reveal(),
        }
    if connection.dialect is LeapDialect.WORKFLOWS:
        return connection.api_url + WORKFLOWS_PATH, {
            "workflowId": workflow_id,
            "webhookUrl": webhook_url.reveal(),
            "inputs": dict(inputs),
        }
    return connection.api_url + RUNS_PATH, {
        "workflow_id": workflow_id,
        "webhook_url": webhook_url.reveal(),
        "input": dict(inputs),
    }


def _headers(api_key: Secret) -> dict[str, str]:
    return {"X-Api-Key": api_key.reveal()}


def _not_started(
    subject: str, connection: LeapConnection, workflow_id: str, answer: Answer, detail: str
) -> AgentrunsError:
    """The start was answered, and not with 2xx: the module's docstring says what that means."""
    status = answer.status
    asked_to_wait = status == 503 and answer.retry_after_seconds is not None
    if status == 429 or asked_to_wait:
        return UpstreamUnavailable(
            f"{subject}: answered {status} ({detail})",
            retry_after_seconds=answer.retry_after_seconds,
        )
    if status in {401, 403}:
        return ApiKeyRejected(connection.name, status, detail)
    if status == 404:
        return WorkflowNotFound(workflow_id, detail)
    if 400 <= status < 500 and status != 408:
        return WorkflowRejected(workflow_id, status, detail)
    return StartUnknown(f"{subject}: answered {status} ({detail})")


def _parse_started(subject: str, answer: Answer, workflow_id: str, *, is_bulk: bool) -> WorkflowRun:
    try:
        run = parse_bulk_run(answer.body) if is_bulk else parse_run(answer.body)
    except ValueError as exc:
        reason = answer.unreadable or exc
        raise StartUnknown(f"{subject}: answered {answer.status}, but {reason}") from None
    if run.workflow_id not in {None, workflow_id}:
        raise StartUnknown(f"{subject}: answered {answer.status} for another workflow")
    return run


def _parse_read(
    subject: str, answer: Answer, workflow_run_id: str, *, is_bulk: bool
) -> WorkflowRun:
    if not 200 <= answer.status < 300:
        raise UpstreamUnreadable(f"{subject}: answered {answer.status}, which means nothing here")
    try:
        run = parse_bulk_run(answer.body) if is_bulk else parse_run(answer.body)
    except ValueError as exc:
        reason = answer.unreadable or exc
        raise UpstreamUnreadable(f"{subject}: answered {answer.status}, but {reason}") from None
    if run.workflow_run_id != workflow_run_id:
        raise UpstreamUnreadable(f"{subject}: answered {answer.status} for another run")
    return run


def _forms(*secrets: Secret) -> Iterator[str]:
    """The secrets of a request in the forms in which an answer might echo them."""
    for secret in secrets:
        yield from encodings(secret.reveal())
