"""The rules of a run's start: sent, taken, not taken, or nobody knows.

Pure, as `lifecycle`. Not here: sending it (`dispatching`), how a run goes on and ends.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agentruns import lifecycle
from agentruns.event_types import EventType
from agentruns.model import (
    ActivityRecord,
    Change,
    EvidenceSource,
    Problem,
    Run,
    StartAccepted,
)
from agentruns.statuses import RunStatus
from agentruns.transitions import (
    new_event,
    remote_ids,
    resumed,
    run_changed,
    run_in_status,
    touched,
    unblocked,
    why,
)


def begin_dispatch(record: ActivityRecord, dispatch_id: str, now: datetime) -> Change:
    """Before the start is sent: from here on only its answer tells whether it was taken."""
    run = replace(
        record.current_run,
        dispatch_id=dispatch_id,
        next_check_at=None,
        due_at=now + lifecycle.EXECUTION_GRACE,
    )
    return run_changed(record, run, RunStatus.DISPATCHING, now)


def start_not_taken(
    record: ActivityRecord, problem: Problem, retry_at: datetime, now: datetime
) -> Change:
    """The provider provably did not take it: back to pending."""
    run = replace(
        record.current_run,
        dispatch_id=None,
        last_problem=problem,
        failed_checks=record.current_run.failed_checks + 1,
        next_check_at=retry_at,
        due_at=retry_at + lifecycle.EXECUTION_GRACE,
    )
    return run_changed(record, run, RunStatus.PENDING, now, problem)


def start_accepted(
    record: ActivityRecord, run: Run, accepted: StartAccepted, now: datetime
) -> Change:
    """The provider has it. A run that was ended meanwhile keeps its status and gains the ids."""
    run = replace(
        run,
        started_at=now,
        remote_id=accepted.remote_id,
        provider_request_id=accepted.request_id,
        provider_run_id=accepted.provider_run_id,
        row_count=accepted.row_count,
    )
    ids = remote_ids(record.activity, accepted.remote_id) | {
        "provider_request_id": accepted.request_id,
        "provider_run_id": accepted.provider_run_id,
    }
    activity = touched(record.activity, now)
    if not run.status.is_terminal:
        run = replace(
            run, last_problem=None, failed_checks=0, due_at=now + lifecycle.EXECUTION_GRACE
        )
        run = run_in_status(run, RunStatus.RUNNING, now)
        activity = unblocked(record, now)
    started = new_event(EventType.RUN_STARTED, run, now, {"status": run.status.value} | ids)
    return Change(
        activity=activity, runs=(run,), events=(started, *resumed(record.activity, run, activity))
    )


def start_unknown(record: ActivityRecord, problem: Problem, now: datetime) -> Change:
    """Sent, and no trustworthy answer: never sent again by itself."""
    run = run_in_status(
        replace(record.current_run, last_problem=problem, due_at=now + lifecycle.EXECUTION_GRACE),
        RunStatus.START_UNKNOWN,
        now,
    )
    return Change(
        activity=touched(record.activity, now),
        runs=(run,),
        events=(new_event(EventType.RUN_START_UNKNOWN, run, now, why(problem)),),
    )


def bind_start(
    record: ActivityRecord, remote_id: str, source: EvidenceSource, now: datetime
) -> Change:
    """A person, or the provider, said what a start became: it is followed from here on."""
    run = replace(
        record.current_run,
        started_at=record.current_run.status_since,
        remote_id=remote_id,
        last_problem=None,
        next_check_at=now,
        is_swept_next=False,
        due_at=now + lifecycle.EXECUTION_GRACE,
    )
    run = run_in_status(run, RunStatus.RUNNING, now)
    detail = {"status": run.status.value, "source": source.value}
    detail |= remote_ids(record.activity, remote_id)
    activity = unblocked(record, now)
    started = new_event(EventType.RUN_STARTED, run, now, detail)
    return Change(
        activity=activity, runs=(run,), events=(started, *resumed(record.activity, run, activity))
    )


def declare_not_started(record: ActivityRecord, now: datetime) -> Change:
    """A person looked: nothing was started. The run ends and another one, which the retry policy
    does not count, is opened."""
    problem = Problem(
        code=lifecycle.NOT_STARTED, message="an operator found that nothing was started"
    )
    run = record.current_run
    ending = lifecycle.end_run(
        record, run, RunStatus.FAILED, EvidenceSource.HUMAN, now, problem=problem
    )
    activity = record.activity
    one_more = replace(activity.retry, max_attempts=activity.retry.max_attempts + 1)
    activity = replace(unblocked(record, now), retry=one_more)
    following = lifecycle.retry(
        replace(record, activity=activity), ending.runs[0], now, problem, timedelta(0)
    )
    ended, opened_run = following.runs
    return replace(
        following,
        # The execution is parked until somebody wakes it, now for the sake of the next run.
        runs=(ended, replace(opened_run, callback_token=run.callback_token)),
        events=ending.events + resumed(record.activity, run, activity) + following.events,
    )
