"""Every field of what is stored survives the round trip, whatever it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns import (
    agent_reports,
    comment,
    event_types,
    outputs,
    providers,
    statuses,
    wait,
    watching,
)
from agentruns.agent_reports import AgentReport
from agentruns.comment import Comment, Mentions
from agentruns.durations import BUCKETS, RUNS_KEPT, DurationHistory
from agentruns.model import (
    Activity,
    ActivityInput,
    Event,
    Evidence,
    Idempotency,
    Problem,
    RetryPolicy,
    Run,
)
from agentruns.polling import Detection
from agentruns.providers import LeenaAopAdapter
from agentruns.statuses import RunStatus
from agentruns.store import comment_items, idempotency_items, items, keys, wait_items
from agentruns.store.values import from_item, read_time, to_item, write_time
from agentruns.wait import Wait
from agentruns.watching import Watch
from tests.contracts.table import table_properties

WHEN = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
    min_value=datetime(1, 1, 2),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001  # likewise
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=5,
)
TEXT = st.text(max_size=8)
NAMED_ONLY = {
    name: each
    for module in (
        *(agent_reports, comment, event_types, outputs),
        *(providers, statuses, wait, watching),
    )
    for name, each in vars(module).items()
}
"""What a stored value's module may import for its types alone."""


def values_of(kind: type) -> st.SearchStrategy[Any]:
    """Instances with every field filled, those with defaults too."""
    hints = get_type_hints(kind, localns=NAMED_ONLY)
    return st.builds(
        kind, **{field.name: value_of(hints[field.name]) for field in fields(kind) if field.init}
    )


def value_of(hint: Any) -> st.SearchStrategy[Any]:
    known: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        str | None: st.none() | TEXT,
        int: st.integers(0, 10**9),
        datetime: WHEN,
        datetime | None: st.none() | WHEN,
        Any: JSON,
        Mapping[str, Any]: st.dictionaries(TEXT, JSON, max_size=3),
        tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
        Problem | None: st.none() | st.builds(Problem, code=TEXT, message=TEXT),
        tuple[Evidence, ...]: st.lists(st.deferred(lambda: values_of(Evidence)), max_size=2).map(
            tuple
        ),
        int | None: st.none() | st.integers(0, 10**9),
        AgentReport | None: st.none() | st.deferred(lambda: values_of(AgentReport)),
        Watch | None: st.deferred(lambda: values_of(Watch)),
        LeenaAopAdapter: st.builds(LeenaAopAdapter, connection=TEXT, aop_id=TEXT),
        DurationHistory: st.builds(
            DurationHistory,
            buckets=st.lists(st.integers(0, BUCKETS - 1), max_size=RUNS_KEPT).map(tuple),
        ),
        Detection: st.builds(Detection, relative_delay=st.floats(0, 1))
        | st.builds(Detection, relative_delay=st.none(), max_delay_seconds=st.integers(1, 10**6)),
        Mentions: st.deferred(lambda: values_of(Mentions)),
        RetryPolicy: st.builds(
            RetryPolicy, max_attempts=st.integers(1, 9), backoff_seconds=st.integers(0, 99)
        ),
    }
    return known[hint] if hint in known else st.from_type(hint)


def stored(row: Any) -> Any:
    """As it comes back from the table."""
    return from_item(to_item(row))


class TestRoundTrips:
    @given(values_of(Activity))
    def test_activity(self, activity):
        assert items.read_activity(stored(items.activity_row(activity))) == activity

    @given(values_of(Run))
    def test_run(self, run):
        unwatched = replace(run, watch=None, failed_checks=1)
        assert items.read_run(stored(items.run_row(unwatched))) == unwatched

    @given(values_of(Run), WHEN)
    def test_a_watched_run(self, run, at):
        parked = {"callback_token": "c", "status": RunStatus.PAUSED, "failed_checks": 0}
        watched = replace(run, due_at=at, next_check_at=at, **parked)
        assert items.read_run(stored(items.run_row(watched))) == watched

    @given(values_of(Run))
    def test_a_watch_that_no_longer_counts_is_not_stored(self, run):
        row = stored(items.run_row(replace(run, callback_token=None)))
        assert "watch" not in row

    @given(values_of(Event))
    def test_event(self, event):
        assert items.read_event(stored(items.event_row(event))) == event

    @given(values_of(Activity), values_of(ActivityInput))
    def test_input(self, activity, activity_input):
        assert items.read_input(stored(items.input_row(activity, activity_input))) == activity_input

    @given(values_of(Wait))
    def test_wait(self, wait):
        assert wait_items.read_wait(stored(wait_items.wait_row(wait))) == wait

    @given(values_of(Comment))
    def test_comment(self, comment):
        assert comment_items.read_comment(stored(comment_items.comment_row(comment))) == comment

    @given(values_of(Idempotency))
    def test_idempotency(self, idempotency):
        row = stored(idempotency_items.idempotency_row(idempotency))
        assert idempotency_items.read_idempotency(row, idempotency.key) == idempotency
        assert idempotency.key not in row.values() or idempotency.key in {
            idempotency.scope,
            idempotency.body_sha256,
            idempotency.activity_id,
            keys.META,  # where every such row stands
        }


class TestTimes:
    @given(WHEN, WHEN)
    def test_times_sort_as_text(self, first, second):
        assert (write_time(first) < write_time(second)) == (first < second)
        assert read_time(write_time(first)) == first
        assert len(write_time(first)) == 27

    @given(WHEN, WHEN, TEXT)
    def test_a_run_is_due_from_its_time_on(self, due_at, now, run_id):
        assert (keys.due_sort_key(due_at, run_id) < keys.after_due(now)) == (due_at <= now)


def test_the_ttl_is_not_before_the_expiry():
    idempotency = Idempotency(
        scope="acme#api",
        key="k",
        body_sha256="0",
        activity_id="act_1",
        expires_at=datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC),
    )
    row = idempotency_items.idempotency_row(idempotency)
    assert row["ttl"] >= idempotency.expires_at.timestamp()
    assert table_properties()["TimeToLiveSpecification"]["AttributeName"] == "ttl"


@pytest.mark.parametrize("value", [1.5, ["x"], {"a": 1}, b"x"])
def test_a_row_holds_no_other_types(value):
    with pytest.raises(TypeError):
        to_item({"a": value})
