"""Running an AOP: get a token, start it, look how it goes.

Retries: one 401 is answered with a fresh token here; anything that could not be recorded is raised,
and the state machine's Retry owns it. Not here: what every start (`dispatching`) and every look
(`checking`) share, HTTP (`adapters.leena`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from agentruns import lifecycle, starts
from agentruns.dispatching import Dispatch
from agentruns.errors import AgentrunsError, StartUnknown, TransientError, UpstreamUnavailable
from agentruns.model import (
    ActivityInput,
    ActivityRecord,
    Change,
    Observation,
    Problem,
    Run,
    StartAccepted,
)
from agentruns.providers import Connection, LeenaConnection, require_leena
from agentruns.refusals import AopItemNotFound, CredentialsRejected, ScopeMissing, TokenRejected
from agentruns.routing import planned, route
from agentruns.statuses import RunStatus

if TYPE_CHECKING:
    from agentruns.durations import DurationHistory
    from agentruns.learning import LearnDurations
    from agentruns.polling import PollPolicy
    from agentruns.ports import ActivityStore, Clock, ConnectionStore
    from agentruns.provider_ports import AopAccepted, AopObservation, LeenaApi, TokenSource
    from agentruns.secret import Secret
    from agentruns.steps import RunTask, Step

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
            self.tokens.get(
                require_leena(self.connections.get(task.tenant, record.activity.adapter.connection))
            )
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

    @property
    def _dispatch(self) -> Dispatch:
        return Dispatch(activities=self.activities, clock=self.clock)

    def __call__(self, task: RunTask) -> Step:
        """Raises the provider's refusals (UpstreamRejected); the run is then settled as failed."""
        record = self.activities.read(task.tenant, task.activity_id)
        if record.current_run.status is not RunStatus.PENDING:
            # Before anything else can fail: what was sent must not be taken for refused.
            record, _ = self._dispatch.claim(task)
            return route(record, self.clock(), self.policy)
        connection = require_leena(
            self.connections.get(task.tenant, record.activity.adapter.connection)
        )
        activity_input = self.activities.read_input(task.tenant, task.activity_id)
        durations = self.learning.recall(record.activity)
        token = self.tokens.get(connection)
        record, is_ours = self._dispatch.claim(task)
        if not is_ours:
            return route(record, self.clock(), self.policy)
        try:
            record = self._start(record, connection, token.access_token, activity_input, durations)
        except TokenRejected as error:
            self._dispatch.store_not_taken(record, error)
            token = self.tokens.replace(connection, token.version)
            record, is_ours = self._dispatch.claim(task)
            if is_ours:
                record = self._start(
                    record, connection, token.access_token, activity_input, durations
                )
        return route(record, self.clock(), self.policy)

    def _start(
        self,
        record: ActivityRecord,
        connection: LeenaConnection,
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
                aop_id=record.activity.adapter.work_id,
                message_to_start=activity_input.message,
                context={**activity_input.context, RUN_ID_CONTEXT_KEY: run.run_id},
            )
        except UpstreamUnavailable as error:
            return self._dispatch.store_not_taken(record, error)
        except StartUnknown as error:
            return self._dispatch.store_unknown(record, error)
        logger.info("run_started", extra={"remote_id": accepted.aop_item_id})
        return self._dispatch.store(
            record, partial(self._accepted, accepted=accepted, durations=durations)
        )

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
        ids = StartAccepted(
            remote_id=accepted.aop_item_id,
            request_id=accepted.request_id,
            provider_run_id=accepted.provider_run_id,
        )
        change = starts.start_accepted(record, run, ids, now)
        run = change.runs[0]
        if not run.status.is_followed:
            return change
        activity = replace(change.activity, durations=durations)
        run = planned(activity, run, now, self.policy)
        return replace(change, activity=activity, runs=(run,))


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtAop:
    """`checking.Look` at the item of a run."""

    connections: ConnectionStore
    tokens: TokenSource
    leena: LeenaApi
    clock: Clock

    def __call__(self, record: ActivityRecord) -> Observation | AgentrunsError:
        activity, run = record.activity, record.current_run
        item_id = run.remote_id or ""  # every followed run has one
        connection = self.connections.get(activity.tenant, activity.adapter.connection)
        return self.ask(connection, item_id, run.started_at or run.created_at)

    def ask(
        self, connection: Connection, item_id: str, known_since: datetime
    ) -> Observation | AgentrunsError:
        """Ask the provider. A failure to look is a value here: it ends nothing."""
        try:
            return _observation(self._read(require_leena(connection), item_id))
        except AopItemNotFound as error:
            if self.clock() - known_since > NEW_ITEM_GRACE:
                raise
            return UpstreamUnavailable(str(error))
        except TELLS_NOTHING as error:
            return error

    def _read(self, connection: LeenaConnection, item_id: str) -> AopObservation:
        token = self.tokens.get(connection)
        try:
            return self.leena.read_status(connection, token.access_token, item_id)
        except TokenRejected:
            token = self.tokens.replace(connection, token.version)
            return self.leena.read_status(connection, token.access_token, item_id)


def _observation(seen: AopObservation) -> Observation:
    status = PROVIDER_STATUSES.get(seen.status)
    return Observation(
        status=status,
        provider_status=seen.status[:64],
        reference_id=seen.reference_id,
        initiated_at=seen.initiated_at,
        completed_at=seen.completed_at,
        problem=_problem(status, seen),
    )


def _problem(status: RunStatus | None, seen: AopObservation) -> Problem | None:
    item = f"AOP item {seen.aop_item_id!r}"
    if status is RunStatus.FAILED:
        return Problem(code=lifecycle.UPSTREAM_FAILED, message=f"{item} failed in Leena AI")
    if status is RunStatus.ABORTED:
        return Problem(code=lifecycle.UPSTREAM_ABORTED, message=f"{item} was aborted in Leena AI")
    return None
