"""The text that an agent streams, and the one order of it and the events of its run. Pure.

A delta has a number, which its agent gave, and comes in any order, twice, or never. The log gives
them by number, each behind the events that were there when it came. A number that is missing is
waited for, and what follows waits too; after five seconds, or at the run's end, a gap is declared
and the log goes on. What comes after all is given then, as late. Not here: where the two are read
(`run_log`), what a position is (`log_positions`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from agentruns.log_positions import NO_NUMBER, LogPosition

if TYPE_CHECKING:
    from agentruns.model import Event

MISSING_FOR = timedelta(seconds=5)
TEXT_LIMIT_BYTES = 2_000_000
"""Of a page, as JSON: a Lambda answer has 6 MB, in which each quote of it is escaped again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of an agent's text. `after_event`: the newest event when it came."""

    tenant: str
    activity_id: str
    run_id: str
    attempt: int
    number: int
    text: str
    after_event: int
    received_at: datetime

    @property
    def size_bytes(self) -> int:
        return len(self.text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Numbers that have not come, both included. `at`: when the one behind them came."""

    run_id: str
    first: int
    last: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """What the log tells, and where its reader stands then. `is_late`: its gap was declared."""

    told: Event | Delta | Gap
    position: LogPosition
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read behind a position: events and deltas ascending, and whether there are more.

    The events were read before the deltas. `late`: deltas that the position says are missing.
    """

    run_id: str
    events: tuple[Event, ...] = ()
    deltas: tuple[Delta, ...] = ()
    late: tuple[Delta, ...] = ()
    has_more_events: bool = False
    has_more_deltas: bool = False
    has_more_late: bool = False
    has_ended: bool = False

    @property
    def has_more(self) -> bool:
        return self.has_more_events or self.has_more_deltas or self.has_more_late


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """`position` may be beyond the last entry's. `has_more`: read on now, not later."""

    entries: tuple[LogEntry, ...]
    position: LogPosition
    has_more: bool


def follow(start: LogPosition, seen: Seen, now: datetime, limit: int) -> LogPage:
    """The entries from `start` on, in order: no more than `limit`, nor than two megabytes."""
    entries: list[LogEntry] = []
    position, text_bytes = start, 0
    for position, entry in _walk(start, seen, now):
        if entry is None:
            continue
        entries.append(entry)
        if isinstance(entry.told, Delta):
            text_bytes += len(json.dumps(entry.told.text))
        if len(entries) == limit or text_bytes >= TEXT_LIMIT_BYTES:
            return LogPage(entries=tuple(entries), position=position, has_more=True)
    has_more = seen.has_more and position != start
    return LogPage(entries=tuple(entries), position=position, has_more=has_more)


def _walk(
    position: LogPosition, seen: Seen, now: datetime
) -> Iterator[tuple[LogPosition, LogEntry | None]]:
    """Each next position with what it tells; None of another run's event."""
    for delta in seen.late:
        position = position.after_late(delta.number)
        yield position, LogEntry(told=delta, position=position, is_late=True)
    events = list(reversed(seen.events))
    for delta, waited_since in zip(seen.deltas, _oldest_from_here(seen.deltas), strict=True):
        while events and events[-1].sequence <= delta.after_event:
            position, entry = _tell(position, events.pop(), seen.run_id)
            yield position, entry
        if position.event < delta.after_event:
            return  # its events were not read yet
        gap = _gap_before(position, delta)
        if gap is not None:
            if not seen.has_ended and now - waited_since < MISSING_FOR:
                return
            position = _begun(position).without(gap.first, gap.last)
            yield position, LogEntry(told=gap, position=position)
        if delta.number:
            position = _begun(position)
        position = position.after_number(delta.number)
        yield position, LogEntry(told=delta, position=position)
    while events and not seen.has_more_deltas:
        position, entry = _tell(position, events.pop(), seen.run_id)
        yield position, entry


def _tell(position: LogPosition, event: Event, run_id: str) -> tuple[LogPosition, LogEntry | None]:
    position = position.after_event(event.sequence)
    if event.run_id not in {None, run_id}:
        return position, None
    return position, LogEntry(told=event, position=position)


def _begun(position: LogPosition) -> LogPosition:
    """Without a 0, unless it comes after all."""
    return position.without(0, 0) if position.number == NO_NUMBER else position


def _gap_before(position: LogPosition, delta: Delta) -> Gap | None:
    """An agent may begin with 0 or with 1: that 0 is not there is no gap."""
    first = max(position.number + 1, 1)
    if delta.number <= first:
        return None
    return Gap(run_id=delta.run_id, first=first, last=delta.number - 1, at=delta.received_at)


def _oldest_from_here(deltas: tuple[Delta, ...]) -> list[datetime]:
    """Of each delta since when it, or one behind it, is there."""
    times = [delta.received_at for delta in reversed(deltas)]
    return list(reversed(list(accumulate(times, min))))
