"""Whether a connection may be called now: decided in one place, from one small row, for everybody.

Pure: a state, the time and an outcome give the next state. Not here: keeping states (`ports.
GateStore`), asking and reporting around a call (`gating`).

A connection has two gates, since it has two hosts: `tokens` (the token endpoint) and `calls` (the
API). A gate is closed for three reasons:

    asked_to_wait   an answer had a Retry-After: nobody calls until then
    unavailable     FAILURES_TO_TRIP times in a row no usable answer: 5 s, doubling to 5 min, and
                    then one probe over all containers; its success opens the gate again
    refused         (`tokens` only) the credentials, or a token just minted, were refused twice
                    in a row: that answer is given again for a minute, without asking
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES_TO_TRIP = 5
STREAK_SECONDS = 300.0
"""A failure this long after the one before begins a new count."""

FIRST_CLOSED_SECONDS = 5.0
LONGEST_CLOSED_SECONDS = 300.0
PROBE_SECONDS = 30.0
"""Longer than the 20 s a call may take: a probe whose container died blocks nobody for good."""

SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
REFUSED_SECONDS = 60.0


class Door(StrEnum):
    """Which host of the connection."""

    TOKENS = "tokens"
    CALLS = "calls"


class Entry(StrEnum):
    """What a caller may do."""

    OPEN = "open"
    PROBE = "probe"
    CLOSED = "closed"


class ClosedBecause(StrEnum):
    ASKED_TO_WAIT = "asked_to_wait"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was answered, for which version of the connection. `status` None: a fresh token."""

    until: datetime
    connection_updated_at: datetime
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """A gate as stored; version 0 is one that was never closed. Times are aware UTC.

    `failures` in a row, the last at `failed_at`; `trips` in a row; `tripped_until` is set from the
    first trip to the next success; `probe_until`: somebody probes.
    """

    tenant: str
    connection: str
    door: Door
    version: int = 0
    failures: int = 0
    failed_at: datetime | None = None
    trips: int = 0
    tripped_until: datetime | None = None
    probe_until: datetime | None = None
    wait_until: datetime | None = None
    problem: str = ""
    refusal: Refusal | None = None

    @property
    def is_tripped(self) -> bool:
        return self.tripped_until is not None

    def entry(self, now: datetime) -> Entry:
        """`probe` is for one caller: whoever stores `probing` first."""
        if self.closed_until(now) is not None:
            return Entry.CLOSED
        return Entry.PROBE if self.is_tripped else Entry.OPEN

    def closed_until(self, now: datetime) -> datetime | None:
        """None where somebody may call."""
        times = (self.wait_until, self.tripped_until, self.probe_until)
        return max((at for at in times if at is not None and at > now), default=None)

    def reason(self, now: datetime) -> ClosedBecause | None:
        """Why calls wait; a trip over a wait. A refusal closes minting alone."""
        if self.is_tripped:
            return ClosedBecause.UNAVAILABLE
        is_waiting = self.wait_until is not None and self.wait_until > now
        return ClosedBecause.ASKED_TO_WAIT if is_waiting else None

    def refusal_of(self, connection_updated_at: datetime, now: datetime) -> Refusal | None:
        """The refusal that still counts: storing the connection anew ends it."""
        refusal = self.refusal
        if refusal is None or now >= refusal.until:
            return None
        return refusal if refusal.connection_updated_at >= connection_updated_at else None


def probing(state: GateState, now: datetime) -> GateState:
    return replace(state, probe_until=now + timedelta(seconds=PROBE_SECONDS))


def answered(state: GateState) -> GateState:
    """The host answered, be it with a refusal. What it asked to wait for stays."""
    if state.failures == 0 and not state.is_tripped:
        return state
    return replace(
        state, failures=0, failed_at=None, trips=0, tripped_until=None, probe_until=None, problem=""
    )


def abandoned(state: GateState) -> GateState:
    """A probe ended without telling anything: the next one may go."""
    return replace(state, probe_until=None)


def unavailable(
    state: GateState,
    now: datetime,
    problem: str,
    *,
    retry_after_seconds: float | None,
    is_probe: bool,
    spread: float,
) -> GateState:
    """No usable answer came. `spread`, 0.5 to 1, is the jitter on how long a trip closes.

    Calls that were under way when the gate tripped tell nothing new, save a Retry-After.
    """
    following = state
    if retry_after_seconds is not None:
        seconds = min(max(retry_after_seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
        wait_until = now + timedelta(seconds=seconds)
        following = replace(following, wait_until=_later(following.wait_until, wait_until))
        following = replace(following, problem=problem)
    if state.is_tripped and not is_probe:
        return following
    failures = 1 if _is_new_streak(state, now) else state.failures + 1
    following = replace(following, failures=failures, failed_at=now, problem=problem)
    if failures < FAILURES_TO_TRIP and not state.is_tripped:
        return following
    seconds = min(FIRST_CLOSED_SECONDS * 2 ** min(state.trips, 10), LONGEST_CLOSED_SECONDS)
    tripped_until = now + timedelta(seconds=seconds * spread)
    return replace(following, trips=state.trips + 1, tripped_until=tripped_until, probe_until=None)


def refused(
    state: GateState,
    now: datetime,
    *,
    connection_updated_at: datetime,
    status: int | None,
    detail: str,
) -> GateState:
    """The first refusal is kept and closes nothing: it may have been a moment's. One that comes
    within a minute of it, or of the end of the closing before, closes for a minute."""
    before, window = state.refusal, timedelta(seconds=REFUSED_SECONDS)
    is_first = (
        before is None
        or before.connection_updated_at != connection_updated_at
        or now - before.until > window
    )
    refusal = Refusal(
        until=now if is_first else now + window,
        connection_updated_at=connection_updated_at,
        status=status,
        detail=detail,
    )
    return replace(state, refusal=refusal)


def taken(state: GateState, *, by_token_endpoint: bool) -> GateState:
    """The credentials, or a token just minted, were taken: what was refused before is over."""
    refusal = state.refusal
    if refusal is None or (refusal.status is not None) is not by_token_endpoint:
        return state
    return replace(state, refusal=None)


def _is_new_streak(state: GateState, now: datetime) -> bool:
    if state.failed_at is None:
        return True
    return not state.is_tripped and (now - state.failed_at).total_seconds() > STREAK_SECONDS


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)
