"""Looking at a run that the provider has: what one look makes of it, and when the next one is.

Retries: a look that failed is planned again by the row (`next_check_at`); anything that could not
be recorded is raised, and the state machine's Retry owns it. Not here: how a provider is asked
(`aop`, `workflows`), what an end means for the activity (`runs.SettleRun`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agentruns import lifecycle, telemetry
from agentruns.dispatching import problem_of
from agentruns.errors import AgentrunsError, UpstreamUnavailable
from agentruns.model import (
    Activity,
    ActivityRecord,
    Change,
    EvidenceSource,
    Observation,
    Run,
)
from agentruns.polling import PollPolicy
from agentruns.ports import ActivityStore, Clock
from agentruns.routing import planned, route
from agentruns.steps import RunTask, Step
from agentruns.transact import transact

Looked = Observation | AgentrunsError | None
"""A failure to look is a value: it ends nothing. None: this provider cannot be asked."""

Look = Callable[[ActivityRecord], Looked]
"""Ask the provider about the record's current run. UpstreamRejected where it knows no such run."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """Look at a followed run once, store what is new and plan the next look.

    Serves the loop and the sweeper alike. The deadline is decided here, after a last look. `looks`
    are by the adapter's type.
    """

    activities: ActivityStore
    looks: Mapping[str, Look]
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """Raises UpstreamRejected where the provider knows no such run."""
        record = self.activities.read(task.tenant, task.activity_id)
        if not record.activity.status.is_terminal:
            record = self._check(record)
        return route(record, self.clock(), self.policy)

    def _check(self, record: ActivityRecord) -> ActivityRecord:
        run = record.current_run
        look = self.looks[record.activity.adapter.type]
        looked = look(record) if run.status.is_followed else None

        def decide(seen: ActivityRecord) -> Change | Run | None:
            if seen.current_run.run_id != run.run_id:
                return None
            if seen.current_run.status.is_terminal:
                return self._contradiction(seen, looked)
            return self._decide(seen, looked)

        return transact(self.activities, run.tenant, run.activity_id, decide)

    def _decide(self, record: ActivityRecord, looked: Looked) -> Change | Run | None:
        activity, run, now = record.activity, record.current_run, self.clock()
        booked, retry_after_seconds, change = run, None, None
        if isinstance(looked, Observation):
            booked = replace(
                run, polls=run.polls + 1, last_checked_at=now, failed_checks=0, last_problem=None
            )
            if looked.status is None:
                count_unknown_status(activity, looked)
            observed = lifecycle.status_observed(record, booked, looked, EvidenceSource.POLL, now)
            change = observed if isinstance(observed, Change) else None
            booked = observed.runs[0] if isinstance(observed, Change) else observed
        elif looked is not None:
            telemetry.count("FailedChecks", connection=activity.adapter.connection)
            booked = replace(
                run,
                polls=run.polls + 1,
                last_checked_at=now,
                failed_checks=run.failed_checks + 1,
                last_problem=problem_of(looked),
            )
            if isinstance(looked, UpstreamUnavailable):
                retry_after_seconds = looked.retry_after_seconds
        latest = booked
        if latest.status.is_terminal:
            return change
        if now >= activity.deadline_at:
            return lifecycle.end_at_deadline(record, latest, now)
        if not latest.status.is_followed:
            return None
        if looked is None:
            return _unasked(activity, latest)
        latest = planned(activity, latest, now, self.policy, retry_after_seconds)
        return replace(change, runs=(latest,)) if change else latest

    def _contradiction(self, record: ActivityRecord, looked: Looked) -> Change | None:
        """The run was ended while the provider was asked: an end that it tells is kept as
        evidence."""
        if not isinstance(looked, Observation) or looked.status is None:
            return None
        if not looked.status.is_terminal:
            return None
        run, source = record.current_run, EvidenceSource.POLL
        return lifecycle.end_run(record, run, looked.status, source, self.clock())


def count_unknown_status(activity: Activity, observation: Observation) -> None:
    """The provider's word is none we know: the run goes on, and somebody should hear of it."""
    telemetry.count("UnknownProviderStatus", connection=activity.adapter.connection)
    logger.warning(
        "unknown_provider_status", extra={"provider_status": observation.provider_status}
    )


def _unasked(activity: Activity, run: Run) -> Run | None:
    """Nobody can be asked before the deadline; the provider tells us."""
    due_at = activity.deadline_at
    if run.callback_token is None:
        due_at += lifecycle.EXECUTION_GRACE
    if run.due_at == due_at and run.next_check_at is None:
        return None
    return replace(run, next_check_at=None, is_swept_next=True, due_at=due_at)
