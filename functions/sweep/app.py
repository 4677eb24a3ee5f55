"""Sweep: the minute tick over the runs that are due. Safe to repeat and to run twice at once."""

from dataclasses import asdict
from typing import Any

from agentruns import telemetry, wiring

LOOK_MILLISECONDS = 110_000
"""The longest that one look can take: waiting for a token, minting it, asking twice, and each time
a moment for the request budget. Of the function's 165 s this leaves 55 to begin looks in, so that
a tick is done before the next one."""


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Any event to counts: `{due, still_parked, woken, resumed, left_alone, tended, failed,
    not_reached}`."""
    telemetry.begin_invocation(context)
    swept = wiring.sweep()(lambda: context.get_remaining_time_in_millis() > LOOK_MILLISECONDS)
    return asdict(swept)
