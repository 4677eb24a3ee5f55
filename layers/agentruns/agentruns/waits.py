"""The rules of what an activity waits for besides its run: opened, answered, expired, gone on from.

Pure, as `lifecycle`. While a blocking wait is open no run is opened; the run that asked may still
send its result. An answer that comes while the run goes on is kept and taken when it ends:
`settle` alone opens the next run, whatever came first. Not here: who may ask and answer
(`actions`, `deciding`), what the next run is told (`wake`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agentruns import lifecycle
from agentruns.errors import ActivityEnded
from agentruns.event_types import EventType
from agentruns.ids import wait_id_for
from agentruns.model import (
    Activity,
    ActivityRecord,
    Change,
    EvidenceSource,
    Problem,
    Run,
)
from agentruns.problem_words import APPROVAL_REJECTED
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.transitions import end_activity, held, is_suspended, new_event, touched
from agentruns.wait import (
    LONGEST_WAIT,
    Answer,
    Decision,
    OnApprovalExpired,
    Wait,
    WaitKind,
)
from agentruns.wait_errors import AlreadyAnswered, AnswerTooLate, OwnRequest
from agentruns.wake import wake_reason

RESULT_GRACE = timedelta(minutes=15)
"""How long a run that asked for something may go on after the answer: it can only end."""

APPROVAL_EXPIRED = "approval_expired"
HUMAN_TASK_EXPIRED = "human_task_expired"

EXPIRY = "expiry"
"""Who answered where nobody did in time."""

_DECISIONS = {
    OnApprovalExpired.APPROVE: Decision.APPROVED,
    OnApprovalExpired.REJECT: Decision.REJECTED,
}

_OPENED = {
    WaitKind.BLOCKER: EventType.HUMAN_TASK_OPENED,
    WaitKind.HUMAN_TASK: EventType.HUMAN_TASK_OPENED,
    WaitKind.REVIEW: EventType.REVIEW_REQUESTED,
    WaitKind.APPROVAL: EventType.APPROVAL_REQUESTED,
    WaitKind.LINKED_APPROVAL: EventType.ACTIVITY_HELD,
    WaitKind.SUBTASK: EventType.SUBTASK_CREATED,
}
_ANSWERED = {
    WaitKind.BLOCKER: EventType.HUMAN_TASK_RESOLVED,
    WaitKind.HUMAN_TASK: EventType.HUMAN_TASK_RESOLVED,
    WaitKind.REVIEW: EventType.APPROVAL_DECIDED,
    WaitKind.APPROVAL: EventType.APPROVAL_DECIDED,
    WaitKind.LINKED_APPROVAL: EventType.APPROVAL_DECIDED,
    WaitKind.SUBTASK: EventType.SUBTASK_ENDED,
}


def new_wait(
    record: ActivityRecord, kind: WaitKind, run: Run, now: datetime, **fields: Any
) -> Wait:
    number = len(record.waits) + 1
    activity = record.activity
    return Wait(
        tenant=activity.tenant,
        activity_id=activity.activity_id,
        wait_id=wait_id_for(activity.activity_id, number),
        number=number,
        kind=kind,
        run_id=run.run_id,
        opened_at=now,
        **fields,
    )


def opened(record: ActivityRecord, wait: Wait, now: datetime) -> Change:
    """One more thing to wait for."""
    after = replace(record, waits=(*record.waits, wait))
    activity = _held_with_deadline(after, now)
    event = _event(_OPENED[wait.kind], after, wait, activity, now)
    return Change(activity=activity, events=(event,), waits=(wait,))


def decide(record: ActivityRecord, wait: Wait, answer: Answer, now: datetime) -> Change | None:
    """A person's answer. None where it is the one that stands.

    AlreadyAnswered, ActivityEnded, AnswerTooLate, OwnRequest.
    """
    if wait.requested_by == answer.answered_by:
        raise OwnRequest(wait.wait_id, wait.requested_by)
    if wait.decision is Decision.WITHDRAWN:
        raise ActivityEnded(wait.activity_id, record.activity.status)
    if wait.decision is not None:
        if _says_the_same(wait, answer):
            return None
        raise AlreadyAnswered(wait.wait_id, wait.decision, wait.decided_by or "")
    if wait.expires_at is not None and wait.expires_at <= now:
        raise AnswerTooLate(wait.wait_id, wait.expires_at.isoformat())
    change = answered(record, wait, answer, now)
    if wait.kind is not WaitKind.HUMAN_TASK:
        return change
    return _with_the_work_done(record, change, answer, now)


def _says_the_same(wait: Wait, answer: Answer) -> bool:
    """Said once more: nothing that is not kept already."""
    is_new = bool(answer.note) and answer.note != wait.note
    return (wait.decision, wait.option) == (answer.decision, answer.option) and not is_new


def answered(
    record: ActivityRecord,
    wait: Wait,
    answer: Answer,
    now: datetime,
    event_type: EventType | None = None,
) -> Change:
    """The wait has its answer. Where it was the last that held the activity, its execution is to
    be woken; the sweeper makes up for that."""
    closed = replace(
        wait,
        decision=answer.decision,
        note=answer.note or None,
        option=answer.option,
        output=answer.output,
        decided_by=answer.answered_by,
        decided_at=now,
        due_at=None,
    )
    after = _with(record, closed)
    activity = _held_with_deadline(after, now)
    runs: tuple[Run, ...] = ()
    if wait.is_blocking and not after.blocking_waits and not activity.status.is_terminal:
        activity, runs = _let_go(activity, record.current_run, wait, now)
    event = _event(event_type or _ANSWERED[wait.kind], after, closed, activity, now)
    return Change(activity=activity, runs=runs, events=(event,), waits=(closed,))


def expired(record: ActivityRecord, wait: Wait, now: datetime) -> Change | None:
    """Nobody answered in time. None where it is answered, or not due."""
    if not wait.is_open or wait.expires_at is None or wait.expires_at > now:
        return None
    policy = record.activity.on_approval_expired
    event_type = (
        EventType.APPROVAL_EXPIRED if wait.kind.is_decided else EventType.HUMAN_TASK_EXPIRED
    )
    if policy is OnApprovalExpired.ESCALATE and wait.escalated_at is None:
        return _escalated(record, wait, event_type, now)
    if wait.kind.is_decided and policy in _DECISIONS:
        answer = Answer(
            decision=_DECISIONS[policy],
            answered_by=EXPIRY,
            note="nobody decided in time",
        )
        return answered(record, wait, answer, now, event_type)
    answer = Answer(decision=Decision.EXPIRED, answered_by=EXPIRY)
    change = answered(record, wait, answer, now, event_type)
    if not wait.is_blocking or record.activity.status.is_terminal:
        return change
    code = APPROVAL_EXPIRED if wait.kind.is_decided else HUMAN_TASK_EXPIRED
    problem = Problem(code=code, message=f"nobody answered {wait.wait_id} by {wait.expires_at}")
    return _failed(record, change, EvidenceSource.DEADLINE, problem, now)


def settle(record: ActivityRecord, now: datetime) -> Change | None:
    """What a run's end means for its activity, as `lifecycle.settle`, with what it waits for."""
    activity, run = record.activity, record.current_run
    if activity.status.is_terminal or record.blocking_waits:
        return _suspended(record, now)
    refusal = refusal_of(record)
    if refusal is not None and (run.status.is_terminal or run.status is RunStatus.PENDING):
        problem = Problem(code=APPROVAL_REJECTED, message=_why_refused(refusal))
        change = Change(activity=activity)
        return _failed(record, change, EvidenceSource.HUMAN, problem, now)
    told = untold(record)
    if is_suspended(record, run) and any(wait.is_blocking for wait in told):
        return _resumed(record, told, now)
    change_of_run = lifecycle.settle(record, now)
    return None if change_of_run is None else _telling(record, change_of_run, told)


def refusal_of(record: ActivityRecord) -> Wait | None:
    """Another activity's approval, for which this one waited and which was not given."""
    for wait in untold(record):
        if wait.kind is WaitKind.LINKED_APPROVAL and wait.decision is not Decision.APPROVED:
            return wait
    return None


def is_parked(record: ActivityRecord) -> bool:
    """Nothing is to be done until what it waits for is answered."""
    run = record.current_run
    if not record.blocking_waits:
        return False
    if run.status is RunStatus.PENDING:
        return True
    return run.status.is_terminal and record.activity.deadline_at == _deadline(record)


def untold(record: ActivityRecord) -> tuple[Wait, ...]:
    """Answered since the last run was opened."""
    return tuple(wait for wait in record.waits if not wait.is_open and wait.told_in is None)


def _held_with_deadline(after: ActivityRecord, now: datetime) -> Activity:
    activity = held(after.activity, after.blocking_waits, now)
    deadline_at = None if activity.status.is_terminal else _deadline(after)
    return activity if deadline_at is None else replace(activity, deadline_at=deadline_at)


def _deadline(record: ActivityRecord) -> datetime | None:
    """While it only waits, its time does not run. None while a run goes on, or nothing is open."""
    run = record.current_run
    if run.status is not RunStatus.PENDING and not run.status.is_terminal:
        return None
    return max((wait.holds_until for wait in record.blocking_waits), default=None)


def _let_go(
    activity: Activity, run: Run, wait: Wait, now: datetime
) -> tuple[Activity, tuple[Run, ...]]:
    """Nothing holds it any more: its time runs again."""
    if run.status is RunStatus.PENDING or run.status.is_terminal:
        run = replace(run, due_at=now + lifecycle.EXECUTION_GRACE)
        return replace(activity, deadline_at=now + activity.timeout), (run,)
    if wait.run_id != run.run_id or wait.kind is WaitKind.LINKED_APPROVAL:
        return activity, ()
    deadline_at = min(activity.deadline_at, now + RESULT_GRACE)
    due_at = deadline_at if run.due_at is None else min(run.due_at, deadline_at)
    return replace(activity, deadline_at=deadline_at), (replace(run, due_at=due_at),)


def _escalated(record: ActivityRecord, wait: Wait, event_type: EventType, now: datetime) -> Change:
    expires_at = now + LONGEST_WAIT
    wait = replace(wait, escalated_at=now, expires_at=expires_at, due_at=expires_at)
    after = _with(record, wait)
    activity = _held_with_deadline(after, now)
    event = _event(event_type, after, wait, activity, now)
    return Change(activity=activity, events=(event,), waits=(wait,))


def _with_the_work_done(
    record: ActivityRecord, change: Change, answer: Answer, now: datetime
) -> Change:
    """A person did the work: its run is completed."""
    after = replace(record, activity=change.activity)
    ending = lifecycle.end_run(
        after,
        record.current_run,
        RunStatus.COMPLETED,
        EvidenceSource.HUMAN,
        now,
        output={"text": answer.note},
    )
    return replace(ending, events=change.events + ending.events, waits=change.waits)


def _failed(
    record: ActivityRecord, change: Change, source: EvidenceSource, problem: Problem, now: datetime
) -> Change:
    """The activity ends badly, after `change`, and its run with it."""
    waits = {wait.wait_id: wait for wait in (*record.waits, *change.waits)}
    after = replace(record, activity=change.activity, waits=tuple(waits.values()))
    run, events = record.current_run, change.events
    if not run.status.is_terminal:
        ending = lifecycle.end_run(after, run, RunStatus.FAILED, source, now, problem=problem)
        run, events = ending.runs[0], events + ending.events
    ended = end_activity(after, run, ActivityStatus.FAILED, now, problem)
    return replace(ended, events=events + ended.events, waits=change.waits + ended.waits)


def _suspended(record: ActivityRecord, now: datetime) -> Change | None:
    """The run has ended, or its start is unknown, and it waits."""
    activity, run = record.activity, record.current_run
    if activity.status.is_terminal or not run.status.is_terminal:
        return lifecycle.settle(record, now)
    deadline_at = _deadline(record)
    if deadline_at is None or activity.deadline_at == deadline_at:
        return None
    return Change(
        activity=replace(touched(activity, now), deadline_at=deadline_at),
        runs=(replace(run, due_at=None),),
    )


def _resumed(record: ActivityRecord, told: tuple[Wait, ...], now: datetime) -> Change:
    """The next run, which is told of the answers."""
    activity, run, reason = record.activity, record.current_run, wake_reason(told)
    activity = replace(
        touched(activity, now),
        attempt=activity.attempt + 1,
        deadline_at=now + activity.timeout,
    )
    following = lifecycle.next_run(activity, activity.attempt, now, timedelta(0), reason)
    detail = {"next_run_id": following.run_id, "wake_reason": reason.value}
    return Change(
        activity=activity,
        runs=(replace(run, due_at=None, callback_token=None), following),
        events=(new_event(EventType.RUN_RESUMED, run, now, detail),),
        waits=_told_in(told, following),
    )


def _telling(record: ActivityRecord, change: Change, told: tuple[Wait, ...]) -> Change:
    """Where the retry policy opens another run, it is told of the answers too."""
    following = change.runs[-1] if change.runs else None
    if following is None or following.attempt <= record.current_run.attempt or not told:
        return change
    if any(wait.is_blocking for wait in told):
        following = replace(following, wake_reason=wake_reason(told))
    runs = (*change.runs[:-1], following)
    return replace(change, runs=runs, waits=(*change.waits, *_told_in(told, following)))


def _told_in(told: tuple[Wait, ...], run: Run) -> tuple[Wait, ...]:
    return tuple(replace(wait, told_in=run.run_id) for wait in told)


def _with(record: ActivityRecord, wait: Wait) -> ActivityRecord:
    waits = (wait if each.wait_id == wait.wait_id else each for each in record.waits)
    return replace(record, waits=tuple(waits))


def _why_refused(wait: Wait) -> str:
    said = f": {wait.note}" if wait.note else ""
    return f"the approval {wait.approval_id} was not given, it is {wait.decision}{said}"


def _event(
    event_type: EventType, after: ActivityRecord, wait: Wait, activity: Activity, now: datetime
) -> Any:
    """Ids, words and times; not what people wrote."""
    detail: dict[str, Any] = {
        "wait_id": wait.wait_id,
        "kind": wait.kind.value,
        "title": wait.title,
        "status": activity.status.value,
        "is_blocking": wait.is_blocking,
    }
    optional = {
        "blocker_type": wait.blocker_type,
        "approval_type": wait.approval_type,
        "risk_level": wait.risk_level,
        "decision": wait.decision,
        "option": wait.option,
        "answered_by": wait.decided_by,
        "requested_by": wait.requested_by,
        "expires_at": wait.expires_at.isoformat() if wait.expires_at else None,
        "escalated": True if wait.escalated_at == now else None,
        "linked_activity_ids": list(wait.linked_activity_ids),
        "approval_id": wait.approval_id,
        "subtask_activity_id": wait.subtask_activity_id,
        "user_id": wait.user_id,
    }
    detail |= {name: value for name, value in optional.items() if value}
    return new_event(event_type, after.current_run, now, detail)
