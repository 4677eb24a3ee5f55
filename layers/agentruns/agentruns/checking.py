"""Looking at a run that the provider has: what one look makes of it, and when the next one is.

Retries: a look that failed is planned again by the row (`next_check_at`); anything that could not
be recorded is raised, and the state machine's Retry owns it. Not here: how a provider is asked
(`aop`, `workflows`), what an end means for the activity (`runs.SettleRun`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from agentruns import lifecycle, telemetry
from agentruns.dispatching import problem_of
from agentruns.errors import AgentrunsError, RequestBudgetSpent, UpstreamUnavailable
from agentruns.model import (
    Activity,
    ActivityRecord,
    Change,
    EvidenceSource,
    Observation,
    Run,
)
from agentruns.parking import CountLooks, is_news
from agentruns.providers import Connection
from agentruns.routing import planned, route
from agentruns.transact import transact
from agentruns.watching import PlannedLooks, Watch

if TYPE_CHECKING:
    from agentruns.polling import PollPolicy
    from agentruns.ports import ActivityStore, Clock, DueRun
    from agentruns.steps import RunTask, Step

Looked = Observation | AgentrunsError | None
"""A failure to look is a value: it ends nothing. None: this provider cannot be asked."""

Look = Callable[[ActivityRecord], Looked]
"""Ask the provider about the record's current run. UpstreamRejected where it knows no such run."""

Ask = Callable[[Connection, str, datetime], Looked]
"""The same by the run's remote id, known since then."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """Look at a followed run once, store what is new and plan the next look.

    Serves the loop and the sweeper alike; the sweeper's look at a watched run stores nothing where
    nothing is new. The deadline is decided here, after a last look. `looks` are by the adapter's
    type, where it can be asked; `ask` is of a watched run.
    """

    activities: ActivityStore
    looks: Mapping[str, Look]
    ask: Ask
    count_looks: CountLooks
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """Raises UpstreamRejected where the provider knows no such run."""
        record = self.activities.read(task.tenant, task.activity_id)
        if not record.activity.status.is_terminal:
            record = self._check(record)
        return route(record, self.clock(), self.policy)

    def from_index(self, due: DueRun, watch: Watch, connection: Connection) -> Step | None:
        """One look at a watched run, from what the index knows of it. None: nothing new, and
        nothing was read or stored. Raises as the look of an execution does."""
        looked = self.ask(connection, watch.aop_item_id, watch.since)
        if isinstance(looked, Observation) and not self._says_more(due, watch, looked):
            return None
        record = self._store(due.tenant, due.activity_id, due.run_id, looked)
        return route(record, self.clock(), self.policy)

    def _says_more(self, due: DueRun, watch: Watch, answer: Observation) -> bool:
        now = self.clock()
        if now >= watch.deadline_at or is_news(watch, answer):
            return True
        return not PlannedLooks(watch, due.due_at, self.policy).stays_parked(now)

    def _check(self, record: ActivityRecord) -> ActivityRecord:
        run = record.current_run
        look = self.looks.get(record.activity.adapter.type)
        looked = look(record) if look is not None and run.status.is_followed else None
        return self._store(run.tenant, run.activity_id, run.run_id, looked)

    def _store(self, tenant: str, activity_id: str, run_id: str, looked: Looked) -> ActivityRecord:
        def decide(seen: ActivityRecord) -> Change | Run | None:
            if seen.current_run.run_id != run_id:
                return None
            if seen.current_run.status.is_terminal:
                return self._contradiction(seen, looked)
            return self._decide(self.count_looks(seen), looked)

        return transact(self.activities, tenant, activity_id, decide)

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
            has_failed = not isinstance(looked, RequestBudgetSpent)  # a later look, no more
            if has_failed:
                telemetry.count("FailedChecks", connection=activity.adapter.connection)
            booked = replace(
                run,
                polls=run.polls + 1,
                last_checked_at=now,
                failed_checks=run.failed_checks + has_failed,
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
        return lifecycle.end_run(
            record, run, looked.status, source, self.clock(), output=looked.output
        )


def nobody_to_ask(record: ActivityRecord) -> None:
    """`Look` at a run that nobody can be asked about: its agent calls us."""


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
