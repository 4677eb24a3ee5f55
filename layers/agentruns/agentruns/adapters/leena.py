"""Leena AI's External AOP API over one connection: three calls, each one HTTP request.

Nobody retries here. A failed start or check is tried again by the state machine and the poll
planner; a token answered 401 is replaced by their use cases over `tokens`. Source: the External
AOP API guide (beta); error bodies are `{"message": "..."}` without codes, so the status decides.

What an answer to **execute** means. There is no idempotency key and no list of items, so only what
was provably not accepted may be sent again:

    no byte sent: refused, DNS, TLS, slow connect  UpstreamUnavailable
    429; 503 with a readable Retry-After           UpstreamUnavailable
    2xx with a usable aop_item_id                  AopAccepted
    401 / 403 / 404                                TokenRejected / ScopeMissing / AopNotFound
    400, every other 4xx but 408: clear refusals   AopRejected
    all else once a byte was sent: timeout, reset,
    1xx, 2xx without a usable id, 3xx, 408, 5xx,
    503 without Retry-After                        StartUnknown

    A redirect (3xx) may stand behind work that was taken (303); 408 may come from a proxy that had
    passed the request on. Any 2xx that names the item is good: the first status check proves it.

**read_status** may be repeated at will: 200 with the right types is an observation; 401, 403, and
400 or 404 are permanent; 408, 425, 429, 5xx and silence are UpstreamUnavailable; all else is
UpstreamUnreadable, which keeps the run open.

**mint**: as read_status, but every 4xx other than those is a refusal of the connection
(CredentialsRejected): 404, for one, is a wrong host.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from agentruns.adapters.http import Answer, NoAnswer
from agentruns.adapters.reply_fields import describe, encodings, text, timestamp
from agentruns.errors import (
    AgentrunsError,
    InvalidRequest,
    StartUnknown,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from agentruns.provider_ports import AopAccepted, AopObservation, MintedToken
from agentruns.refusals import (
    AopItemNotFound,
    AopNotFound,
    AopRejected,
    CredentialsRejected,
    ScopeMissing,
    TokenRejected,
)
from agentruns.secret import Secret

if TYPE_CHECKING:
    from agentruns.providers import LeenaConnection, LeenaCredentials

TOKEN_PATH = "/api/v1.0/oauth/token"  # noqa: S105  # a path
EXECUTE_PATH = "/api/v1/external/aop/execute"
STATUS_PATH = "/api/v1/external/aop/items/{aop_item_id}/status"

_LONGEST_LIFE_SECONDS = 366 * 86_400.0
_ITEM_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_HEADER_SAFE = re.compile(r"[!-~]{1,32768}\Z")
_TRY_LATER = frozenset({408, 425, 429})


class JsonExchange(Protocol):
    """What of `http.JsonHttp` is used here."""

    def get(self, url: str, headers: Mapping[str, str]) -> Answer | NoAnswer: ...

    def post(
        self, url: str, headers: Mapping[str, str], document: Mapping[str, Any]
    ) -> Answer | NoAnswer: ...


class LeenaHttpApi:
    """provider_ports.LeenaApi over HTTP. Errors as the port says, and one more.

    InvalidRequest, with nothing sent, where the connection's URL is not allowed here or the
    context is not JSON.
    """

    def __init__(self, http: JsonExchange) -> None:
        self._http = http

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        answer = self._post(
            connection.auth_url + TOKEN_PATH,
            f"Basic {_basic(credentials)}",
            {
                "username": credentials.username,
                "password": credentials.password.reveal(),
                "grant_type": "password",
            },
        )
        subject = f"connection {connection.name!r}: minting a token"
        if isinstance(answer, NoAnswer):
            raise UpstreamUnavailable(f"{subject}: {answer.reason}")
        detail = describe(answer, _forms(credentials))
        _raise_if_try_later(subject, answer, detail)
        if 400 <= answer.status < 500:
            raise CredentialsRejected(connection.name, answer.status, detail)
        return _parse_token(subject, _document(subject, answer))

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        answer = self._post(
            connection.api_url + EXECUTE_PATH,
            f"Bearer {token.reveal()}",
            {
                "aop_id": aop_id,
                "message_to_start": message_to_start,
                "context": dict(context),
            },
        )
        subject = f"connection {connection.name!r}: starting AOP {aop_id!r}"
        if isinstance(answer, NoAnswer):
            if answer.request_sent:
                raise StartUnknown(f"{subject}: {answer.reason}")
            raise UpstreamUnavailable(f"{subject}: {answer.reason}")
        if 200 <= answer.status < 300:
            return _parse_accepted(subject, answer)
        detail = describe(answer, _token_forms(token))
        raise _not_accepted(subject, connection, aop_id, answer, detail)

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        if _ITEM_ID.match(aop_item_id) is None:
            raise AopItemNotFound(aop_item_id, 400, "not sent: this cannot be an item's id")
        url = connection.api_url + STATUS_PATH.format(aop_item_id=aop_item_id)
        try:
            answer = self._http.get(url, {"Authorization": f"Bearer {token.reveal()}"})
        except ValueError as exc:
            raise _invalid(url, exc) from exc
        subject = f"connection {connection.name!r}: checking AOP item {aop_item_id!r}"
        if isinstance(answer, NoAnswer):
            raise UpstreamUnavailable(f"{subject}: {answer.reason}")
        detail = describe(answer, _token_forms(token))
        _raise_if_try_later(subject, answer, detail)
        if answer.status == 401:
            raise TokenRejected(connection.name)
        if answer.status == 403:
            raise ScopeMissing(connection.name, detail)
        if answer.status in {400, 404}:
            raise AopItemNotFound(aop_item_id, answer.status, detail)
        return _parse_observation(subject, aop_item_id, _document(subject, answer))

    def _post(self, url: str, authorization: str, document: Mapping[str, Any]) -> Answer | NoAnswer:
        try:
            return self._http.post(url, {"Authorization": authorization}, document)
        except ValueError as exc:
            raise _invalid(url, exc) from exc


def _invalid(url: str, exc: ValueError) -> InvalidRequest:
    return InvalidRequest([("request", f"not sent to {url}: {exc}")])


def _basic(credentials: LeenaCredentials) -> str:
    pair = f"{credentials.client_id}:{credentials.client_secret.reveal()}"
    return base64.b64encode(pair.encode("utf-8")).decode("ascii")


def _raise_if_try_later(subject: str, answer: Answer, detail: str) -> None:
    if answer.status in _TRY_LATER or answer.status >= 500:
        raise UpstreamUnavailable(
            f"{subject}: answered {answer.status} ({detail})",
            retry_after_seconds=answer.retry_after_seconds,
        )


def _not_accepted(
    subject: str, connection: LeenaConnection, aop_id: str, answer: Answer, detail: str
) -> AgentrunsError:
    """Execute was answered, and not with 2xx: the table in the module's docstring."""
    status = answer.status
    asked_to_wait = status == 503 and answer.retry_after_seconds is not None
    if status == 429 or asked_to_wait:
        return UpstreamUnavailable(
            f"{subject}: answered {status} ({detail})",
            retry_after_seconds=answer.retry_after_seconds,
        )
    if status == 401:
        return TokenRejected(connection.name)
    if status == 403:
        return ScopeMissing(connection.name, detail)
    if status == 404:
        return AopNotFound(aop_id, detail)
    if 400 <= status < 500 and status != 408:
        return AopRejected(aop_id, detail, status)
    return StartUnknown(f"{subject}: answered {status} ({detail})")


def _document(subject: str, answer: Answer) -> Mapping[str, Any]:
    """The JSON object of a 200. UpstreamUnreadable for all else."""
    if answer.status != 200:
        raise UpstreamUnreadable(f"{subject}: answered {answer.status}, which means nothing here")
    if not isinstance(answer.body, dict):
        raise UpstreamUnreadable(
            f"{subject}: answered 200, but {answer.unreadable or 'the body is no JSON object'}"
        )
    return answer.body


def _parse_token(subject: str, document: Mapping[str, Any]) -> MintedToken:
    access_token, life = document.get("access_token"), document.get("expires_in")
    if not isinstance(access_token, str) or _HEADER_SAFE.match(access_token) is None:
        raise UpstreamUnreadable(f"{subject}: answered 200 without a usable access_token")
    if isinstance(life, bool) or not isinstance(life, int | float) or not life > 0:
        raise UpstreamUnreadable(f"{subject}: answered 200 without a positive expires_in")
    return MintedToken(
        access_token=Secret(access_token),
        expires_in_seconds=float(min(life, _LONGEST_LIFE_SECONDS)),
        version=hashlib.sha256(access_token.encode("ascii")).hexdigest()[:16],
    )


def _parse_accepted(subject: str, answer: Answer) -> AopAccepted:
    if not isinstance(answer.body, dict):
        raise StartUnknown(
            f"{subject}: answered {answer.status}, but "
            f"{answer.unreadable or 'the body is no JSON object'}"
        )
    aop_item_id = answer.body.get("aop_item_id")
    if not isinstance(aop_item_id, str) or _ITEM_ID.match(aop_item_id) is None:
        raise StartUnknown(f"{subject}: answered {answer.status} without a usable aop_item_id")
    return AopAccepted(
        aop_item_id=aop_item_id,
        request_id=text(answer.body.get("request_id")),
        provider_run_id=text(answer.body.get("run_id")),
    )


def _parse_observation(
    subject: str, aop_item_id: str, document: Mapping[str, Any]
) -> AopObservation:
    status = text(document.get("status"))
    if status is None:
        raise UpstreamUnreadable(f"{subject}: answered 200 without a status")
    if document.get("aop_item_id", aop_item_id) != aop_item_id:
        raise UpstreamUnreadable(f"{subject}: answered 200 for another item")
    return AopObservation(
        aop_item_id=aop_item_id,
        status=status,
        reference_id=text(document.get("reference_id")),
        initiated_at=timestamp(document.get("initiated_at")),
        completed_at=timestamp(document.get("completed_at")),
    )


def _forms(credentials: LeenaCredentials) -> Iterator[str]:
    """The credentials in the forms in which an answer might echo them."""
    yield _basic(credentials)
    for value in (
        credentials.client_id,
        credentials.client_secret.reveal(),
        credentials.username,
        credentials.password.reveal(),
    ):
        yield from encodings(value)


def _token_forms(token: Secret) -> Iterator[str]:
    yield from encodings(token.reveal())
