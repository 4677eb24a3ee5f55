"""A connection's gate as all containers share it: asked before a call, told what came of it.

Rules: `gate`. Who asks and tells: `gated_leena`. Retries: none; a lost race for a gate's row is
decided again a few times, then left to the next caller.

**What it costs.** A healthy connection is read (eventually consistent) once in 3 s per gate and
process, and never written. So another container learns of a trip within 3 s, and may send until
then what it would have sent anyway; a probe is decided by the row alone, never from memory. Each
mint reads the row once, strongly consistent.

A gate never breaks a call: where its row cannot be read or written, calls go on without it.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

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

if TYPE_CHECKING:
    from agentruns.ports import Clock, GateStore
    from agentruns.providers import Connection

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
        self._update_if_new(connection, door, gate.answered)

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
        self._update(
            connection,
            Door.TOKENS,
            lambda state: gate.refused(
                state,
                self._clock(),
                connection_updated_at=connection.updated_at,
                status=status,
                detail=detail[:PROBLEM_LENGTH],
            ),
        )

    def taken(self, connection: Connection, *, by_token_endpoint: bool) -> None:
        """The credentials were taken, or by the API a token just minted."""
        self._update_if_new(
            connection,
            Door.TOKENS,
            lambda state: gate.taken(state, by_token_endpoint=by_token_endpoint),
        )

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

    def _update_if_new(
        self, connection: Connection, door: Door, change: Callable[[GateState], GateState]
    ) -> None:
        """Nothing is read for what, by memory, changes nothing: so it is on a healthy gate."""
        with self._lock:
            remembered = self._memory.get(_key(connection, door))
        if remembered is None or change(remembered.state) != remembered.state:
            self._update(connection, door, change)

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
                _tell(connection, state, stored, self._clock())
                return
        except Exception as exc:  # noqa: BLE001  # as above
            _log_blind(connection, exc)


def _key(connection: Connection, door: Door) -> _Key:
    return connection.tenant, connection.name, door


def _tell(connection: Connection, before: GateState, after: GateState, now: datetime) -> None:
    """Count and log each closing once: by whoever stored it."""
    reason = _new_reason(before, after, now)
    extra = {"connection": connection.name, "door": after.door.value}
    if reason is not None:
        telemetry.count("ConnectionClosed", connection=connection.name, reason=reason.value)
        logger.warning("connection_closed", extra=extra | {"reason": reason.value})
    elif before.is_tripped and not after.is_tripped:
        logger.info("connection_opened", extra=extra)


def _new_reason(before: GateState, after: GateState, now: datetime) -> ClosedBecause | None:
    if after.trips > before.trips:
        return ClosedBecause.UNAVAILABLE
    refusal = after.refusal
    if refusal is not None and refusal != before.refusal and refusal.until > now:
        return ClosedBecause.REFUSED
    if after.wait_until is not None and after.wait_until != before.wait_until:
        return ClosedBecause.ASKED_TO_WAIT
    return None


def _log_blind(connection: Connection, exc: Exception) -> None:
    logger.warning(
        "gate_not_reached", extra={"connection": connection.name, "error": type(exc).__name__}
    )
