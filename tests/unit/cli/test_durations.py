"""Durations and moments, written and read."""

from datetime import UTC, datetime, timedelta

import pytest

from agentruns_cli.durations import (
    ago_text,
    duration_text,
    parse_duration_seconds,
    until_text,
)

NOW = datetime(2026, 11, 22, 1, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("3d", 259200)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5", "1.5h", "5 m", "m", "1h30", "1w", "1H", "٣", "90\n"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"duration|zero"):
        parse_duration_seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (59.9, "59s"), (185, "3m 05s"), (7620, "2h 07m"), (273600, "3d 04h")],
)
def test_durations_are_written(seconds, text):
    assert duration_text(timedelta(seconds=seconds)) == text


def test_moments_are_told_from_now():
    assert until_text(NOW + timedelta(seconds=12), NOW) == "in 12s"
    assert until_text(NOW + timedelta(seconds=0.4), NOW) == "now"
    assert until_text(NOW - timedelta(seconds=4), NOW) == "now"
    assert until_text(None, NOW) == "-"
    assert ago_text(NOW - timedelta(minutes=3, seconds=5), NOW) == "3m 05s ago"
    assert ago_text(None, NOW) == "-"
