"""Dispatches to agents of one's own: one signed POST each (Standard Webhooks).

Nobody retries here. What an answer means is as for every start (`adapters.leap`): any 2xx, whatever
its body, is accepted, which is not done; nothing sent, 429 and 503 may be sent again; a redirect,
which is never followed, and any other 4xx are clear refusals; everything else is StartUnknown,
which the agent's first call resolves. Source of the signature: https://www.standardwebhooks.com,
section "Signature scheme"; what is signed is what is sent, byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from agentruns.adapters.http import Answer, NoAnswer, encode_json
from agentruns.adapters.reply_fields import describe, encodings
from agentruns.errors import AgentrunsError, InvalidRequest, StartUnknown, UpstreamUnavailable
from agentruns.refusals import AgentRefused

if TYPE_CHECKING:
    from agentruns.agent_ports import AgentCredentials
    from agentruns.ports import Clock

_TRY_LATER = frozenset({429, 503})


class AgentHttp(Protocol):
    """What of `http.JsonHttp` is used here."""

    def post(
        self, url: str, headers: Mapping[str, str], document: Mapping[str, Any]
    ) -> Answer | NoAnswer: ...

    def reach(self, url: str) -> NoAnswer | None: ...


class HttpAgentCaller:
    """agent_ports.AgentCaller over HTTP. Errors as the port says, and one more.

    InvalidRequest, with nothing sent, where the URL is not allowed here.
    """

    def __init__(self, http: AgentHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    def dispatch(
        self,
        url: str,
        credentials: AgentCredentials,
        dispatch_id: str,
        document: Mapping[str, Any],
    ) -> None:
        try:
            headers = self._signed(credentials, dispatch_id, document)
            answer = self._http.post(url, headers, document)
        except ValueError as exc:
            raise InvalidRequest([("adapter.url", f"not sent: {exc}")]) from exc
        host = urlsplit(url).netloc
        if isinstance(answer, NoAnswer):
            if answer.request_sent:
                raise StartUnknown(f"dispatching to the agent at {answer.reason}")
            raise UpstreamUnavailable(f"dispatching to the agent at {answer.reason}")
        if not 200 <= answer.status < 300:
            raise _not_taken(host, answer, describe(answer, _forms(credentials, document)))

    def reach(self, url: str) -> None:
        try:
            failure = self._http.reach(url)
        except ValueError as exc:
            raise InvalidRequest([("adapter.url", f"not called: {exc}")]) from exc
        if failure is not None:
            raise UpstreamUnavailable(f"the agent at {failure.reason}")

    def _signed(
        self, credentials: AgentCredentials, dispatch_id: str, document: Mapping[str, Any]
    ) -> dict[str, str]:
        from standardwebhooks import Webhook

        body, at = encode_json(document).decode("ascii"), self._clock()
        signatures = [
            Webhook(secret.reveal()).sign(dispatch_id, at, body)
            for secret in credentials.signing_secrets
        ]
        return {name: value.reveal() for name, value in credentials.auth_headers.items()} | {
            "webhook-id": dispatch_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _not_taken(host: str, answer: Answer, detail: str) -> AgentrunsError:
    if answer.status in _TRY_LATER:
        return UpstreamUnavailable(
            f"the agent at {host} answered {answer.status} ({detail})",
            retry_after_seconds=answer.retry_after_seconds,
        )
    if 300 <= answer.status < 500 and answer.status != 408:
        return AgentRefused(host, answer.status, detail)
    return StartUnknown(f"the agent at {host} answered {answer.status} ({detail})")


def _forms(credentials: AgentCredentials, document: Mapping[str, Any]) -> Iterator[str]:
    """What an answer might echo of what was sent and must not be kept."""
    secrets = [*credentials.auth_headers.values(), *credentials.signing_secrets]
    for secret in secrets:
        yield from encodings(secret.reveal())
    yield from encodings(str(document.get("taskToken", "")))
