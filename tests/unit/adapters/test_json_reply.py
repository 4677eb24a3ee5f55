from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.adapters.json_reply import UnreadableJson, parse_json, retry_after_seconds

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": [1, 2.5, "\xc3\xbc", null, true]}', {"a": [1, 2.5, "ü", None, True]}),
        (b' "text" ', "text"),
        (b"[" * 32 + b"]" * 32, None),
        (b"[" * 31 + b'{"a": 1}' + b"]" * 31, None),
    ],
)
def test_strict_json_is_read(body, document):
    parsed = parse_json(body)

    assert document is None or parsed == document


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"NaN", "NaN is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"1e400", "too large"),
        (b"9" * 5000, "not JSON"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "twice"),
        (b"[" * 33 + b"]" * 33, "deeper than 32"),
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 32"),
        (b'["\\udc00"]', "half a character"),
        (b'{"\\ud800": 1}', "half a character"),
    ],
)
def test_anything_else_is_unreadable(body, reason):
    with pytest.raises(UnreadableJson, match=reason):
        parse_json(body)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 12 "}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "301"}, 300.0),
        ({"retry-after": "9" * 400}, 300.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "+1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Fri, 02 Jan 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Fri, 02 Jan 2026 12:01:00 -0000"}, 60.0),
        ({"retry-after": "Fri, 02 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 03 Jan 2026 12:00:00 GMT"}, 300.0),
        ({"retry-after": "Fri, 99 Jan 2026 12:01:00 GMT"}, None),
        (
            {
                "retry-after": "Fri, 02 Jan 2026 15:00:10 GMT",
                "date": "Fri, 02 Jan 2026 15:00:00 GMT",
            },
            10.0,
        ),
        ({"retry-after": "Fri, 02 Jan 2026 12:01:00 GMT", "date": "today"}, 60.0),
    ],
)
def test_retry_after_in_both_forms(headers, seconds):
    assert retry_after_seconds(headers, NOW) == seconds


@given(text=st.text(max_size=60), date=st.text(max_size=60))
def test_any_retry_after_is_a_wait_within_bounds_or_none(text, date):
    seconds = retry_after_seconds({"retry-after": text, "date": date}, NOW)

    assert seconds is None or 0 <= seconds <= 300
