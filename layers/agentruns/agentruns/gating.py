"""The connection gate around Leena's API: ask before a call, report after it.

`GatedLeenaApi` is a `ports.LeenaApi`, so that use cases know nothing of gates: a closed gate is
`ConnectionClosed`, an `UpstreamUnavailable` with nothing sent. Rules: `gate`. Retries: none; a
lost race for a gate's row is decided again a few times, then left to the next caller.

**What it costs.** A healthy connection is read (eventually consistent) once in 3 s per gate and
process, and never written. So another container learns of a trip within 3 s, and may send until
then what it would have sent anyway; a probe is decided by the row alone, never from memory. Each
mint reads the row once, strongly consistent.

A gate never breaks a call: where its row cannot be read or written, calls go on without it.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from agentruns import gate, telemetry
from agentruns.errors import (
    ConnectionClosed,
    RequestBudgetSpent,
    StartUnknown,
    StoreConflict,
    UpstreamRejected,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from agentruns.gate import ClosedBecause, Door, Entry, GateState, Refusal
from agentruns.ports import (
    AopAccepted,
    AopObservation,
    Clock,
    GateStore,
    LeenaApi,
    MintedToken,
)
from agentruns.providers import Connection, LeenaConnection, LeenaCredentials
from agentruns.refusals import CredentialsRejected, TokenRejected
from agentruns.secret import Secret

REMEMBERED_SECONDS = 3.0
WRITE_ATTEMPTS = 8
MEMORY_ENTRIES = 256
PROBLEM_LENGTH = 300
_SPREAD_SECONDS = 5.0

Answer = TypeVar("Answer")
_Key = tuple[str, str, Door]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    state: GateState
    read_at: datetime


class ConnectionGate:
    """Safe to share by threads. `spread` gives the jitter, a factor from 0.5 to 1."""

    def __init__(
        self,
        *,
        gates: GateStore,
        clock: Clock,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # noqa: S311  # jitter
    ) -> None:
        self._gates = gates
        self._clock = clock
        self._spread = spread
        self._memory: OrderedDict[_Key, _Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def enter(self, connection: Connection, door: Door, *, fresh: bool = False) -> bool:
        """True where the call is the one probe. ConnectionClosed where nobody may call now.

        `fresh`: from the row, not from memory.
        """
        try:
            state = self._state(connection, door, fresh=fresh)
            entry = state.entry(self._clock())
            is_probe = entry is Entry.PROBE and self._take_probe(connection, state)
        except ConnectionClosed:
            raise
        except Exception as exc:  # noqa: BLE001  # a gate that cannot be read closes nothing
            _log_blind(connection, exc)
            return False
        if entry is Entry.CLOSED:
            raise self._closed(state)
        return is_probe

    def refusal(self, connection: Connection) -> Refusal | None:
        """What the token endpoint would answer again."""
        try:
            state = self._state(connection, Door.TOKENS)
        except Exception as exc:  # noqa: BLE001  # as above
            _log_blind(connection, exc)
            return None
        return state.refusal_of(connection.updated_at, self._clock())

    def answered(self, connection: Connection, door: Door) -> None:
        with self._lock:
            remembered = self._memory.get(_key(connection, door))
        if remembered is not None and gate.answered(remembered.state) == remembered.state:
            return
        self._update(connection, door, gate.answered)

    def unavailable(
        self,
        connection: Connection,
        door: Door,
        problem: str,
        *,
        retry_after_seconds: float | None,
        is_probe: bool,
    ) -> None:
        spread = self._spread()
        self._update(
            connection,
            door,
            lambda state: gate.unavailable(
                state,
                self._clock(),
                problem[:PROBLEM_LENGTH],
                retry_after_seconds=retry_after_seconds,
                is_probe=is_probe,
                spread=spread,
            ),
        )

    def refused(self, connection: Connection, status: int | None, detail: str) -> None:
        """The token endpoint refused the credentials (`status`), or the API a token just minted."""
        refusal = Refusal(
            until=self._clock() + timedelta(seconds=gate.REFUSED_SECONDS),
            connection_updated_at=connection.updated_at,
            status=status,
            detail=detail[:PROBLEM_LENGTH],
        )
        self._update(connection, Door.TOKENS, lambda state: gate.refused(state, refusal))

    def abandoned(self, connection: Connection, door: Door) -> None:
        self._update(connection, door, gate.abandoned)

    def send(
        self, connection: Connection, door: Door, call: Callable[[], Answer], *, is_probe: bool
    ) -> Answer:
        """Make the call and report what it says about the host."""
        try:
            answer = call()
        except RequestBudgetSpent:  # nothing was sent, so nothing is known
            if is_probe:
                self.abandoned(connection, door)
            raise
        except (UpstreamUnavailable, StartUnknown) as error:
            self.unavailable(
                connection,
                door,
                str(error),
                retry_after_seconds=getattr(error, "retry_after_seconds", None),
                is_probe=is_probe,
            )
            raise
        except (UpstreamRejected, UpstreamUnreadable):
            self.answered(connection, door)
            raise
        except Exception:  # whatever it was, the next caller may probe
            if is_probe:
                self.abandoned(connection, door)
            raise
        self.answered(connection, door)
        return answer

    def _take_probe(self, connection: Connection, state: GateState) -> bool:
        """Whoever loses waits for the probe's outcome, unless it is there already."""
        now = self._clock()
        following = gate.probing(state, now)
        try:
            stored = self._gates.write(following, now)
        except StoreConflict:
            state = self._read(connection, state.door, consistent=True)
            if state.entry(self._clock()) is Entry.OPEN:
                return False
            raise self._closed(state) from None
        self._remember(connection, stored)
        logger.info(
            "connection_probed", extra={"connection": connection.name, "door": state.door.value}
        )
        return True

    def _closed(self, state: GateState) -> ConnectionClosed:
        now = self._clock()
        until = state.closed_until(now) or now + timedelta(seconds=gate.SHORTEST_WAIT_SECONDS)
        # those who wait for the same moment do not come at the same moment
        wait_seconds = (until - now).total_seconds() + _SPREAD_SECONDS * (self._spread() - 0.5)
        problem = state.problem or "it did not answer"
        return ConnectionClosed(
            f"connection {state.connection!r}: not called for another {wait_seconds:.0f} s; "
            f"last problem: {problem}",
            retry_after_seconds=wait_seconds,
        )

    def _state(self, connection: Connection, door: Door, *, fresh: bool = False) -> GateState:
        """From memory while that is young, or closed for longer anyway."""
        now = self._clock()
        with self._lock:
            remembered = self._memory.get(_key(connection, door))
        young = timedelta(seconds=REMEMBERED_SECONDS)
        if remembered is not None and not fresh and now - remembered.read_at < young:
            return remembered.state
        return self._read(connection, door, consistent=fresh)

    def _read(self, connection: Connection, door: Door, *, consistent: bool) -> GateState:
        state = self._gates.read(connection.tenant, connection.name, door, consistent=consistent)
        self._remember(connection, state)
        return state

    def _remember(self, connection: Connection, state: GateState) -> None:
        """The newest: an eventually consistent read must not undo what this process wrote."""
        key = _key(connection, state.door)
        with self._lock:
            before = self._memory.get(key)
            if before is not None and 0 < state.version < before.state.version:
                return
            self._memory[key] = _Remembered(state=state, read_at=self._clock())
            self._memory.move_to_end(key)
            while len(self._memory) > MEMORY_ENTRIES:
                self._memory.popitem(last=False)

    def _update(
        self, connection: Connection, door: Door, change: Callable[[GateState], GateState]
    ) -> None:
        """What is reported is never worth an error of the call it came from."""
        try:
            for _ in range(WRITE_ATTEMPTS):
                state = self._read(connection, door, consistent=True)
                following = change(state)
                if following == state:
                    return
                try:
                    stored = self._gates.write(following, self._clock())
                except StoreConflict:
                    continue
                self._remember(connection, stored)
                _tell(connection, state, stored)
                return
        except Exception as exc:  # noqa: BLE001  # as above
            _log_blind(connection, exc)


class GatedLeenaApi:
    """ports.LeenaApi behind the connection's gates. Errors as the port, and ConnectionClosed."""

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
        self._forget_untried(token)
        return answer

    def _remember_untried(self, token: MintedToken) -> None:
        """A token that is answered 401 before it was ever taken was refused, not outlived."""
        expires_at = self._clock() + timedelta(seconds=token.expires_in_seconds)
        with self._lock:
            self._untried[_fingerprint(token.access_token)] = expires_at
            while len(self._untried) > MEMORY_ENTRIES:
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


def _key(connection: Connection, door: Door) -> _Key:
    return connection.tenant, connection.name, door


def _tell(connection: Connection, before: GateState, after: GateState) -> None:
    """Count and log each closing once: by whoever stored it."""
    reason = _new_reason(before, after)
    extra = {"connection": connection.name, "door": after.door.value}
    if reason is not None:
        telemetry.count("ConnectionClosed", connection=connection.name, reason=reason.value)
        logger.warning("connection_closed", extra=extra | {"reason": reason.value})
    elif before.is_tripped and not after.is_tripped:
        logger.info("connection_opened", extra=extra)


def _new_reason(before: GateState, after: GateState) -> ClosedBecause | None:
    if after.trips > before.trips:
        return ClosedBecause.UNAVAILABLE
    if after.refusal is not None and after.refusal != before.refusal:
        return ClosedBecause.REFUSED
    if after.wait_until is not None and after.wait_until != before.wait_until:
        return ClosedBecause.ASKED_TO_WAIT
    return None


def _log_blind(connection: Connection, exc: Exception) -> None:
    logger.warning(
        "gate_not_reached", extra={"connection": connection.name, "error": type(exc).__name__}
    )
