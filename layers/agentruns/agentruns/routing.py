"""Where an execution goes from what is stored: the one place that reads a record as a next step.

Every worker ends with it, so a repeated, late or resumed worker goes where the row says, not where
its caller thought. Not here: changing anything.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

from agentruns import lifecycle, waits
from agentruns.durations import NO_HISTORY
from agentruns.model import Activity, ActivityRecord, Admission, OnStartUnknown, Problem, Run
from agentruns.parking import age_counts_from, parked
from agentruns.polling import (
    PlannedCheck,
    PollPolicy,
    first_offset_seconds,
    longest_park,
    plan_next_check,
)
from agentruns.providers import LEENA
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.steps import NextStep, Step

_ENDS = {
    ActivityStatus.DONE: NextStep.END_DONE,
    ActivityStatus.FAILED: NextStep.END_FAILED,
    ActivityStatus.CANCELLED: NextStep.END_CANCELLED,
    ActivityStatus.REASSIGNED: NextStep.END_CANCELLED,
}


def route(record: ActivityRecord, now: datetime, policy: PollPolicy) -> Step:
    """The next step of the activity's execution."""
    activity, run = record.activity, record.current_run
    if activity.status.is_terminal:
        return step(record, _ENDS[activity.status], problem=activity.error)
    if run.status is RunStatus.PENDING and activity.admission is Admission.WAITING:
        return _park(record, now)
    if waits.is_parked(record):
        return _park(record, now)
    if run.status is RunStatus.PENDING and waits.refusal_of(record) is not None:
        return step(record, NextStep.SETTLE)
    if run.status in {RunStatus.PENDING, RunStatus.DISPATCHING}:
        return step(record, NextStep.START, wait_seconds=seconds_until(run.next_check_at, now))
    if run.status.is_followed:
        return _follow(record, now, policy)
    waits_for_a_person = activity.on_start_unknown is OnStartUnknown.HOLD
    is_settled = activity.status is ActivityStatus.BLOCKED and waits_for_a_person
    if run.status is RunStatus.START_UNKNOWN and is_settled:
        return _park(record, now)
    return step(record, NextStep.SETTLE)


def plan_for(
    activity: Activity,
    run: Run,
    now: datetime,
    policy: PollPolicy,
    retry_after_seconds: float | None = None,
) -> PlannedCheck:
    """The planner's answer for a followed run as it is stored."""
    policy = activity.detection.applied_to(policy)
    tells = tells_itself(activity)
    return plan_next_check(
        # looks that only make up for a lost webhook are as rare as those at a pause
        status=RunStatus.PAUSED if tells else run.status,
        age_seconds=(now - age_counts_from(run)).total_seconds(),
        deadline_in_seconds=(activity.deadline_at - now).total_seconds(),
        policy=policy,
        polls=run.polls,
        offset_seconds=0.0 if run.polls else first_offset_seconds(run.run_id, policy),
        failed_checks=run.failed_checks,
        retry_after_seconds=retry_after_seconds,
        history=NO_HISTORY if tells else activity.durations,
    )


def planned(
    activity: Activity,
    run: Run,
    now: datetime,
    policy: PollPolicy,
    retry_after_seconds: float | None = None,
) -> Run:
    """The run with its next check written down, and when the sweeper has to look."""
    plan = plan_for(activity, run, now, policy, retry_after_seconds)
    next_check_at = now + timedelta(seconds=plan.wait_seconds)
    is_swept_next = plan.park or tells_itself(activity)
    if is_swept_next and run.callback_token is not None:
        return parked(activity, run, next_check_at, now, policy)
    return replace(
        run,
        next_check_at=next_check_at,
        is_swept_next=is_swept_next,
        due_at=next_check_at + lifecycle.EXECUTION_GRACE,
    )


def tells_itself(activity: Activity) -> bool:
    """Whether we are called when a run has ended: nobody waits for it in the loop."""
    return activity.adapter.provider != LEENA


def step(
    record: ActivityRecord,
    next_step: NextStep,
    *,
    wait_seconds: int = 0,
    park_seconds: int = 0,
    problem: Problem | None = None,
) -> Step:
    activity, run = record.activity, record.current_run
    return Step(
        tenant=activity.tenant,
        activity_id=activity.activity_id,
        run_id=run.run_id,
        adapter=activity.adapter.type,
        run_status=run.status,
        activity_status=activity.status,
        next_step=next_step,
        wait_seconds=wait_seconds,
        park_seconds=park_seconds,
        problem=problem,
    )


def _follow(record: ActivityRecord, now: datetime, policy: PollPolicy) -> Step:
    """Where the run's plan leads, as it was written down with the last look."""
    run = record.current_run
    if tells_itself(record.activity):
        return _park(record, now)
    if run.next_check_at is None:
        plan = plan_for(record.activity, run, now, policy)
        wait_seconds, is_swept_next = plan.wait_seconds, plan.park
    else:
        wait_seconds, is_swept_next = seconds_until(run.next_check_at, now), run.is_swept_next
    if is_swept_next:
        return _park(record, now)
    return step(record, NextStep.CHECK, wait_seconds=wait_seconds)


def _park(record: ActivityRecord, now: datetime) -> Step:
    activity = record.activity
    seconds = longest_park(
        age_seconds=(now - activity.created_at).total_seconds(),
        deadline_in_seconds=(activity.deadline_at - now).total_seconds(),
    )
    return step(record, NextStep.PARK, park_seconds=seconds)


def seconds_until(at: datetime | None, now: datetime) -> int:
    """Whole seconds, rounded up; 0 where it has come."""
    return max(0, math.ceil((at - now).total_seconds())) if at else 0
