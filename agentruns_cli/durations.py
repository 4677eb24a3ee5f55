"""Durations and moments as people write and read them. Not here: any clock."""

import re
from datetime import datetime, timedelta

_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:(?:[0-9]+[smhd])+|[0-9]+)\Z")
_PART = re.compile(r"([0-9]+)([smhd]?)")


def parse_duration_seconds(text: str) -> int:
    """Seconds in `90`, `90s`, `15m`, `1h30m` or `3d`; ValueError for anything else or zero."""
    if not _DURATION.match(text):
        raise ValueError(f"{text!r} is not a duration: write 90 (seconds), 90s, 15m, 1h30m or 3d")
    seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds == 0:
        raise ValueError(f"{text!r} is zero: give at least one second")
    return seconds


def duration_text(duration: timedelta) -> str:
    """`4s`, `3m 05s`, `2h 07m` or `3d 04h`; a negative duration reads as `0s`."""
    seconds = max(0, int(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    if seconds < 86400:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02d}m"
    return f"{seconds // 86400}d {seconds % 86400 // 3600:02d}h"


def ago_text(moment: datetime | None, now: datetime) -> str:
    """`3m 05s ago`, or `-` where there is no moment."""
    return "-" if moment is None else f"{duration_text(now - moment)} ago"


def until_text(moment: datetime | None, now: datetime) -> str:
    """`in 12s`, `now` within the next second or later, or `-` where there is no moment."""
    if moment is None:
        return "-"
    ahead = moment - now
    return f"in {duration_text(ahead)}" if ahead >= timedelta(seconds=1) else "now"


def moment_text(moment: datetime | None) -> str:
    """`2026-11-22T01:30:00Z`, or `-`."""
    return "-" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
