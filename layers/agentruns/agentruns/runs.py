"""Opening, parking and settling runs: the workers every adapter shares."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentruns import lifecycle, starts, telemetry, waits
from agentruns.error_names import error_code, permanent_error_names, refusal_names
from agentruns.model import (
    ActivityRecord,
    Admission,
    Change,
    EvidenceSource,
    Problem,
    Run,
    Trigger,
)
from agentruns.parking import CountLooks, parked
from agentruns.polling import PARK_FROM_SECONDS, PollPolicy, plan_next_start
from agentruns.routing import route, seconds_until, step, tells_itself
from agentruns.statuses import RunStatus
from agentruns.steps import NextStep, RunTask, Step
from agentruns.transact import transact

if TYPE_CHECKING:
    from agentruns.activities import AcceptActivity
    from agentruns.admitting import AdmitActivities
    from agentruns.learning import LearnDurations
    from agentruns.ports import ActivityStore, Clock, ScheduleStore
    from agentruns.waking import WakeExecution

_CUT_MESSAGE = re.compile(r'"errorMessage":\s*("(?:[^"\\]|\\.)*")')
"""The message in a cause whose end, a long stack trace, the state machine has cut off."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """Take an activity for this execution and say where its current run stands.

    Also where a schedule comes in: EventBridge Scheduler starts the state machine itself, so the
    activity is stored here, under the schedule's occurrence.
    """

    activities: ActivityStore
    schedules: ScheduleStore
    accept_activity: AcceptActivity
    admit_activities: AdmitActivities
    clock: Clock
    policy: PollPolicy

    def __call__(self, event: Mapping[str, Any]) -> Step:
        """`event`: `{tenant, activity_id, generation, execution_arn}` or
        `{tenant, schedule, occurrence, execution_arn}`. ActivityNotFound; ScheduleNotFound; what
        AcceptActivity refuses."""
        tenant, execution_arn = str(event["tenant"]), str(event["execution_arn"])
        if "schedule" in event:
            generation = 1
            activity_id = self._accept_scheduled(tenant, event, execution_arn)
        else:
            generation = int(event["generation"])
            activity_id = str(event["activity_id"])
        is_ours = True

        def decide(record: ActivityRecord) -> Change | None:
            nonlocal is_ours
            activity = record.activity
            holder = activity.execution_arn or execution_arn
            is_ours = activity.generation == generation and holder == execution_arn
            if not is_ours or activity.status.is_terminal:
                return None
            return lifecycle.begin_activity(record, execution_arn, self.clock())

        record = transact(self.activities, tenant, activity_id, decide)
        if not is_ours:
            return step(record, NextStep.END_DUPLICATE)
        if record.activity.admission is Admission.WAITING:
            self.admit_activities(tenant, record.activity.adapter.connection)
            record = self.activities.read(tenant, activity_id)
        return route(record, self.clock(), self.policy)

    def _accept_scheduled(self, tenant: str, event: Mapping[str, Any], execution_arn: str) -> str:
        schedule = self.schedules.get(tenant, str(event["schedule"]))
        accepted = self.accept_activity(
            tenant,
            schedule.request,
            trigger=Trigger.SCHEDULE,
            idempotency_key=f"{schedule.name}:{event['occurrence']}",
            execution_arn=execution_arn,
        )
        return accepted.activity_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkRun:
    """Leave the execution waiting on its callback token and the run to the sweeper.

    Where the run moved on before the token was stored, the execution is woken at once, so both
    orders end well.
    """

    activities: ActivityStore
    wake_execution: WakeExecution
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask, callback_token: str) -> None:
        now = self.clock()

        def decide(record: ActivityRecord) -> Run | None:
            if route(record, now, self.policy).next_step is not NextStep.PARK:
                return None
            activity = record.activity
            run = replace(record.current_run, callback_token=callback_token)
            is_queued = activity.admission is Admission.WAITING
            if waits.is_parked(record) and not is_queued:
                return replace(run, due_at=None)  # its waits are due by themselves
            if not run.status.is_followed:
                return replace(run, due_at=run.next_check_at or activity.deadline_at)
            if run.next_check_at is None and tells_itself(activity):
                return replace(run, due_at=activity.deadline_at)
            return parked(activity, run, run.next_check_at or now, now, self.policy)

        record = transact(self.activities, task.tenant, task.activity_id, decide)
        self.wake_execution(record, callback_token, forgets_token=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRun:
    """Decide what a run's end, or a worker's error, means for its activity."""

    activities: ActivityStore
    learning: LearnDurations
    admit_activities: AdmitActivities
    count_looks: CountLooks
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask, error: str = "", cause: str = "") -> Step:
        """`error`, `cause`: Step Functions' words, where a worker failed for good."""
        if error:
            self._store_failure(task, error, cause)
        now = self.clock()
        before = self.activities.read(task.tenant, task.activity_id)
        record = transact(
            self.activities,
            task.tenant,
            task.activity_id,
            lambda seen: waits.settle(seen, now),
        )
        activity = record.activity
        for run in record.runs:
            if run.run_id == task.run_id:
                self.learning.count(activity, run)
        if activity.status.is_terminal and not before.activity.status.is_terminal:
            telemetry.count("ActivitiesEnded", status=activity.status.value)
        if activity.admission is Admission.LEFT:
            self.admit_activities(activity.tenant, activity.adapter.connection)
        if record.current_run.attempt > before.current_run.attempt:
            wait_seconds = seconds_until(record.current_run.next_check_at, now)
            return step(record, NextStep.RETRY, wait_seconds=wait_seconds)
        return route(record, now, self.policy)

    def _store_failure(self, task: RunTask, error: str, cause: str) -> None:
        """A permanent error ends the run. Any other leaves it open: it is tried again, later and
        more slowly, until it works or the deadline passes."""
        problem = Problem(code=error_code(error), message=_message_in(cause) or error)
        is_permanent = error in permanent_error_names()
        logger.warning("worker_failed", extra={"error": error, "is_permanent": is_permanent})

        def decide(seen: ActivityRecord) -> Change | Run | None:
            record = self.count_looks(seen)
            run, now = record.current_run, self.clock()
            if run.run_id != task.run_id:
                return None  # a repetition, after the next run was opened
            if record.activity.status.is_terminal or run.status.is_terminal:
                return None
            if run.status is RunStatus.DISPATCHING and error not in refusal_names():
                return starts.start_unknown(record, problem, now)
            if is_permanent:
                was_refused = run.status is RunStatus.DISPATCHING
                source = EvidenceSource.START if was_refused else EvidenceSource.WORKFLOW
                return lifecycle.end_run(
                    record, run, RunStatus.FAILED, source, now, problem=problem
                )
            failed = replace(run, last_problem=problem, failed_checks=run.failed_checks + 1)
            if now >= record.activity.deadline_at:
                return lifecycle.end_at_deadline(record, failed, now)
            return _later(record, failed, now)

        transact(self.activities, task.tenant, task.activity_id, decide)


def _later(record: ActivityRecord, run: Run, now: datetime) -> Run | None:
    if run.status is RunStatus.START_UNKNOWN:
        return None  # it waits for a person; why it does is not to be overwritten
    wait_seconds = plan_next_start(
        age_seconds=(now - run.created_at).total_seconds(),
        deadline_in_seconds=(record.activity.deadline_at - now).total_seconds(),
    )
    next_at = now + timedelta(seconds=wait_seconds)
    return replace(
        run,
        next_check_at=next_at,
        is_swept_next=run.is_swept_next or wait_seconds >= PARK_FROM_SECONDS,
        due_at=next_at + lifecycle.EXECUTION_GRACE,
    )


def _message_in(cause: str) -> str:
    """The exception's message in the JSON that Lambda puts into a failure's cause."""
    try:
        document = json.loads(cause)
    except ValueError:
        found = _CUT_MESSAGE.search(cause)
        return str(json.loads(found[1]))[:500] if found else cause[:500]
    if not isinstance(document, dict):
        return cause[:500]
    return str(document.get("errorMessage", ""))[:500]
