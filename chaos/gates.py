"""A connection's gate as it is when its time is over. Not here: reading and writing it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agentruns.gate import GateState


def ended_waits(state: GateState, now: datetime) -> GateState:
    """The gate when everything that closes it now has passed; itself where nothing does."""
    past = now - timedelta(milliseconds=1)

    def passed(until: datetime | None) -> datetime | None:
        return past if until is not None and until > now else until

    refusal = state.refusal
    if refusal is not None and refusal.until > now:
        refusal = replace(refusal, until=past)
    return replace(
        state,
        tripped_until=passed(state.tripped_until),
        probe_until=passed(state.probe_until),
        wait_until=passed(state.wait_until),
        refusal=refusal,
    )
