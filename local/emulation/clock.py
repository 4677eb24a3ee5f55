"""An emulator's time: a function without arguments, so that a test can turn it forward.

It decides expiry, scenario phases measured in seconds and every timestamp. The pauses of faults
(`hang`, `delay`, `slow_drip`) are real time, because a client's timeouts are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC datetime."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def control_timestamp(moment: datetime) -> str:
    """The form of the control endpoints: ISO 8601 with microseconds and `Z`."""
    in_utc = moment.astimezone(UTC).replace(tzinfo=None)
    return in_utc.isoformat(timespec="microseconds") + "Z"
