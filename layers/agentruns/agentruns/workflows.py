"""Running a workflow of Leap: start it, and ask how it goes where the dialect lets us.

A run's end comes by webhook (`hooks`); looks only make up for a lost one. Retries: anything that
could not be recorded is raised, and the state machine's Retry owns it. Not here: what every start
(`dispatching`) and every look (`checking`) share, HTTP (`adapters.leap`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from agentruns import evidence, lifecycle
from agentruns.bulk_runs import InputCsv, require_bulk_runs
from agentruns.dispatching import Dispatch
from agentruns.errors import AgentrunsError, StartUnknown, TransientError, UpstreamUnavailable
from agentruns.model import (
    Activity,
    ActivityInput,
    ActivityRecord,
    Change,
    Observation,
    Problem,
    Run,
    StartAccepted,
)
from agentruns.providers import LeapConnection, require_leap
from agentruns.refusals import ApiKeyRejected, WorkflowRunNotFound
from agentruns.routing import planned, route
from agentruns.statuses import RunStatus

if TYPE_CHECKING:
    from agentruns.api_keys import StoredApiKeys
    from agentruns.hook_urls import HookUrls
    from agentruns.polling import PollPolicy
    from agentruns.ports import ActivityStore, Clock, ConnectionStore
    from agentruns.provider_ports import LeapApi, WorkflowRun
    from agentruns.steps import RunTask, Step

WORKFLOW_STATUSES: Mapping[str, RunStatus] = {
    "queued": RunStatus.RUNNING,
    "running": RunStatus.RUNNING,
    "completed": RunStatus.COMPLETED,
    "failed": RunStatus.FAILED,
    "cancelled": RunStatus.ABORTED,
}
"""Leap's words and ours. A word that is not here keeps the run as it is."""

MESSAGE_INPUT = "message"
"""The input that an activity's message becomes, unless its context has one of that name."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLeapWorkflow:
    """Start the workflow of a pending run: at most once, whatever dies on the way.

    All that can fail without the provider is done before the row says `dispatching`.
    """

    activities: ActivityStore
    connections: ConnectionStore
    api_keys: StoredApiKeys
    hook_urls: HookUrls
    leap: LeapApi
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """Raises the provider's refusals (UpstreamRejected), and InvalidRequest for a bulk run over
        a connection that has none by now; the run is then settled as failed."""
        dispatch = Dispatch(activities=self.activities, clock=self.clock)
        record = self.activities.read(task.tenant, task.activity_id)
        if record.current_run.status is not RunStatus.PENDING:
            record, _ = dispatch.claim(task)  # what was sent must not be taken for refused
            return route(record, self.clock(), self.policy)
        name = record.activity.adapter.connection
        connection = require_leap(self.connections.get(task.tenant, name))
        if record.activity.is_bulk:
            require_bulk_runs(connection)
        activity_input = self.activities.read_input(task.tenant, task.activity_id)
        api_key = self.api_keys.get(connection)
        webhook_url = self.hook_urls.url_of(task.tenant, record.current_run.run_id)
        record, is_ours = dispatch.claim(task)
        if is_ours:
            start = partial(
                self.leap.start,
                connection,
                api_key,
                workflow_id=record.activity.adapter.work_id,
                webhook_url=webhook_url,
                inputs=inputs_of(activity_input),
            )
            record = self._start(dispatch, record, start, connection.dialect.can_be_asked)
        return route(record, self.clock(), self.policy)

    def _start(
        self,
        dispatch: Dispatch,
        record: ActivityRecord,
        start: partial[WorkflowRun],
        can_be_asked: bool,
    ) -> ActivityRecord:
        """Send the start and store what came of it."""
        try:
            workflow_run = start()
        except UpstreamUnavailable as error:
            return dispatch.store_not_taken(record, error)
        except StartUnknown as error:
            return dispatch.store_unknown(record, error)
        logger.info("run_started", extra={"remote_id": workflow_run.workflow_run_id})
        answered = partial(self._answered, workflow_run=workflow_run, can_be_asked=can_be_asked)
        return dispatch.store(record, answered)

    def _answered(
        self,
        record: ActivityRecord,
        run: Run,
        now: datetime,
        *,
        workflow_run: WorkflowRun,
        can_be_asked: bool,
    ) -> Change | None:
        accepted = StartAccepted(
            remote_id=workflow_run.workflow_run_id, row_count=workflow_run.row_count
        )
        seen = observation_of(workflow_run)
        change = evidence.start_answered(record, run, accepted, seen, now)
        if change is None or not change.runs[0].status.is_followed or not can_be_asked:
            return change
        return replace(change, runs=(planned(change.activity, change.runs[0], now, self.policy),))


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtWorkflowRun:
    """`checking.Look` at a workflow's run. None where the dialect has no such call."""

    connections: ConnectionStore
    api_keys: StoredApiKeys
    leap: LeapApi

    def __call__(self, record: ActivityRecord) -> Observation | AgentrunsError | None:
        activity, run = record.activity, record.current_run
        connection = require_leap(
            self.connections.get(activity.tenant, activity.adapter.connection)
        )
        if not connection.dialect.can_be_asked:
            return None
        try:
            return observation_of(self._read(connection, activity, run.remote_id or ""))
        except (TransientError, ApiKeyRejected) as error:
            return error

    def find(self, record: ActivityRecord, workflow_run_id: str) -> WorkflowRun | None:
        """A run that is said to be the record's. WorkflowRunNotFound, also for one of another
        workflow; otherwise as provider_ports.LeapApi."""
        activity = record.activity
        connection = require_leap(
            self.connections.get(activity.tenant, activity.adapter.connection)
        )
        if not connection.dialect.can_be_asked:
            return None
        found = self._read(connection, activity, workflow_run_id)
        if found.workflow_id not in {None, activity.adapter.work_id}:
            raise WorkflowRunNotFound(workflow_run_id, 200, "a run of another workflow")
        return found

    def _read(self, connection: LeapConnection, activity: Activity, run_id: str) -> WorkflowRun:
        api_key = self.api_keys.get(connection)
        return self.leap.read_run(connection, api_key, run_id, is_bulk=activity.is_bulk)


def inputs_of(activity_input: ActivityInput) -> dict[str, Any] | InputCsv:
    """The workflow's inputs: the activity's context, and its message where there is one; or the
    CSV that has them row by row."""
    if activity_input.input_csv_url is not None:
        return InputCsv(activity_input.input_csv_url)
    message = {MESSAGE_INPUT: activity_input.message} if activity_input.message else {}
    return message | dict(activity_input.context)


def observation_of(workflow_run: WorkflowRun) -> Observation:
    """What a run object says, in our words: its `status` decides, never `ended_at`."""
    status = WORKFLOW_STATUSES.get(workflow_run.status)
    return Observation(
        status=status,
        provider_status=workflow_run.status[:64],
        initiated_at=workflow_run.started_at,
        completed_at=workflow_run.ended_at,
        problem=_problem(status, workflow_run),
        output=workflow_run.output if status is RunStatus.COMPLETED else None,
        row_count=workflow_run.row_count,
    )


def _problem(status: RunStatus | None, workflow_run: WorkflowRun) -> Problem | None:
    subject = f"workflow run {workflow_run.workflow_run_id!r}"
    why = f": {workflow_run.error}" if workflow_run.error else ""
    if status is RunStatus.FAILED:
        return Problem(code=lifecycle.UPSTREAM_FAILED, message=f"{subject} failed in Leap{why}")
    if status is RunStatus.ABORTED:
        message = f"{subject} was cancelled in Leap{why}"
        return Problem(code=lifecycle.UPSTREAM_ABORTED, message=message)
    return None
