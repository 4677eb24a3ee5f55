"""Doing a failed activity again: by a new activity, its successor.

Terminal is immutable, so the failed one keeps its status, runs and evidence; it gains the name of
its successor in the transaction that creates the successor, so that there is never a second one. A
crash before the execution is started leaves a queued activity that the sweeper starts. Not here:
runs that a retry policy opens within one activity (`lifecycle`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns import lifecycle
from agentruns.activities import Accepted, repeat, start_execution
from agentruns.admission import at_first
from agentruns.bulk_runs import require_bulk_runs
from agentruns.durations import NO_HISTORY
from agentruns.error_names import error_code, refusal_names
from agentruns.errors import (
    ActivityAlreadyRedriven,
    ActivityNotRedrivable,
    AgentDisabled,
    AgentNotFound,
    ConnectionNotFound,
    ConnectionOfOtherProvider,
    InvalidRequest,
    StoreConflict,
    StoreContention,
)
from agentruns.event_types import EventType
from agentruns.finding import agent_for, connection_for
from agentruns.idempotency import body_sha256_of, idempotency_of
from agentruns.ids import new_activity_id
from agentruns.model import (
    Activity,
    ActivityInput,
    ActivityRecord,
    Change,
    RetryPolicy,
    Run,
    Trigger,
)
from agentruns.ports import (
    ActivityFilter,
    ActivityStore,
    AgentStore,
    Clock,
    ConnectionStore,
    Executions,
)
from agentruns.providers import LEAP, Connection
from agentruns.run_outputs import find_output, refs_of
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.transact import ATTEMPTS
from agentruns.transitions import new_event, touched

if TYPE_CHECKING:
    from agentruns.outputs import OutputStore

PRIOR_OUTPUT_CONTEXT_KEY = "agentruns_prior_output"
"""Where the agent finds what the failed attempt had produced, when it had."""

PRIOR_OUTPUT_REF_CONTEXT_KEY = "agentruns_prior_output_ref"
"""Where it stands instead, when it is too large to be told: `{path, bytes, sha256}`."""

CONTEXT_LIMIT_BYTES = 200 * 1024
"""Of a context as JSON, as for a new activity."""

PAGES_PER_CALL = 10
"""A bulk call looks at no more pages of failed activities; its cursor goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """Why, and what the agent is told instead; None means: what it was told before.

    `not_started`: a person looked, and the last start, whose answer nobody knows, did nothing.
    """

    reason: str
    message: str | None = None
    context: Mapping[str, Any] | None = None
    not_started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveActivity:
    """Open the successor of a failed activity and start its execution."""

    activities: ActivityStore
    agents: AgentStore
    connections: ConnectionStore
    executions: Executions
    outputs: Callable[[], OutputStore]
    clock: Clock

    def __call__(
        self, tenant: str, activity_id: str, redrive: Redrive, idempotency_key: str | None
    ) -> Accepted:
        """ActivityNotFound; ActivityNotRedrivable; ActivityAlreadyRedriven; AgentDisabled;
        InvalidRequest for other inputs of a bulk run, which has none; IdempotencyKeyReused for the
        same key with another body; StoreContention."""
        scope = f"{tenant}#redrive#{activity_id}"
        body_sha256 = body_sha256_of(redrive)
        for _ in range(ATTEMPTS):
            now = self.clock()
            if idempotency_key is not None:
                earlier = self.activities.find_idempotency(scope, idempotency_key, now)
                if earlier is not None:
                    return repeat(earlier, body_sha256)
            record = self.activities.read(tenant, activity_id)
            _require_same_csv(record.activity, redrive)
            connection = self.require_redrivable(record, not_started=redrive.not_started)
            successor = _successor(record, connection, now)
            run = lifecycle.first_run(successor)
            lineage = {"redrive_of": activity_id, "reason": redrive.reason}
            opened = lifecycle.opened(successor, run)
            try:
                self.activities.create(
                    successor,
                    self._input(record, redrive),
                    run,
                    (replace(opened, detail={**opened.detail, **lineage}),),
                    idempotency_of(scope, idempotency_key, body_sha256, successor.activity_id, now),
                    _redriven(record, successor, redrive.reason, now),
                )
            except StoreConflict:
                continue
            start_execution(self.executions, successor)
            return Accepted(activity_id=successor.activity_id, run_id=run.run_id, repeated=False)
        raise StoreContention(f"activity {activity_id!r}", ATTEMPTS)

    def require_redrivable(
        self, record: ActivityRecord, *, not_started: bool = False
    ) -> Connection | None:
        """The connection that the successor goes over. ActivityNotRedrivable;
        ActivityAlreadyRedriven; AgentDisabled."""
        activity = record.activity
        if activity.redriven_as is not None:
            raise ActivityAlreadyRedriven(activity.activity_id, activity.redriven_as)
        if activity.status is not ActivityStatus.FAILED:
            raise ActivityNotRedrivable(activity.activity_id, _why_not(activity, record))
        if _may_have_started(record.current_run) and not not_started:
            raise ActivityNotRedrivable(
                activity.activity_id,
                "failed without anybody knowing whether its last start worked: look for "
                f"{_mark_of(record)} at the provider, and redrive it with not_started if nothing "
                "was started",
            )
        return self._require_agent(activity)

    def _require_agent(self, activity: Activity) -> Connection | None:
        """A disabled or deleted agent gets no work, and a deleted connection carries none."""
        try:
            if activity.agent_role is not None:
                agent = agent_for(self.agents, activity.tenant, activity.agent_role)
                if not agent.enabled:
                    raise AgentDisabled(agent.role)
            connection = connection_for(self.connections, activity.tenant, activity.adapter)
            if activity.is_bulk:
                require_bulk_runs(connection)
            return connection
        except (
            AgentNotFound,
            ConnectionNotFound,
            ConnectionOfOtherProvider,
            InvalidRequest,
        ) as error:
            raise ActivityNotRedrivable(
                activity.activity_id, f"cannot be redriven: {error}"
            ) from error

    def _input(self, record: ActivityRecord, redrive: Redrive) -> ActivityInput:
        activity = record.activity
        told = self.activities.read_input(activity.tenant, activity.activity_id)
        if activity.is_bulk:
            return told
        context = dict(told.context if redrive.context is None else redrive.context)
        context |= self._prior_output(record, context)
        message = told.message if redrive.message is None else redrive.message
        return ActivityInput(message=message, context=context)

    def _prior_output(self, record: ActivityRecord, context: Mapping[str, Any]) -> dict[str, Any]:
        """The last output of any run, late ones too; in the context where it fits there."""
        found = [(run, ref) for run in record.runs for ref in refs_of(run)]
        if not found:
            return {}
        run, ref = found[-1]
        room = CONTEXT_LIMIT_BYTES - len(json.dumps(dict(context), ensure_ascii=False).encode())
        if ref.size_bytes + len(PRIOR_OUTPUT_CONTEXT_KEY) + 6 <= room:
            text = find_output(self.outputs, run, ref.sha256).read_all()
            return {PRIOR_OUTPUT_CONTEXT_KEY: json.loads(text)}
        path = f"/v1/runs/{run.run_id}/output?sha256={ref.sha256}"
        reference = {"path": path, "bytes": ref.size_bytes, "sha256": ref.sha256}
        return {PRIOR_OUTPUT_REF_CONTEXT_KEY: reference}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFilter:
    """Which failed activities; None means any. `created_before` is exclusive."""

    agent_role: str | None = None
    tag: str | None = None
    error_code: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What became of one activity of a bulk redrive. `skipped` is why it was left as it is:
    the error that redriving it alone would give. With neither, a preview would redrive it."""

    activity: Activity
    accepted: Accepted | None = None
    skipped: ActivityNotRedrivable | ActivityAlreadyRedriven | AgentDisabled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRedriven:
    """Newest first; `next_cursor` is None where nothing is left to look at."""

    items: tuple[Considered, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveActivities:
    """Redrive, or only list, the failed activities that match. A repeat finds them redriven."""

    activities: ActivityStore
    redrive_activity: RedriveActivity

    def __call__(
        self,
        tenant: str,
        wanted: FailedFilter,
        reason: str,
        *,
        limit: int,
        cursor: str | None,
        is_preview: bool,
    ) -> BulkRedriven:
        """At most `limit` activities are considered. InvalidRequest for a foreign cursor."""
        items: list[Considered] = []
        for _ in range(PAGES_PER_CALL):
            page = self.activities.list_activities(
                tenant,
                ActivityFilter(
                    status=ActivityStatus.FAILED, agent_role=wanted.agent_role, tag=wanted.tag
                ),
                limit - len(items),
                cursor,
            )
            cursor = page.next_cursor
            for activity in _matching(page.items, wanted):
                items.append(self._consider(activity, reason, is_preview=is_preview))
            if page.items and _is_before(page.items[-1], wanted.created_after):
                cursor = None
            if cursor is None or len(items) == limit:
                break
        return BulkRedriven(items=tuple(items), next_cursor=cursor)

    def _consider(self, activity: Activity, reason: str, *, is_preview: bool) -> Considered:
        try:
            if is_preview:
                record = self.activities.read(activity.tenant, activity.activity_id)
                self.redrive_activity.require_redrivable(record)
                return Considered(activity=activity)
            accepted = self.redrive_activity(
                activity.tenant, activity.activity_id, Redrive(reason=reason), None
            )
        except (ActivityNotRedrivable, ActivityAlreadyRedriven, AgentDisabled) as error:
            return Considered(activity=activity, skipped=error)
        return Considered(activity=activity, accepted=accepted)


def _matching(activities: tuple[Activity, ...], wanted: FailedFilter) -> Iterator[Activity]:
    for activity in activities:
        code = activity.error.code if activity.error else None
        if wanted.error_code is not None and code != wanted.error_code:
            continue
        if _is_before(activity, wanted.created_after):
            continue
        if wanted.created_before is None or activity.created_at < wanted.created_before:
            yield activity


def _is_before(activity: Activity, moment: datetime | None) -> bool:
    return moment is not None and activity.created_at < moment


def _successor(record: ActivityRecord, connection: Connection | None, now: datetime) -> Activity:
    """The same work with the same settings, from its beginning."""
    activity = record.activity
    return replace(
        activity,
        activity_id=new_activity_id(now),
        trigger=Trigger.REDRIVE,
        status=ActivityStatus.QUEUED,
        created_at=now,
        updated_at=now,
        deadline_at=now + activity.timeout,
        attempt=1,
        generation=1,
        last_sequence=0,
        version=0,
        retry=_retry_policy(record),
        durations=NO_HISTORY,  # read anew at its start
        execution_arn=None,
        admission=at_first(connection),
        slot=None,
        ended_at=None,
        error=None,
        redrive_of=activity.activity_id,
        reassigned_from=None,
        reassigned_as=None,
    )


def _retry_policy(record: ActivityRecord) -> RetryPolicy:
    """As the agent had it: what was found not to have started had got one more run each."""
    retry = record.activity.retry
    more = sum(
        run.error is not None and run.error.code == lifecycle.NOT_STARTED for run in record.runs
    )
    return replace(retry, max_attempts=max(1, retry.max_attempts - more))


def _redriven(record: ActivityRecord, successor: Activity, reason: str, now: datetime) -> Change:
    detail = {"redriven_as": successor.activity_id, "reason": reason}
    return Change(
        activity=replace(touched(record.activity, now), redriven_as=successor.activity_id),
        events=(new_event(EventType.ACTIVITY_REDRIVEN, record.current_run, now, detail),),
    )


def _why_not(activity: Activity, record: ActivityRecord) -> str:
    if activity.status.is_terminal:
        return f"has ended {activity.status}; only a failed one is redriven"
    is_unknown = record.current_run.status is RunStatus.START_UNKNOWN
    if activity.status is ActivityStatus.BLOCKED and is_unknown:
        return (
            "is blocked: nobody knows whether its start worked; say what became of it with "
            f"POST /v1/runs/{record.current_run.run_id}/resolve"
        )
    return f"is {activity.status}; only a failed one is redriven"


def _require_same_csv(activity: Activity, redrive: Redrive) -> None:
    given = {"message": redrive.message, "context": redrive.context}
    if activity.is_bulk and any(each is not None for each in given.values()):
        fault = "a bulk run has no inputs but its CSV; start another activity with another CSV"
        raise InvalidRequest([(name, fault) for name, each in given.items() if each is not None])


def _mark_of(record: ActivityRecord) -> str:
    """How a person knows the run at its provider."""
    run_id = record.current_run.run_id
    if record.activity.adapter.provider == LEAP:
        return f"a run whose webhook URL has {run_id}"
    return f"agentruns_run_id {run_id}"


def _may_have_started(run: Run) -> bool:
    """The start was sent, nobody knows that it worked, and it was neither refused nor found not to
    have worked. A run of one's own agent has no provider's id: it has started when the agent took
    it, or called."""
    if run.dispatch_id is None or (run.remote_id or run.started_at) is not None:
        return False
    known = {lifecycle.NOT_STARTED, *map(error_code, refusal_names())}
    return run.error is None or run.error.code not in known
