"""The rules of the run model: from what is stored and what happened to the change to store.

Pure functions over immutable values, the only writers of statuses. Each returns a `Change` whose
events tell the same story. Not here: the start of a run (`starts`); reading, writing, calling
anybody.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agentruns.event_types import EventType
from agentruns.ids import run_id_for
from agentruns.model import (
    Activity,
    ActivityRecord,
    Admission,
    Change,
    Evidence,
    EvidenceSource,
    NewEvent,
    Observation,
    OnStartUnknown,
    Problem,
    Run,
    WakeReason,
)
from agentruns.polling import plan_next_visit
from agentruns.problem_words import AGENT_FAILED, CANCELLED
from agentruns.run_outputs import keep_output
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.transitions import (
    about,
    backoff_of,
    end_activity,
    has_failed,
    in_status,
    new_event,
    run_changed,
    run_in_status,
    started,
    touched,
    why,
)

EXECUTION_GRACE = timedelta(seconds=120)
"""How long an execution may be late before the sweeper looks whether it is still there."""

UPSTREAM_FAILED = "upstream_failed"
UPSTREAM_ABORTED = "upstream_aborted"
DEADLINE_PASSED = "deadline_passed"
NOT_STARTED = "not_started"

RETRYABLE_CODES = frozenset({UPSTREAM_FAILED, AGENT_FAILED})
"""A further run may end otherwise after these; after a refusal it cannot."""


def first_run(activity: Activity) -> Run:
    waits = activity.admission is Admission.WAITING
    wait = timedelta(seconds=plan_next_visit(0.0)) if waits else timedelta(0)
    return next_run(activity, activity.attempt, activity.created_at, wait, activity.first_reason)


def opened(activity: Activity, run: Run) -> NewEvent:
    return NewEvent(
        type=EventType.ACTIVITY_OPENED,
        at=activity.created_at,
        run_id=run.run_id,
        detail=about(activity) | {"trigger": activity.trigger.value},
    )


def begin_activity(record: ActivityRecord, execution_arn: str, now: datetime) -> Change | None:
    """The execution takes the activity. None where it has it already."""
    activity = record.activity
    if activity.execution_arn == execution_arn and activity.status is not ActivityStatus.QUEUED:
        return None
    is_taken = activity.execution_arn == execution_arn
    activity = replace(activity, execution_arn=execution_arn, updated_at=now)
    if activity.admission is Admission.WAITING:
        return None if is_taken else Change(activity=activity)
    if activity.status is not ActivityStatus.QUEUED:
        return Change(activity=activity)
    activity, event = started(replace(record, activity=activity), now)
    return Change(activity=activity, events=(event,))


def status_observed(
    record: ActivityRecord, run: Run, seen: Observation, source: EvidenceSource, now: datetime
) -> Change | Run:
    """What the provider told of a run that goes on. A Run where only the bookkeeping is new.

    `run` is the record's current run with the look already booked.
    """
    run = replace(
        run,
        provider_status=seen.provider_status,
        reference_id=seen.reference_id or run.reference_id,
        initiated_at=seen.initiated_at or run.initiated_at,
        completed_at=seen.completed_at or run.completed_at,
        row_count=run.row_count if seen.row_count is None else seen.row_count,
    )
    if seen.status is None or seen.status is run.status:
        return run
    if seen.status.is_terminal:
        return end_run(
            record, run, seen.status, source, now, problem=seen.problem, output=seen.output
        )
    return run_changed(record, run, seen.status, now)


def end_run(
    record: ActivityRecord,
    run: Run,
    status: RunStatus,
    source: EvidenceSource,
    now: datetime,
    *,
    problem: Problem | None = None,
    output: Any = None,
) -> Change:
    """Evidence of an end. The first wins; a later one is kept and, where it differs, flagged.

    A parked run keeps its callback token: whoever has not woken the execution yet still can.
    """
    decided = not run.status.is_terminal
    kept = keep_output(run, output)
    evidence = Evidence(
        source=source, status=status, observed_at=now, decided=decided, output=kept.late_ref
    )
    ended = replace(run, evidence=(*run.evidence, evidence))
    detail: dict[str, Any] = {"status": status.value, "source": source.value, "polls": run.polls}
    detail |= why(problem)
    if not decided:
        contradicts = {"contradicts": run.status.value} if status is not run.status else {}
        event = new_event(EventType.RUN_CONTRADICTED, ended, now, detail | contradicts)
        events = (event,) if contradicts else ()
        activity = touched(record.activity, now)
        return Change(activity=activity, runs=(ended,), events=events, outputs=kept.to_store)
    ended = replace(
        run_in_status(ended, status, now),
        ended_at=now,
        error=problem,
        output=kept.in_row,
        output_ref=kept.large_ref,
        next_check_at=None,
        due_at=now + EXECUTION_GRACE,  # until it is settled
    )
    event_type = EventType.RUN_COMPLETED if status is RunStatus.COMPLETED else EventType.RUN_FAILED
    return Change(
        activity=touched(record.activity, now),
        runs=(ended,),
        events=(new_event(event_type, ended, now, detail),),
        outputs=kept.to_store,
    )


def end_at_deadline(record: ActivityRecord, run: Run, now: datetime) -> Change:
    """The run's time is up. What it last suffered from is said."""
    seconds = (record.activity.deadline_at - record.activity.created_at).total_seconds()
    message = f"not ended {seconds:.0f} s after the activity was opened"
    if run.last_problem is not None:
        message += f"; last problem: {run.last_problem.message}"
    return end_run(
        record,
        run,
        RunStatus.TIMEOUT,
        EvidenceSource.DEADLINE,
        now,
        problem=Problem(code=DEADLINE_PASSED, message=message),
    )


def settle(record: ActivityRecord, now: datetime) -> Change | None:
    """What a run's end means for its activity: its end, another run, or waiting for a person.

    None where there is nothing to settle: the activity has ended, is blocked already, or its run
    goes on.
    """
    activity, run = record.activity, record.current_run
    if activity.status.is_terminal:
        return None
    if run.status is RunStatus.COMPLETED:
        return end_activity(record, run, ActivityStatus.DONE, now, None)
    if run.status is RunStatus.START_UNKNOWN:
        return _settle_start_unknown(record, now)
    if not run.status.is_terminal:
        return None
    problem = run.error or Problem(code=run.status.value, message=f"the run ended {run.status}")
    if problem.code in RETRYABLE_CODES and _mayretry(record, now):
        return retry(record, run, now, problem, backoff_of(activity))
    return end_activity(record, run, ActivityStatus.FAILED, now, problem)


def replace_execution(record: ActivityRecord, now: datetime) -> Change:
    """The execution is gone: the next generation goes on from the row."""
    activity = record.activity
    run = replace(record.current_run, callback_token=None, due_at=now + EXECUTION_GRACE)
    generation = activity.generation + 1
    return Change(
        activity=replace(touched(activity, now), generation=generation, execution_arn=None),
        runs=(run,),
        events=(
            new_event(
                EventType.ACTIVITY_RESUMED,
                run,
                now,
                {"status": activity.status.value, "generation": generation},
            ),
        ),
    )


def cancel(record: ActivityRecord, reason: str, now: datetime, source: EvidenceSource) -> Change:
    """A person ends it, or its parent's end does. InvalidTransition where it has ended."""
    run = record.current_run
    problem = Problem(code=CANCELLED, message=reason or "cancelled by an operator")
    ending = Change(activity=record.activity)
    if not run.status.is_terminal:
        ending = end_run(record, run, RunStatus.ABORTED, source, now, problem=problem)
        run = ending.runs[0]
    ended = end_activity(record, run, ActivityStatus.CANCELLED, now, problem)
    return replace(ended, events=ending.events + ended.events)


def _settle_start_unknown(record: ActivityRecord, now: datetime) -> Change | None:
    activity, run = record.activity, record.current_run
    problem = run.last_problem or Problem(code="start_unknown", message="no trustworthy answer")
    if activity.on_start_unknown is OnStartUnknown.HOLD:
        if activity.status is ActivityStatus.BLOCKED:
            return None
        return Change(
            activity=in_status(activity, ActivityStatus.BLOCKED, now),
            events=(new_event(EventType.ACTIVITY_BLOCKED, run, now, why(problem)),),
        )
    failing = end_run(record, run, RunStatus.FAILED, EvidenceSource.START, now, problem=problem)
    ended = failing.runs[0]
    if activity.on_start_unknown is OnStartUnknown.RETRY and _mayretry(record, now):
        settled = retry(record, ended, now, problem, backoff_of(activity))
    else:
        settled = end_activity(record, ended, ActivityStatus.FAILED, now, problem)
    return replace(settled, events=failing.events + settled.events)


def _mayretry(record: ActivityRecord, now: datetime) -> bool:
    """The policy counts the runs that failed, not those that ended to wait for an answer."""
    activity = record.activity
    attempts = 1 + sum(has_failed(record, run) for run in record.runs[:-1])
    next_start = now + backoff_of(activity)
    return attempts < activity.retry.max_attempts and next_start < activity.deadline_at


def retry(
    record: ActivityRecord, run: Run, now: datetime, problem: Problem, backoff: timedelta
) -> Change:
    """Another run follows the one that failed."""
    activity = record.activity
    following = next_run(activity, activity.attempt + 1, now, backoff, WakeReason.RETRY)
    detail = {"next_run_id": following.run_id, "at": (now + backoff).isoformat()} | why(problem)
    return Change(
        activity=replace(touched(activity, now), attempt=activity.attempt + 1),
        runs=(replace(run, due_at=None, callback_token=None), following),
        events=(new_event(EventType.RUN_RETRIED, run, now, detail),),
    )


def next_run(
    activity: Activity, attempt: int, now: datetime, wait: timedelta, reason: WakeReason
) -> Run:
    return Run(
        tenant=activity.tenant,
        activity_id=activity.activity_id,
        run_id=run_id_for(activity.activity_id, attempt),
        attempt=attempt,
        status=RunStatus.PENDING,
        wake_reason=reason,
        created_at=now,
        status_since=now,
        next_check_at=now + wait if wait else None,
        due_at=now + wait + EXECUTION_GRACE,
    )
