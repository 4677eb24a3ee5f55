"""Leena's form of a moment."""

from __future__ import annotations

from datetime import UTC, datetime


def provider_timestamp(moment: datetime) -> str:
    """ISO 8601 with microseconds and no zone, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
