"""The one order of a run's log, whatever becomes of its text on the way."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.deltas import MISSING_FOR, TEXT_LIMIT_BYTES, Delta, Gap, LogEntry, Seen, follow
from agentruns.event_types import EventType
from agentruns.log_positions import LARGEST_NUMBER, LONGEST_TEXT, LogPosition
from agentruns.model import Event
from tests.fakes.clock import NOON
from tests.properties import tried

RUN = "run_00000000000000000000000000_1"
OTHER_RUN = "run_00000000000000000000000000_2"


@dataclass
class Log:
    """A log that grows, and its reader: every page is read from the last one's cursor."""

    events: list[Event] = field(default_factory=list)
    deltas: dict[int, Delta] = field(default_factory=dict)
    now: datetime = NOON
    cursor: str = "0"
    has_ended: bool = False

    def event(self, run_id: str | None = RUN) -> None:
        sequence = len(self.events) + 1
        self.events.append(
            Event(
                tenant="acme",
                activity_id="act",
                sequence=sequence,
                type=EventType.TOOL_CALLED,
                at=self.now,
                run_id=run_id,
                detail={},
            )
        )

    def delta(self, number: int, text: str = "x") -> None:
        self.deltas.setdefault(number, self.a_delta(number, text))

    def a_delta(self, number: int, text: str) -> Delta:
        return Delta(
            tenant="acme",
            activity_id="act",
            run_id=RUN,
            attempt=1,
            number=number,
            text=text,
            after_event=len(self.events),
            received_at=self.now,
        )

    def page(self, limit: int = 100, window: int = 100) -> list[LogEntry]:
        """One page. `window`: how many rows a read gives, at most."""
        start = LogPosition.parse(self.cursor)
        events = [event for event in self.events if event.sequence > start.event]
        deltas = [self.deltas[n] for n in range(start.number + 1, 202) if n in self.deltas]
        late = [
            self.deltas[n]
            for first, last in start.missing_ranges()
            for n in range(first, last + 1)
            if n in self.deltas
        ]
        seen = Seen(
            run_id=RUN,
            events=tuple(events[:window]),
            deltas=tuple(deltas[:window]),
            late=tuple(late),
            has_more_events=len(events) > window,
            has_more_deltas=len(deltas) > window,
            has_ended=self.has_ended,
        )
        page = follow(start, seen, self.now, limit)
        self.cursor = page.position.text
        self.has_more = page.has_more
        return list(page.entries)

    def rest(self, limit: int = 100, window: int = 100) -> list[LogEntry]:
        entries = self.page(limit, window)
        while self.has_more:
            entries += self.page(limit, window)
        return entries


def shown(entries: list[LogEntry]) -> list[str]:
    """Events as `e1`, deltas as their number, late ones with a `!`, gaps as `2-4`."""
    found = []
    for entry in entries:
        told = entry.told
        if isinstance(told, Delta):
            found.append(f"{told.number}{'!' if entry.is_late else ''}")
        elif isinstance(told, Gap):
            found.append(f"{told.first}-{told.last}")
        else:
            found.append(f"e{told.sequence}")
    return found


def test_text_stands_behind_the_event_that_was_the_newest_when_it_came():
    log = Log()
    log.event()
    log.delta(1)
    log.event()
    log.event()
    log.delta(2)
    log.delta(3)
    log.event()

    assert shown(log.rest()) == ["e1", "1", "e2", "e3", "2", "3", "e4"]


def test_a_log_without_text_has_plain_numbers_as_its_cursors():
    log = Log()
    log.event()
    log.event(None)

    assert [entry.position.text for entry in log.rest()] == ["1", "2"]


def test_what_follows_a_missing_number_waits_five_seconds():
    log = Log()
    log.event()
    for number in (1, 3):
        log.delta(number)
    log.event()
    assert shown(log.page()) == ["e1", "1"]

    log.now += MISSING_FOR - timedelta(microseconds=1)
    assert shown(log.page()) == []
    log.delta(4)
    log.now += timedelta(microseconds=1)
    assert shown(log.page()) == ["2-2", "3", "e2", "4"]


def test_at_the_run_s_end_nothing_is_waited_for():
    log = Log()
    log.delta(2)
    log.has_ended = True

    assert shown(log.page()) == ["1-1", "2"]


def test_a_number_that_comes_after_its_gap_is_given_as_late_and_once():
    log = Log()
    for number in (1, 5):
        log.delta(number)
    log.now += MISSING_FOR
    assert shown(log.page()) == ["1", "2-4", "5"]

    log.delta(3)
    log.delta(6)
    assert shown(log.page()) == ["3!", "6"]
    assert shown(log.page()) == []
    log.delta(2)
    log.delta(4)
    assert shown(log.page()) == ["2!", "4!"]


def test_a_stream_may_begin_with_0_or_with_1():
    log = Log()
    log.delta(1)
    assert shown(log.page()) == ["1"]
    log.delta(0)
    assert shown(log.page()) == ["0!"]

    log = Log()
    log.delta(1)
    log.delta(0)
    assert shown(log.page()) == ["0", "1"]


def test_events_of_another_run_are_passed_over():
    log = Log()
    log.event()
    log.event(OTHER_RUN)
    log.delta(1)
    log.event(OTHER_RUN)

    assert shown(log.page(window=2)) == ["e1", "1"]
    assert log.cursor.startswith("2.1")
    assert shown(log.rest()) == []
    assert log.cursor.startswith("3.1")


def test_a_page_has_two_megabytes_of_text_at_most():
    log = Log()
    for number in range(40):
        log.delta(number, "x" * 65_534)

    first = log.page()
    assert log.has_more
    assert (len(first) - 1) * 65_536 < TEXT_LIMIT_BYTES <= len(first) * 65_536
    assert shown(first + log.rest()) == [str(number) for number in range(40)]


FATES = st.binary(min_size=200, max_size=200).map(lambda octets: [o % 3 for o in octets])
"""Of each of 200 deltas: how often it comes."""


def comes_out_sorted_and_once_with_its_gaps(fates, seed, first, pace, limit, window):
    order = random.Random(seed)
    sent = [number for number, times in enumerate(fates, first) for _ in range(times)]
    order.shuffle(sent)
    log, told = Log(), []
    for number in sent:
        log.delta(number)
        log.now += timedelta(seconds=pace)
        if order.random() < 0.05:
            log.event(order.choice([RUN, OTHER_RUN, None]))
        if order.random() < 0.05:
            told += log.page(limit, window)
    log.has_ended = True
    told += log.rest(limit, window)

    in_time = [e.told.number for e in told if isinstance(e.told, Delta) and not e.is_late]
    late = [e.told.number for e in told if isinstance(e.told, Delta) and e.is_late]
    declared = [
        number
        for entry in told
        if isinstance(entry.told, Gap)
        for number in range(entry.told.first, entry.told.last + 1)
    ]
    assert in_time == sorted(set(in_time))
    assert sorted(in_time + late) == sorted(set(sent))
    assert declared == sorted(set(declared))
    passed_over = set(range(1, max(sent, default=0))) - set(in_time)
    assert passed_over == set(declared)
    assert set(late) <= passed_over | {0}
    events = [entry.told.sequence for entry in told if isinstance(entry.told, Event)]
    assert events == [event.sequence for event in log.events if event.run_id != OTHER_RUN]


@pytest.mark.parametrize("times", [100, pytest.param(2_000, marks=pytest.mark.slow)])
def test_permuted_doubled_and_lost_text_comes_out_sorted_and_once_with_its_gaps(times):
    tried(
        times,
        comes_out_sorted_and_once_with_its_gaps,
        fates=FATES,
        seed=st.integers(0, 2**64),
        first=st.integers(0, 1),
        pace=st.sampled_from([0.0, 0.05, 0.5, 3.0]),
        limit=st.sampled_from([7, 30, 100]),
        window=st.sampled_from([9, 30, 100]),
    )


@given(
    missing=st.sets(st.integers(0, LARGEST_NUMBER - 1), max_size=50),
    event=st.integers(0, 2**53),
)
def test_a_position_is_the_same_after_its_text(missing, event):
    bits = sum(1 << number for number in missing)
    position = LogPosition(event=event, number=LARGEST_NUMBER, missing=bits)

    assert LogPosition.parse(position.text) == position
    numbers = [n for first, last in position.missing_ranges() for n in range(first, last + 1)]
    assert numbers == sorted(missing)


def test_the_longest_position_fits_a_header():
    every_other = sum(1 << number for number in range(0, LARGEST_NUMBER, 2))
    position = LogPosition(event=2**53, number=LARGEST_NUMBER, missing=every_other)

    assert len(position.text) <= LONGEST_TEXT
    assert LogPosition.parse(position.text) == position


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "-1", "1.", "1.x", ".1", "1.2~", "1.2~0", "1.2~0.!", "1.2~0.A", "1.2~5.AQ"),
        *("9" * 17, str(2**53 + 1), "1.10001", "1.99999", "1~0.AQ", "1 ", "1\n", "٣"),
    ],
)
def test_what_is_no_position_is_refused(text):
    with pytest.raises(ValueError, match="is not a position of this log"):
        LogPosition.parse(text)
