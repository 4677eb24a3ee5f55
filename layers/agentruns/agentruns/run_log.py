"""Reading a run's log: its events and its agent's text in one order, from any position on.

The order is `deltas`'. Not here: JSON and event streams (`api`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns.deltas import Delta, LogPage, Seen, follow
from agentruns.log_positions import LARGEST_NUMBER, LogPosition
from agentruns.providers import WEBHOOK_AGENT

if TYPE_CHECKING:
    from agentruns.agent_stores import DeltaStore
    from agentruns.model import ActivityRecord, Run
    from agentruns.ports import ActivityStore, Clock

RANGES_LOOKED_UP = 8
"""Of missing numbers one by one; more of them are looked up in one range over all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRunLog:
    """What follows a position: at most `limit` entries."""

    activities: ActivityStore
    deltas: DeltaStore
    clock: Clock

    def __call__(self, record: ActivityRecord, run: Run, start: LogPosition, limit: int) -> LogPage:
        """`record` is as it was read a moment ago. Only an agent of one's own streams text."""
        now = self.clock()
        events = self.activities.list_events(run.tenant, run.activity_id, start.event, limit)
        seen = Seen(run_id=run.run_id, events=events, has_more_events=len(events) == limit)
        if record.activity.adapter.type != WEBHOOK_AGENT:
            return follow(start, seen, now, limit)
        late, has_more_late = self._late(run, start, limit)
        page = self.deltas.list(run, start.number + 1, LARGEST_NUMBER, limit)
        seen = Seen(
            run_id=run.run_id,
            events=events,
            deltas=page.items,
            late=late,
            has_more_events=seen.has_more_events,
            has_more_deltas=page.has_more,
            has_more_late=has_more_late,
            has_ended=run.status.is_terminal,
        )
        return follow(start, seen, now, limit)

    def _late(self, run: Run, start: LogPosition, limit: int) -> tuple[tuple[Delta, ...], bool]:
        """The deltas that were declared missing and have come since, and whether more may have."""
        ranges = start.missing_ranges()
        if len(ranges) > RANGES_LOOKED_UP:
            ranges = ((ranges[0][0], ranges[-1][1]),)
        found: list[Delta] = []
        for first, last in ranges:
            for delta in self._all(run, first, last, limit):
                if len(found) == limit:
                    return tuple(found), True
                if start.missing >> delta.number & 1:
                    found.append(delta)
        return tuple(found), False

    def _all(self, run: Run, first: int, last: int, page_size: int) -> Iterator[Delta]:
        has_more = True
        while has_more:
            page = self.deltas.list(run, first, last, page_size)
            yield from page.items
            has_more = page.has_more
            first = page.items[-1].number + 1 if page.items else last + 1
