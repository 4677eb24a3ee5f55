"""The rules of waiting for a slot of a connection that limits how many activities are under way.

Pure. Not here: reading the queue and giving slots (`admitting`), how both are stored
(`store.slots`), leaving: an activity that ends leaves (`transitions.end_activity`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentruns.lifecycle import EXECUTION_GRACE
from agentruns.model import ActivityRecord, Admission, Change, NewEvent, Run
from agentruns.polling import plan_next_visit
from agentruns.transitions import started, touched

if TYPE_CHECKING:
    from agentruns.ports import Slots
    from agentruns.providers import Connection


def at_first(connection: Connection | None) -> Admission:
    """Of an activity that is opened now."""
    is_limited = connection is not None and connection.limits.max_concurrent_runs is not None
    return Admission.WAITING if is_limited else Admission.UNLIMITED


def admit(record: ActivityRecord, slot: int, now: datetime) -> Change | None:
    """The activity gets a free slot of its connection. None where it does not wait (any more).

    Its execution is woken, or finds the slot when it begins."""
    activity = record.activity
    if activity.admission is not Admission.WAITING:
        return None
    run = replace(record.current_run, next_check_at=None, due_at=now + EXECUTION_GRACE)
    activity = replace(touched(activity, now), admission=Admission.ADMITTED, slot=slot)
    events: tuple[NewEvent, ...] = ()
    if activity.execution_arn is not None:
        activity, event = started(replace(record, activity=activity), now)
        events = (event,)
    return Change(activity=activity, runs=(run,), events=events, admission_before=Admission.WAITING)


def wait_on(record: ActivityRecord, now: datetime) -> Run | None:
    """Still no slot: when the sweeper asks again, if nobody else does before."""
    activity = record.activity
    if activity.admission is not Admission.WAITING:
        return None
    seconds = plan_next_visit((now - activity.created_at).total_seconds())
    visit_at = min(now + timedelta(seconds=seconds), max(activity.deadline_at, now))
    return replace(record.current_run, next_check_at=visit_at, due_at=visit_at)


def free_slots(slots: Slots, limit: int | None) -> Iterator[int]:
    """The lowest numbers, as many as there is room for: slots of a time when the limit was higher
    count too. Without end where there is no limit (any more)."""
    room = None if limit is None else max(limit - len(slots.taken), 0)
    return itertools.islice((each for each in itertools.count() if each not in slots.taken), room)
