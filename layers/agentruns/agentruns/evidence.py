"""The rules of what a provider tells of its own accord: a webhook's word about a run.

Pure, as `lifecycle`. A webhook may come before the start's answer, after the run's end, twice, in
any order, or for work that we know nothing of; each has its rule here. Not here: whether the word
is to be believed at all (`hooks`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agentruns import lifecycle, starts
from agentruns.event_types import EventType
from agentruns.model import (
    ActivityRecord,
    Change,
    EvidenceSource,
    Observation,
    Problem,
    Run,
    StartAccepted,
)
from agentruns.statuses import RunStatus
from agentruns.transitions import new_event, remote_ids, touched

HOOK_TOO_LARGE = "hook_too_large"
_NOT_TAKEN = "a webhook came and was not taken"

DUPLICATES_KEPT = 8
"""Of other remote ids on one run: enough for a person, and a bound on the row."""

_MAY_HAVE_STARTED = frozenset({RunStatus.DISPATCHING, RunStatus.START_UNKNOWN})


def webhook_observed(
    record: ActivityRecord, run: Run, remote_id: str, seen: Observation, now: datetime
) -> Change | None:
    """The provider says `seen` of its run `remote_id`. None where that is nothing new."""
    if run.remote_id not in {None, remote_id}:
        return duplicate_start(record, run, remote_id, now)
    if run.status.is_terminal:
        return _late(record, run, remote_id, seen, now)
    if run.remote_id is not None:
        return _told(record, run, seen, now)
    if run.status not in _MAY_HAVE_STARTED or run.run_id != record.current_run.run_id:
        return None  # it was provably not started, so this is not about it
    bound = starts.bind_start(record, remote_id, EvidenceSource.WEBHOOK, now)
    told = _told(_after(record, bound), bound.runs[0], seen, now)
    return bound if told is None else replace(told, events=bound.events + told.events)


def start_answered(
    record: ActivityRecord,
    run: Run,
    accepted: StartAccepted,
    seen: Observation,
    now: datetime,
) -> Change | None:
    """The start's own answer, which a webhook may have overtaken."""
    if run.remote_id is None:
        change = starts.start_accepted(record, run, accepted, now)
        started = change.runs[0]
        if started.status.is_terminal or seen.status is None or not seen.status.is_terminal:
            return change
        ended = lifecycle.status_observed(
            _after(record, change), started, seen, EvidenceSource.START, now
        )
        if isinstance(ended, Run):
            return change
        return replace(ended, events=change.events + ended.events)
    if run.remote_id == accepted.remote_id:
        return None
    return duplicate_start(record, run, accepted.remote_id, now)


def hook_not_taken(run: Run, reason: str) -> Run | None:
    """A webhook that could not be read: remembered while nobody knows better. None where that is
    nothing new."""
    known = run.last_problem
    if run.status.is_terminal or (known is not None and _NOT_TAKEN in known.message):
        return None
    message = f"{_NOT_TAKEN}: {reason}"
    if known is not None and run.status is RunStatus.START_UNKNOWN:  # why it waits for a person
        problem = replace(known, message=f"{known.message}; {message}")
    else:
        problem = Problem(code=HOOK_TOO_LARGE, message=message)
    return replace(run, last_problem=problem)


def duplicate_start(
    record: ActivityRecord, run: Run, remote_id: str, now: datetime
) -> Change | None:
    """Another run of the provider speaks for this one: it was started twice. Told once per id."""
    if remote_id in run.other_remote_ids or len(run.other_remote_ids) >= DUPLICATES_KEPT:
        return None
    run = replace(run, other_remote_ids=(*run.other_remote_ids, remote_id))
    detail = remote_ids(record.activity, run.remote_id or "") | {"other_remote_id": remote_id}
    event = new_event(EventType.DUPLICATE_START_DETECTED, run, now, detail)
    return Change(activity=touched(record.activity, now), runs=(run,), events=(event,))


def _told(record: ActivityRecord, run: Run, seen: Observation, now: datetime) -> Change | None:
    """Of a followed run. That it runs is no news; how many rows it has is, once."""
    if seen.status is None or not seen.status.is_terminal:
        if seen.row_count in {None, run.row_count}:
            return None
        counted = replace(run, row_count=seen.row_count)
        return Change(activity=touched(record.activity, now), runs=(counted,))
    change = lifecycle.status_observed(record, run, seen, EvidenceSource.WEBHOOK, now)
    return change if isinstance(change, Change) else None


def _late(
    record: ActivityRecord, run: Run, remote_id: str, seen: Observation, now: datetime
) -> Change | None:
    """The run has ended here. An end that it tells is kept as evidence, once."""
    if seen.status is None or not seen.status.is_terminal:
        return None
    told = {(each.source, each.status) for each in run.evidence}
    if (EvidenceSource.WEBHOOK, seen.status) in told:
        return None
    run = replace(run, remote_id=remote_id)
    source = EvidenceSource.WEBHOOK
    return lifecycle.end_run(record, run, seen.status, source, now, output=seen.output)


def _after(record: ActivityRecord, change: Change) -> ActivityRecord:
    """The record as the change will leave it."""
    changed = {run.run_id: run for run in change.runs}
    runs = tuple(changed.get(run.run_id, run) for run in record.runs)
    return replace(record, activity=change.activity, runs=runs)
