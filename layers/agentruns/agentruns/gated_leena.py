"""Leena's API behind its connection's gates: ask before a call, report after it.

A `LeenaApi`, so that use cases know nothing of gates: a closed gate is `ConnectionClosed`, an
`UpstreamUnavailable` with nothing sent. Not here: what closes a gate (`gate`), how its state is
shared (`gating`). Retries: none.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentruns.errors import UpstreamRejected
from agentruns.gate import Door, Refusal
from agentruns.refusals import CredentialsRejected, TokenRejected

if TYPE_CHECKING:
    from agentruns.gating import Answer, ConnectionGate
    from agentruns.ports import Clock
    from agentruns.provider_ports import AopAccepted, AopObservation, LeenaApi, MintedToken
    from agentruns.providers import Connection, LeenaConnection, LeenaCredentials
    from agentruns.secret import Secret

TOKENS_REMEMBERED = 256


class GatedLeenaApi:
    """LeenaApi behind the connection's gates. Errors as the port, and ConnectionClosed."""

    def __init__(self, api: LeenaApi, connection_gate: ConnectionGate, clock: Clock) -> None:
        self._api = api
        self._gate = connection_gate
        self._clock = clock
        self._untried: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        """A refusal of the last minute is given again, with nothing sent."""
        is_probe = self._gate.enter(connection, Door.TOKENS, fresh=True)
        refusal = self._gate.refusal(connection)
        if refusal is not None:
            if is_probe:
                self._gate.abandoned(connection, Door.TOKENS)
            raise _refusal_error(connection, refusal)
        try:
            token = self._gate.send(
                connection,
                Door.TOKENS,
                lambda: self._api.mint(connection, credentials),
                is_probe=is_probe,
            )
        except CredentialsRejected as error:
            self._gate.refused(connection, error.status, error.detail)
            raise
        self._gate.taken(connection, by_token_endpoint=True)
        self._remember_untried(token)
        return token

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        return self._call(
            connection,
            token,
            lambda: self._api.execute(
                connection,
                token,
                aop_id=aop_id,
                message_to_start=message_to_start,
                context=context,
            ),
        )

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        return self._call(
            connection, token, lambda: self._api.read_status(connection, token, aop_item_id)
        )

    def _call(
        self, connection: LeenaConnection, token: Secret, send: Callable[[], Answer]
    ) -> Answer:
        is_probe = self._gate.enter(connection, Door.CALLS)
        try:
            answer = self._gate.send(connection, Door.CALLS, send, is_probe=is_probe)
        except TokenRejected as error:
            if self._was_untried(token):
                self._gate.refused(connection, None, str(error))
            raise
        except UpstreamRejected:
            self._forget_untried(token)
            raise
        if self._forget_untried(token) is not None:
            self._gate.taken(connection, by_token_endpoint=False)
        return answer

    def _remember_untried(self, token: MintedToken) -> None:
        """A token that is answered 401 before it was ever taken was refused, not outlived."""
        expires_at = self._clock() + timedelta(seconds=token.expires_in_seconds)
        with self._lock:
            self._untried[_fingerprint(token.access_token)] = expires_at
            while len(self._untried) > TOKENS_REMEMBERED:
                self._untried.popitem(last=False)

    def _forget_untried(self, token: Secret) -> datetime | None:
        with self._lock:
            return self._untried.pop(_fingerprint(token), None)

    def _was_untried(self, token: Secret) -> bool:
        expires_at = self._forget_untried(token)
        return expires_at is not None and self._clock() < expires_at


def _refusal_error(connection: Connection, refusal: Refusal) -> UpstreamRejected:
    if refusal.status is None:
        return TokenRejected(connection.name)
    return CredentialsRejected(connection.name, refusal.status, refusal.detail)


def _fingerprint(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()
