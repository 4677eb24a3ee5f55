"""Everything that waits for a person, in one list: approvals, reviews, blockers, tasks, what a
provider paused for a person of its own, and starts of which nobody knows the outcome.

Not here: answering (`deciding`, `resolving`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentruns.errors import ActivityNotFound
from agentruns.model import Activity, ActivityRecord, Page, Run
from agentruns.statuses import RunStatus

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock
    from agentruns.wait import Wait
    from agentruns.wait_ports import Inbox, InboxEntry

_WAITING_RUNS = frozenset({RunStatus.PAUSED, RunStatus.START_UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """One of `wait` and `run` is there: what waits for a person, since when."""

    activity: Activity
    since: datetime
    age: timedelta
    wait: Wait | None = None
    run: Run | None = None

    @property
    def item_id(self) -> str:
        """What is decided or resolved."""
        if self.wait is not None:
            return self.wait.wait_id
        return self.run.run_id if self.run else ""

    @property
    def kind(self) -> str:
        """A wait's kind, or the status that a run waits in."""
        if self.wait is not None:
            return self.wait.kind.value
        return self.run.status.value if self.run else ""

    @property
    def title(self) -> str:
        """What it is about: the wait's own, its activity's, or what was said of it."""
        if self.wait is None:
            return self.activity.title
        return self.wait.title or self.activity.title or self.wait.description

    @property
    def expires_at(self) -> datetime | None:
        return self.wait.expires_at if self.wait else self.activity.deadline_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInbox:
    """Each entry of the index is read again, so that what was just answered is not shown."""

    activities: ActivityStore
    inbox: Inbox
    clock: Clock

    def __call__(self, tenant: str, limit: int, cursor: str | None) -> Page[InboxItem]:
        """Oldest first. A page may be short; InvalidRequest for a foreign cursor."""
        page = self.inbox.list_inbox(tenant, limit, cursor)
        items = tuple(self._items(tenant, page))
        return Page(items=items, next_cursor=page.next_cursor)

    def _items(self, tenant: str, page: Page[InboxEntry]) -> Iterator[InboxItem]:
        records: dict[str, ActivityRecord] = {}
        now = self.clock()
        for entry in page.items:
            if entry.activity_id not in records:
                try:
                    records[entry.activity_id] = self.activities.read(tenant, entry.activity_id)
                except ActivityNotFound:
                    continue
            item = _item(records[entry.activity_id], entry, now)
            if item is not None:
                yield item


def _item(record: ActivityRecord, entry: InboxEntry, now: datetime) -> InboxItem | None:
    age, activity = now - entry.since, record.activity
    for wait in record.waits:
        if wait.wait_id == entry.item_id and wait.is_open:
            return InboxItem(activity=activity, since=entry.since, age=age, wait=wait)
    for run in record.runs:
        if run.run_id == entry.item_id and run.status in _WAITING_RUNS:
            return InboxItem(activity=activity, since=entry.since, age=age, run=run)
    return None
