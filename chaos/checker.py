"""Joins the providers' ledgers with the rows and the event logs: what is lost, doubled, wrong.

Pure: everything it judges is handed in. Not here: where the books come from (`stack`), what an
activity was subjected to (the scenarios), what agents of one's own make of it (`agent_rules`,
`wait_rules`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from agentruns.errors import StartUnknown
from agentruns.event_types import EventType
from agentruns.model import ActivityRecord, Event, EvidenceSource, Run
from agentruns.statuses import ActivityStatus, RunStatus
from chaos.agent_rules import AGENT_RULES
from chaos.books import Books, Findings, Offence, Start
from chaos.wait_rules import (
    WAIT_RULES,
    failed_by_a_wait,
    open_subtasks,
    subtask_ids,
    waits_for_a_person,
)

_RUN_ENDS = {EventType.RUN_COMPLETED, EventType.RUN_FAILED}
_ACTIVITY_ENDS = {
    EventType.ACTIVITY_COMPLETED,
    EventType.ACTIVITY_FAILED,
    EventType.ACTIVITY_CANCELLED,
    EventType.ACTIVITY_REASSIGNED,
}
_PROVIDER_ENDS = {
    "completed": RunStatus.COMPLETED,
    "failed": RunStatus.FAILED,
    "aborted": RunStatus.ABORTED,
    "cancelled": RunStatus.ABORTED,
}


def check(books: Books) -> Findings:
    """Every rule on every activity."""
    records = books.records.values()
    started = {start.run_id for start in books.starts} | {each.run_id for each in books.taken}
    waiting = [record for record in records if _waits_visibly(books, record)]
    rules: Sequence[Callable[[Books], Iterator[Offence]]] = (
        _lost,
        _doubled,
        _wrong,
        _unheard,
        _logs,
        *AGENT_RULES,
        *WAIT_RULES,
    )
    return Findings(
        accepted=len(books.accepted) + len(subtask_ids(books)),
        starts=len(books.starts) + len(books.taken),
        ended=Counter(
            record.activity.status for record in records if record.activity.status.is_terminal
        ),
        unknown=len(waiting),
        unknown_started=sum(record.current_run.run_id in started for record in waiting),
        resolved=sum(_resolved(log) for log in books.events.values()),
        offences=[offence for rule in rules for offence in rule(books)],
    )


def _lost(books: Books) -> Iterator[Offence]:
    """Accepted and not stored; started and in no row; started and denied."""
    runs = books.runs()
    for activity_id in set(books.accepted) - books.records.keys():
        yield Offence(verdict="lost", activity_id=activity_id, reason="accepted, but not stored")
    for start in books.starts:
        run = runs.get(start.run_id)
        if run is None:
            reason = f"the provider runs {start.remote_id} for {start.run_id}, which no row has"
            yield Offence(verdict="lost", activity_id="", reason=reason)
        elif run.remote_id is None and not _admits_not_knowing(run):
            reason = f"{run.run_id} is {run.status}, and denies the start of {start.remote_id}"
            yield Offence(verdict="lost", activity_id=run.activity_id, reason=reason)


def _doubled(books: Books) -> Iterator[Offence]:
    """Two starts of a run; two activities for one request."""
    activities = {
        run.run_id: run.activity_id for record in books.records.values() for run in record.runs
    }
    for run_id, number in Counter(start.run_id for start in books.starts).items():
        if number > 1:
            activity_id, reason = activities.get(run_id, ""), f"{run_id} was started {number} times"
            yield Offence(verdict="doubled", activity_id=activity_id, reason=reason)
    for activity_id in books.records.keys() - set(books.accepted) - subtask_ids(books):
        reason = "stored, but no request was answered with it"
        yield Offence(verdict="doubled", activity_id=activity_id, reason=reason)
    for activity_id, number in Counter(books.accepted).items():
        if number > 1:
            reason = f"{number} different requests were answered with it"
            yield Offence(verdict="doubled", activity_id=activity_id, reason=reason)


def _wrong(books: Books) -> Iterator[Offence]:
    """Rows against the provider and against themselves; what neither ended nor visibly waits."""
    starts = {start.remote_id: start for start in books.starts}
    for activity_id, record in books.records.items():
        status = record.activity.status
        for run in record.runs:
            for reason in _contradictions(run, starts):
                yield Offence(verdict="contradicted", activity_id=activity_id, reason=reason)
        is_done = record.current_run.status is RunStatus.COMPLETED
        is_right = is_done == (status is ActivityStatus.DONE) or failed_by_a_wait(record)
        if status.is_terminal and not is_right:
            reason = f"{status}, but its last run is {record.current_run.status}"
            yield Offence(verdict="contradicted", activity_id=activity_id, reason=reason)
        if not status.is_terminal and not _waits_visibly(books, record):
            reason = f"still {status}, its run {record.current_run.status}"
            yield Offence(verdict="stuck", activity_id=activity_id, reason=reason)


def _contradictions(run: Run, starts: Mapping[str, Start]) -> Iterator[str]:
    decided = [evidence for evidence in run.evidence if evidence.decided]
    if run.status.is_terminal != (len(decided) == 1):
        yield f"{run.run_id} is {run.status} with {len(decided)} deciding pieces of evidence"
    if run.remote_id is None:
        return
    start = starts.get(run.remote_id)
    if start is None or start.run_id != run.run_id:
        yield f"{run.run_id} follows {run.remote_id}, which the provider did not start for it"
        return
    told = _PROVIDER_ENDS.get(start.status)
    if run.status.is_terminal and run.status is not told:
        yield f"{run.run_id} is {run.status}, the provider says {start.status!r}"


def _unheard(books: Books) -> Iterator[Offence]:
    """The provider told of a start, and its run knows of none."""
    told = {start.run_id: start.remote_id for start in books.starts if start.is_told}
    for activity_id, record in books.records.items():
        for run in record.runs:
            if run.run_id in told and run.remote_id is None:
                reason = f"{run.run_id} is {run.status}, though {told[run.run_id]} was told"
                yield Offence(verdict="stuck", activity_id=activity_id, reason=reason)


def _resolved(log: Sequence[Event]) -> int:
    unknown = {event.run_id for event in log if event.type is EventType.RUN_START_UNKNOWN}
    return sum(
        event.type is EventType.RUN_STARTED
        and event.run_id in unknown
        and event.detail.get("source") == EvidenceSource.WEBHOOK.value
        for event in log
    )


def _logs(books: Books) -> Iterator[Offence]:
    """Sequences without gaps; each end told once, and none that the row does not know."""
    for activity_id, record in books.records.items():
        log = books.events.get(activity_id, ())
        sequences = [event.sequence for event in log]
        if sequences != list(range(1, record.activity.last_sequence + 1)):
            reason = f"events {sequences}, the row says up to {record.activity.last_sequence}"
            yield Offence(verdict="gaps", activity_id=activity_id, reason=reason)
        told = Counter(event.run_id for event in log if event.type in _RUN_ENDS)
        for run in record.runs:
            if told[run.run_id] != run.status.is_terminal:
                reason = f"{told[run.run_id]} events tell the end of {run.run_id}: {run.status}"
                yield Offence(verdict="contradicted", activity_id=activity_id, reason=reason)
        ends = sum(event.type in _ACTIVITY_ENDS for event in log)
        if ends != record.activity.status.is_terminal:
            reason = f"{ends} events tell the end of the activity: {record.activity.status}"
            yield Offence(verdict="contradicted", activity_id=activity_id, reason=reason)
        accepted = Counter(event.run_id for event in log if event.type is EventType.RUN_STARTED)
        for run_id, number in accepted.items():
            if number > 1:
                reason = f"{number} events tell the start of {run_id}"
                yield Offence(verdict="doubled", activity_id=activity_id, reason=reason)


def _waits_visibly(books: Books, record: ActivityRecord) -> bool:
    """For a person, or for a subtask that does."""
    is_blocked = record.activity.status is ActivityStatus.BLOCKED
    if is_blocked and record.current_run.status is RunStatus.START_UNKNOWN:
        return True
    children = (books.records.get(activity_id) for activity_id in open_subtasks(record))
    return waits_for_a_person(record) or any(
        child is not None and _waits_visibly(books, child) for child in children
    )


def _admits_not_knowing(run: Run) -> bool:
    """It waits for a person, or was ended with that very reason."""
    if run.status is RunStatus.START_UNKNOWN:
        return True
    return run.error is not None and run.error.code == StartUnknown.code
