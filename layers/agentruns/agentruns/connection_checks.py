"""Trying a connection for real: whether its credentials are taken, and what keeps runs waiting.

Not here: storing it (`connections`), calls of runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns.api_keys import parse_api_key
from agentruns.errors import AgentrunsError, SecretMalformed
from agentruns.gate import Door, GateState
from agentruns.providers import Connection, LeapConnection, LeenaConnection, require_leena
from agentruns.refusals import AopItemNotFound, WorkflowRunNotFound
from agentruns.tokens import credentials_secret_name, parse_credentials

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock, ConnectionStore, GateStore, SecretStore
    from agentruns.provider_ports import LeapApi, LeenaApi, MintedToken

PROBE_ITEM_ID = "000000000000000000000000"
"""An id of the right form that no AOP item and no workflow run has: asking for it changes nothing
anywhere."""

WAITING_COUNTED = 1000
_REACHABLE = "api_reachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheck:
    """One thing looked at. `detail` is for a person and holds no secret."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConnection:
    """Try a connection for real, past every cache and gate, by calls that change nothing there."""

    connections: ConnectionStore
    secrets: SecretStore
    secret_prefix: str
    leena: Callable[[], LeenaApi]
    leap: Callable[[], LeapApi]
    gates: GateStore
    activities: ActivityStore
    clock: Clock

    def __call__(self, tenant: str, name: str) -> tuple[ConnectionCheck, ...]:
        """ConnectionNotFound. The checks in order, up to the first that fails, then the gate and,
        where their number is limited, the slots."""
        connection = self.connections.get(tenant, name)
        return *self._try(connection), self._gate(connection), *self._slots(connection)

    def _slots(self, connection: Connection) -> Iterator[ConnectionCheck]:
        """Whether activities wait for others to end: a fact, no failure."""
        limit = connection.limits.max_concurrent_runs
        slots = self.activities.read_slots(connection.tenant, connection.name, WAITING_COUNTED)
        if limit is None and not slots.taken and not slots.waiting:
            return
        more = " or more" if len(slots.waiting) == WAITING_COUNTED else ""
        detail = (
            f"{len(slots.taken)} of {'any number' if limit is None else limit} taken; "
            f"{len(slots.waiting)}{more} waiting"
        )
        yield ConnectionCheck(name="slots", ok=True, detail=detail)

    def _gate(self, connection: Connection) -> ConnectionCheck:
        """Whether runs may call now. What was tried here changes nothing about that."""
        now = self.clock()
        closed = []
        for door in Door:
            state = self.gates.read(connection.tenant, connection.name, door, consistent=True)
            closed += _closings(state, connection, now)
        detail = "; ".join(closed) or "open: runs may call"
        return ConnectionCheck(name="gate", ok=not closed, detail=detail)

    def _try(self, connection: Connection) -> Iterator[ConnectionCheck]:
        try:
            if isinstance(connection, LeapConnection):
                yield from self._try_leap(connection)
            else:
                yield from self._try_leena(require_leena(connection))
        except SecretMalformed as error:
            yield ConnectionCheck(name="credentials_stored", ok=False, detail=str(error))

    def _try_leena(self, connection: LeenaConnection) -> Iterator[ConnectionCheck]:
        credentials = parse_credentials(*self._secret(connection))
        yield _stored("all four fields are in Secrets Manager")
        leena = self.leena()
        try:
            token = leena.mint(connection, credentials)
        except AgentrunsError as error:
            yield ConnectionCheck(name="token_minted", ok=False, detail=str(error))
            return
        yield ConnectionCheck(
            name="token_minted",
            ok=True,
            detail=f"{connection.auth_url} gave a token for {token.expires_in_seconds:.0f} s",
        )
        yield _probe_leena(leena, connection, token)

    def _try_leap(self, connection: LeapConnection) -> Iterator[ConnectionCheck]:
        api_key = parse_api_key(*self._secret(connection)).api_key
        yield _stored("the API key is in Secrets Manager")
        if not connection.dialect.can_be_asked:
            detail = (
                f"not tried: every call of the dialect {connection.dialect} starts a workflow; "
                "the first activity shows whether the key is taken"
            )
            yield ConnectionCheck(name=_REACHABLE, ok=True, detail=detail)
            return
        try:
            self.leap().read_run(connection, api_key, PROBE_ITEM_ID, is_bulk=False)
        except WorkflowRunNotFound:
            pass
        except AgentrunsError as error:
            yield _unreachable(connection, error)
            return
        detail = f"{connection.api_url} took the key"
        yield ConnectionCheck(name=_REACHABLE, ok=True, detail=detail)

    def _secret(self, connection: Connection) -> tuple[str, Mapping[str, Any]]:
        """The secret's name and what it holds."""
        name = credentials_secret_name(self.secret_prefix, connection.tenant, connection.name)
        document = self.secrets.get(name)
        if document is None:
            raise SecretMalformed(
                name, f"there is none; store it with PUT /v1/connections/{connection.name}"
            )
        return name, document


def _stored(detail: str) -> ConnectionCheck:
    return ConnectionCheck(name="credentials_stored", ok=True, detail=detail)


def _probe_leena(
    leena: LeenaApi, connection: LeenaConnection, token: MintedToken
) -> ConnectionCheck:
    """The answer hoped for is that there is no such item: it was reached and took the token."""
    try:
        leena.read_status(connection, token.access_token, PROBE_ITEM_ID)
    except AopItemNotFound:
        pass
    except AgentrunsError as error:
        return _unreachable(connection, error)
    return ConnectionCheck(name=_REACHABLE, ok=True, detail=f"{connection.api_url} took the token")


def _unreachable(connection: Connection, error: AgentrunsError) -> ConnectionCheck:
    return ConnectionCheck(name=_REACHABLE, ok=False, detail=f"{connection.api_url}: {error}")


def _closings(state: GateState, connection: Connection, now: datetime) -> list[str]:
    """Why this gate keeps runs from calling, if it does. It opens by itself."""
    found = []
    reason = state.reason(now)
    if reason is not None:
        until = state.closed_until(now)
        when = f"closed until {until:%H:%M:%S} UTC" if until else "the next call is the probe"
        found.append(f"{state.door.value}: {reason.value}, {when}: {state.problem}")
    refusal = state.refusal_of(connection.updated_at, now)
    if refusal is not None:
        found.append(
            f"{state.door.value}: refused, not asked again until {refusal.until:%H:%M:%S} UTC: "
            f"{refusal.detail}"
        )
    return found
