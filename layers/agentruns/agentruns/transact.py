"""Read, decide, store; and again when somebody else was faster.

The one loop around `StoreConflict`. The decision is a pure function of what was read, so a lost
race costs a read and a second thought, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agentruns.errors import StoreConflict, StoreContention
from agentruns.model import ActivityRecord, Change, Run

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore
    from agentruns.wait import Wait

ATTEMPTS = 8

Decide = Callable[[ActivityRecord], Change | Run | None]
"""A Change is a transition with its events; a Run is bookkeeping without any."""


def transact(
    activities: ActivityStore, tenant: str, activity_id: str, decide: Decide
) -> ActivityRecord:
    """The record after the change, or as it is where `decide` gives None.

    ActivityNotFound; StoreContention after eight lost races; whatever `decide` raises.
    """
    for _ in range(ATTEMPTS):
        record = activities.read(tenant, activity_id)
        change = decide(record)
        if change is None:
            return record
        try:
            if isinstance(change, Run):
                return _with_runs(record, (activities.save_run(change),))
            stored = activities.apply(change)
            after = replace(record, activity=stored.activity, waits=_merged(record, stored))
            return _with_runs(after, stored.runs)
        except StoreConflict:
            continue
    raise StoreContention(f"activity {activity_id!r}", ATTEMPTS)


def _merged(record: ActivityRecord, stored: ActivityRecord) -> tuple[Wait, ...]:
    waits = {wait.number: wait for wait in (*record.waits, *stored.waits)}
    return tuple(waits[number] for number in sorted(waits))


def _with_runs(record: ActivityRecord, stored: tuple[Run, ...]) -> ActivityRecord:
    runs = {run.run_id: run for run in (*record.runs, *stored)}
    return replace(record, runs=tuple(sorted(runs.values(), key=lambda run: run.attempt)))
