"""Leena AI's External AOP API, scripted, with a ledger of what it was asked.

Not the emulator (`local/leena_emulator`), which answers over HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from agentruns.provider_ports import AopAccepted, AopObservation, MintedToken
from agentruns.providers import LeenaConnection, LeenaCredentials
from agentruns.secret import Secret

A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeenaCall:
    """One request. Fields that its kind does not have are None."""

    kind: Literal["mint", "execute", "read_status"]
    connection: str
    token: Secret | None = None
    aop_id: str | None = None
    message_to_start: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    aop_item_id: str | None = None


class FakeLeenaApi:
    """Answers in the scripted order; an exception in the script is raised.

    With nothing scripted: mint gives `token-1`, `token-2`, ... for an hour, execute gives
    `item-1`, `item-2`, ..., read_status repeats its last answer (at first `in_progress`).
    """

    def __init__(self) -> None:
        self.calls: list[LeenaCall] = []
        self._mints: list[MintedToken | Exception] = []
        self._executes: list[AopAccepted | Exception] = []
        self._statuses: list[str | AopObservation | Exception] = []
        self._last_status: str | AopObservation = "in_progress"

    # Scripting.

    def on_mint(self, *answers: MintedToken | Exception) -> None:
        self._mints += answers

    def on_execute(self, *answers: AopAccepted | Exception) -> None:
        self._executes += answers

    def on_read_status(self, *answers: str | AopObservation | Exception) -> None:
        """A string is the provider's word for the item that is asked for."""
        self._statuses += answers

    # The ledger.

    @property
    def mints(self) -> list[LeenaCall]:
        return [call for call in self.calls if call.kind == "mint"]

    @property
    def executes(self) -> list[LeenaCall]:
        return [call for call in self.calls if call.kind == "execute"]

    @property
    def status_reads(self) -> list[LeenaCall]:
        return [call for call in self.calls if call.kind == "read_status"]

    # The port.

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        self.calls.append(LeenaCall(kind="mint", connection=connection.name))
        number = len(self.mints)
        default = MintedToken(
            access_token=Secret(f"token-{number}"),
            expires_in_seconds=3600.0,
            version=f"version-{number}",
        )
        return _next(self._mints, default)

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        self.calls.append(
            LeenaCall(
                kind="execute",
                connection=connection.name,
                token=token,
                aop_id=aop_id,
                message_to_start=message_to_start,
                context=dict(context),
            )
        )
        number = len(self.executes)
        default = AopAccepted(
            aop_item_id=f"item-{number}",
            request_id=f"request-{number}",
            provider_run_id=f"provider-run-{number}",
        )
        return _next(self._executes, default)

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        self.calls.append(
            LeenaCall(
                kind="read_status",
                connection=connection.name,
                token=token,
                aop_item_id=aop_item_id,
            )
        )
        answer = _next(self._statuses, self._last_status)
        self._last_status = answer
        if isinstance(answer, AopObservation):
            return answer
        return observation(aop_item_id, answer)


class FakeTokenSource:
    """Tokens without minting. `rejected` lists the versions that were given back."""

    def __init__(self) -> None:
        self.rejected: list[str] = []
        self._errors: list[Exception] = []

    def fail_next(self, error: Exception) -> None:
        """The next `get` or `replace` raises it."""
        self._errors.append(error)

    def get(self, connection: LeenaConnection) -> MintedToken:
        if self._errors:
            raise self._errors.pop(0)
        number = len(self.rejected) + 1
        return MintedToken(
            access_token=Secret(f"{connection.name}-token-{number}"),
            expires_in_seconds=3600.0,
            version=f"version-{number}",
        )

    def replace(self, connection: LeenaConnection, rejected_version: str) -> MintedToken:
        if rejected_version not in self.rejected:
            self.rejected.append(rejected_version)
        return self.get(connection)


def observation(
    aop_item_id: str,
    status: str,
    *,
    initiated_at: datetime | None = None,
    completed_at: datetime | None = None,
) -> AopObservation:
    return AopObservation(
        aop_item_id=aop_item_id,
        status=status,
        reference_id=f"ref-{aop_item_id}",
        initiated_at=initiated_at,
        completed_at=completed_at,
    )


def _next(script: list[A | Exception], default: A) -> A:
    answer = script.pop(0) if script else default
    if isinstance(answer, Exception):
        raise answer
    return answer
