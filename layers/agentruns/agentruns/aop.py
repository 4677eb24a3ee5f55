"""Running an AOP: get a token, start it at most once, look how it goes.

Retries: a start that was provably not taken and a check that failed are planned again by the row
(`next_check_at`); one 401 is answered with a fresh token here; anything that could not be recorded
is raised, and the state machine's Retry owns it. Not here: what an end means for the activity
(`runs.SettleRun`), HTTP (`adapters.leena`).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from agentruns import lifecycle, telemetry
from agentruns.durations import DurationHistory
from agentruns.errors import (
    AgentrunsError,
    AopItemNotFound,
    CredentialsRejected,
    RequestBudgetSpent,
    ScopeMissing,
    StartUnknown,
    TokenRejected,
    TransientError,
    UpstreamUnavailable,
)
from agentruns.learning import LearnDurations
from agentruns.model import (
    ActivityInput,
    ActivityRecord,
    Change,
    Connection,
    EvidenceSource,
    Problem,
    Run,
)
from agentruns.parking import CountLooks, is_news
from agentruns.polling import PollPolicy, plan_next_start
from agentruns.ports import (
    ActivityStore,
    AopAccepted,
    AopObservation,
    Clock,
    ConnectionStore,
    DueRun,
    LeenaApi,
    TokenSource,
)
from agentruns.routing import planned, route
from agentruns.secret import Secret
from agentruns.statuses import RunStatus
from agentruns.steps import RunTask, Step
from agentruns.transact import transact
from agentruns.watching import PlannedLooks, Watch

PROVIDER_STATUSES: Mapping[str, RunStatus] = {
    "accepted": RunStatus.RUNNING,
    "in_progress": RunStatus.RUNNING,
    "paused": RunStatus.PAUSED,
    "completed": RunStatus.COMPLETED,
    "failed": RunStatus.FAILED,
    "aborted": RunStatus.ABORTED,
}
"""Leena's words and ours. A word that is not here keeps the run as it is."""

NEW_ITEM_GRACE = timedelta(seconds=60)
"""A 404 on an item this young is taken for a reader that lags behind its writer."""

RUN_ID_CONTEXT_KEY = "agentruns_run_id"
"""Our run id in the AOP's context, so that a person can find the item of an unknown start."""

TELLS_NOTHING = (TransientError, CredentialsRejected, TokenRejected, ScopeMissing)
"""Errors of a look that end nothing. A run that we may not look at goes on all the same."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MintToken:
    """See that a valid token is cached before anything is sent."""

    activities: ActivityStore
    connections: ConnectionStore
    tokens: TokenSource
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """ConnectionNotFound; CredentialsRejected; MintInProgress, UpstreamUnavailable and
        UpstreamUnreadable for the state machine to retry."""
        record = self.activities.read(task.tenant, task.activity_id)
        if record.current_run.status is RunStatus.PENDING:
            self.tokens.get(self.connections.get(task.tenant, record.activity.adapter.connection))
        return route(record, self.clock(), self.policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteAop:
    """Start the AOP of a pending run: at most once, whatever dies on the way.

    All that can fail without the provider is done before the row says `dispatching`. From then on
    only the provider's answer takes it out again: accepted, provably not taken, refused, unknown.
    """

    activities: ActivityStore
    connections: ConnectionStore
    tokens: TokenSource
    leena: LeenaApi
    learning: LearnDurations
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """Raises the provider's refusals (UpstreamRejected); the run is then settled as failed."""
        record = self.activities.read(task.tenant, task.activity_id)
        if record.current_run.status is not RunStatus.PENDING:
            # Before anything else can fail: what was sent must not be taken for refused.
            record, _ = self._claim(task)
            return route(record, self.clock(), self.policy)
        connection = self.connections.get(task.tenant, record.activity.adapter.connection)
        activity_input = self.activities.read_input(task.tenant, task.activity_id)
        durations = self.learning.recall(record.activity)
        token = self.tokens.get(connection)
        record, is_ours = self._claim(task)
        if not is_ours:
            return route(record, self.clock(), self.policy)
        try:
            record = self._start(record, connection, token.access_token, activity_input, durations)
        except TokenRejected as error:
            self._store_not_taken(record, error)
            token = self.tokens.replace(connection, token.version)
            record, is_ours = self._claim(task)
            if is_ours:
                record = self._start(
                    record, connection, token.access_token, activity_input, durations
                )
        return route(record, self.clock(), self.policy)

    def _claim(self, task: RunTask) -> tuple[ActivityRecord, bool]:
        """Write `dispatching` before anything is sent. Whoever finds it there is too late."""
        dispatch_id = uuid.uuid4().hex

        def decide(record: ActivityRecord) -> Change | None:
            run, now = record.current_run, self.clock()
            if record.activity.status.is_terminal:
                return None
            if run.status is RunStatus.DISPATCHING:
                return lifecycle.start_unknown(record, _LOST_DISPATCH, now)
            if run.status is not RunStatus.PENDING:
                return None
            if now >= record.activity.deadline_at:
                return lifecycle.end_at_deadline(record, run, now)
            return lifecycle.begin_dispatch(record, dispatch_id, now)

        record = transact(self.activities, task.tenant, task.activity_id, decide)
        run = record.current_run
        return record, run.status is RunStatus.DISPATCHING and run.dispatch_id == dispatch_id

    def _start(
        self,
        record: ActivityRecord,
        connection: Connection,
        token: Secret,
        activity_input: ActivityInput,
        durations: DurationHistory,
    ) -> ActivityRecord:
        """Send the start and store what came of it."""
        run = record.current_run
        try:
            accepted = self.leena.execute(
                connection,
                token,
                aop_id=record.activity.adapter.aop_id,
                message_to_start=activity_input.message,
                context={**activity_input.context, RUN_ID_CONTEXT_KEY: run.run_id},
            )
        except UpstreamUnavailable as error:
            return self._store_not_taken(record, error)
        except StartUnknown as error:
            telemetry.count("StartUnknown", connection=connection.name)
            return self._store(record, partial(_unknown, problem=_problem_of(error)))
        logger.info("run_started", extra={"aop_item_id": accepted.aop_item_id})
        return self._store(record, partial(self._accepted, accepted=accepted, durations=durations))

    def _accepted(
        self,
        record: ActivityRecord,
        run: Run,
        now: datetime,
        *,
        accepted: AopAccepted,
        durations: DurationHistory,
    ) -> Change:
        """What past runs took goes with the activity from here on: no look has to read it."""
        change = lifecycle.start_accepted(record, run, accepted, now)
        run = change.runs[0]
        if not run.status.is_followed:
            return change
        activity = replace(change.activity, durations=durations)
        run = planned(activity, run, now, self.policy)
        return replace(change, activity=activity, runs=(run,))

    def _store_not_taken(
        self, record: ActivityRecord, error: UpstreamUnavailable | TokenRejected
    ) -> ActivityRecord:
        return self._store(record, partial(_not_taken, error=error))

    def _store(
        self,
        record: ActivityRecord,
        change: Callable[[ActivityRecord, Run, datetime], Change | None],
    ) -> ActivityRecord:
        """Store an answer on the run it belongs to, also if that run was ended meanwhile or
        another one opened."""
        activity, dispatch_id = record.activity, record.current_run.dispatch_id

        def decide(seen: ActivityRecord) -> Change | None:
            for run in seen.runs:
                if run.dispatch_id == dispatch_id:
                    return change(seen, run, self.clock())
            return None

        return transact(self.activities, activity.tenant, activity.activity_id, decide)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAop:
    """Look at a followed run once, store what is new and plan the next look.

    Serves the loop and the sweeper alike; the sweeper's look at a watched run stores nothing where
    nothing is new. The deadline is decided here, after a last look.
    """

    activities: ActivityStore
    connections: ConnectionStore
    tokens: TokenSource
    leena: LeenaApi
    count_looks: CountLooks
    clock: Clock
    policy: PollPolicy

    def __call__(self, task: RunTask) -> Step:
        """Raises UpstreamRejected where the provider knows no such item."""
        record = self.activities.read(task.tenant, task.activity_id)
        if not record.activity.status.is_terminal:
            record = self._check(record)
        return route(record, self.clock(), self.policy)

    def from_index(self, due: DueRun, watch: Watch, connection: Connection) -> Step | None:
        """One look at a watched run, from what the index knows of it. None: nothing new, and
        nothing was read or stored. Raises as the look of an execution does."""
        look = self._ask(connection, watch.aop_item_id, watch.since)
        if isinstance(look, AopObservation) and not self._says_more(due, watch, look):
            return None
        record = self._store(due.tenant, due.activity_id, due.run_id, look)
        return route(record, self.clock(), self.policy)

    def _says_more(self, due: DueRun, watch: Watch, answer: AopObservation) -> bool:
        now = self.clock()
        if now >= watch.deadline_at or is_news(watch, PROVIDER_STATUSES.get(answer.status), answer):
            return True
        return not PlannedLooks(watch, due.due_at, self.policy).stays_parked(now)

    def _check(self, record: ActivityRecord) -> ActivityRecord:
        run = record.current_run
        look = self._look(record) if run.status.is_followed else None
        return self._store(run.tenant, run.activity_id, run.run_id, look)

    def _store(
        self,
        tenant: str,
        activity_id: str,
        run_id: str,
        look: AopObservation | AgentrunsError | None,
    ) -> ActivityRecord:
        def decide(seen: ActivityRecord) -> Change | Run | None:
            if seen.current_run.run_id != run_id:
                return None
            if seen.current_run.status.is_terminal:
                return _contradiction(seen, look, self.clock())
            return self._decide(self.count_looks(seen), look)

        return transact(self.activities, tenant, activity_id, decide)

    def _look(self, record: ActivityRecord) -> AopObservation | AgentrunsError:
        activity, run = record.activity, record.current_run
        item_id = run.aop_item_id or ""  # every followed run has one
        connection = self.connections.get(activity.tenant, activity.adapter.connection)
        return self._ask(connection, item_id, run.started_at or run.created_at)

    def _ask(
        self, connection: Connection, item_id: str, known_since: datetime
    ) -> AopObservation | AgentrunsError:
        """Ask the provider. A failure to look is a value here: it ends nothing."""
        try:
            token = self.tokens.get(connection)
            try:
                return self.leena.read_status(connection, token.access_token, item_id)
            except TokenRejected:
                token = self.tokens.replace(connection, token.version)
                return self.leena.read_status(connection, token.access_token, item_id)
        except AopItemNotFound as error:
            if self.clock() - known_since > NEW_ITEM_GRACE:
                raise
            return UpstreamUnavailable(str(error))
        except TELLS_NOTHING as error:
            return error

    def _decide(
        self, record: ActivityRecord, look: AopObservation | AgentrunsError | None
    ) -> Change | Run | None:
        activity, run, now = record.activity, record.current_run, self.clock()
        booked, retry_after_seconds, change = run, None, None
        if isinstance(look, AopObservation):
            booked = replace(
                run, polls=run.polls + 1, last_checked_at=now, failed_checks=0, last_problem=None
            )
            status = PROVIDER_STATUSES.get(look.status)
            if status is None:
                telemetry.count("UnknownProviderStatus", connection=activity.adapter.connection)
                logger.warning(
                    "unknown_provider_status", extra={"provider_status": look.status[:64]}
                )
                booked = replace(booked, provider_status=look.status[:64])
            else:
                observed = lifecycle.status_observed(record, booked, status, look, now)
                change = observed if isinstance(observed, Change) else None
                booked = observed.runs[0] if isinstance(observed, Change) else observed
        elif look is not None:
            has_failed = not isinstance(look, RequestBudgetSpent)  # which is a later look, no more
            if has_failed:
                telemetry.count("FailedChecks", connection=activity.adapter.connection)
            booked = replace(
                run,
                polls=run.polls + 1,
                last_checked_at=now,
                failed_checks=run.failed_checks + has_failed,
                last_problem=_problem_of(look),
            )
            if isinstance(look, UpstreamUnavailable):
                retry_after_seconds = look.retry_after_seconds
        latest = booked
        if latest.status.is_terminal:
            return change
        if now >= activity.deadline_at:
            return lifecycle.end_at_deadline(record, latest, now)
        if not latest.status.is_followed:
            return None
        latest = planned(activity, latest, now, self.policy, retry_after_seconds)
        return replace(change, runs=(latest,)) if change else latest


def _contradiction(
    record: ActivityRecord, look: AopObservation | AgentrunsError | None, now: datetime
) -> Change | None:
    """The run was ended while the provider was asked: an end that it tells is kept as evidence."""
    status = PROVIDER_STATUSES.get(look.status) if isinstance(look, AopObservation) else None
    if status is None or not status.is_terminal:
        return None
    return lifecycle.end_run(record, record.current_run, status, EvidenceSource.POLL, now)


def _not_taken(
    record: ActivityRecord, run: Run, now: datetime, *, error: UpstreamUnavailable | TokenRejected
) -> Change | None:
    if run.status is not RunStatus.DISPATCHING:
        return None
    retry_at = now
    if isinstance(error, UpstreamUnavailable):
        wait_seconds = plan_next_start(
            age_seconds=(now - run.created_at).total_seconds(),
            deadline_in_seconds=(record.activity.deadline_at - now).total_seconds(),
            retry_after_seconds=error.retry_after_seconds,
        )
        retry_at = now + timedelta(seconds=wait_seconds)
    return lifecycle.start_not_taken(record, _problem_of(error), retry_at, now)


def _unknown(record: ActivityRecord, run: Run, now: datetime, *, problem: Problem) -> Change | None:
    if run.status is not RunStatus.DISPATCHING:
        return None
    return lifecycle.start_unknown(record, problem, now)


def _problem_of(error: AgentrunsError) -> Problem:
    return Problem(code=error.code, message=str(error))


_LOST_DISPATCH = Problem(
    code=StartUnknown.code,
    message="the worker died between sending the start and storing its answer",
)
