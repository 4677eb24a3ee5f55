"""Sweep: the minute tick over the runs that are due. Safe to repeat and to run twice at once."""

from dataclasses import asdict
from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Any event to counts: `{due, still_parked, woken, resumed, left_alone, failed}`."""
    telemetry.begin_invocation(context)
    return asdict(wiring.sweep()())
