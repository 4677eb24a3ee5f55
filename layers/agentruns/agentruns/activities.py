"""Opening activities: the one way in, whatever the trigger.

The activity is stored first, together with its idempotency key and first run, then its execution is
started. A crash between the two leaves a queued activity that the sweeper starts. Not here: what an
execution does with it (`runs`, `aop`), cancelling (`cancelling`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentruns import lifecycle
from agentruns.admission import at_first
from agentruns.bulk_runs import ValidateUrl, require_input_csv
from agentruns.definitions import ActivityRequest, Agent
from agentruns.errors import (
    AgentDisabled,
    AgentNotFound,
    ConnectionNotFound,
    ConnectionOfOtherProvider,
    InvalidRequest,
    StoreConflict,
)
from agentruns.finding import agent_for, connection_for
from agentruns.idempotency import body_sha256_of, idempotency_of
from agentruns.ids import execution_name, new_activity_id, run_id_for
from agentruns.model import Activity, ActivityInput, Idempotency, Trigger
from agentruns.request_errors import IdempotencyKeyReused, RequestInFlight
from agentruns.statuses import ActivityStatus

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, AgentStore, Clock, ConnectionStore, Executions
    from agentruns.providers import Connection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The same for the first request with a key and for every repeat of it."""

    activity_id: str
    run_id: str
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptActivity:
    """Store an activity once per idempotency key and start its execution."""

    activities: ActivityStore
    agents: AgentStore
    connections: ConnectionStore
    executions: Executions
    validate_csv_url: ValidateUrl
    clock: Clock

    def __call__(
        self,
        tenant: str,
        request: ActivityRequest,
        *,
        trigger: Trigger,
        idempotency_key: str | None,
        execution_arn: str | None = None,
    ) -> Accepted:
        """`execution_arn`: the execution that asks, where a schedule has started one already.

        InvalidRequest for an unknown agent or connection, and for a CSV that cannot be run;
        AgentDisabled; IdempotencyKeyReused for the same key with another body; RequestInFlight
        where a twin is being stored. Nothing is stored for a request that is refused.
        """
        now = self.clock()
        scope = f"{tenant}#{trigger.value}"
        body_sha256 = body_sha256_of(request)
        if idempotency_key is not None:
            earlier = self.activities.find_idempotency(scope, idempotency_key, now)
            if earlier is not None:
                return repeat(earlier, body_sha256)
        activity = self.prepare(tenant, request, trigger, execution_arn, now)
        run = lifecycle.first_run(activity)
        try:
            self.activities.create(
                activity,
                ActivityInput(
                    message=request.message,
                    context=request.context,
                    input_csv_url=request.input_csv_url,
                ),
                run,
                (lifecycle.opened(activity, run),),
                idempotency_of(scope, idempotency_key, body_sha256, activity.activity_id, now),
            )
        except StoreConflict as conflict:
            if idempotency_key is None:
                raise
            twin = self.activities.find_idempotency(scope, idempotency_key, now)
            if twin is None:
                raise RequestInFlight(idempotency_key) from conflict
            return repeat(twin, body_sha256)
        if execution_arn is None:
            start_execution(self.executions, activity)
        return Accepted(activity_id=activity.activity_id, run_id=run.run_id, repeated=False)

    def prepare(
        self,
        tenant: str,
        request: ActivityRequest,
        trigger: Trigger,
        execution_arn: str | None,
        now: datetime,
    ) -> Activity:
        """The activity, not stored. InvalidRequest; AgentDisabled."""
        agent, connection = self._agent(tenant, request, now)
        require_input_csv(connection, request.input_csv_url, self.validate_csv_url)
        timeout_seconds = request.timeout_seconds or agent.timeout_seconds
        return Activity(
            tenant=tenant,
            activity_id=new_activity_id(now),
            agent_role=agent.role or None,
            adapter=agent.adapter,
            trigger=trigger,
            status=ActivityStatus.QUEUED,
            created_at=now,
            updated_at=now,
            deadline_at=now + timedelta(seconds=timeout_seconds),
            timeout_seconds=timeout_seconds,
            on_approval_expired=agent.on_approval_expired,
            title=request.title,
            priority=request.priority,
            tags=request.tags,
            retry=agent.retry,
            on_start_unknown=request.on_start_unknown or agent.on_start_unknown,
            detection=agent.detection,
            is_bulk=request.input_csv_url is not None,
            execution_arn=execution_arn,
            admission=at_first(connection),
        )

    def _agent(
        self, tenant: str, request: ActivityRequest, now: datetime
    ) -> tuple[Agent, Connection | None]:
        """The named agent, or one made of the inline adapter and the usual settings; with its
        connection."""
        if request.adapter is not None:
            agent = Agent(
                tenant=tenant, role="", adapter=request.adapter, created_at=now, updated_at=now
            )
            field = "adapter.connection"
        else:
            field = "agent_role"
            try:
                agent = agent_for(self.agents, tenant, request.agent_role or "")
            except AgentNotFound as error:
                raise InvalidRequest([(field, f"{error}; see GET /v1/agents")]) from error
        if not agent.enabled:
            raise AgentDisabled(agent.role)
        try:
            connection = connection_for(self.connections, tenant, agent.adapter)
        except (ConnectionNotFound, ConnectionOfOtherProvider) as error:
            raise InvalidRequest([(field, f"{error}; see GET /v1/connections")]) from error
        return agent, connection


def start_execution(executions: Executions, activity: Activity) -> str | None:
    """Start the execution of an activity's generation: its ARN. None where that failed; the
    sweeper will do it then."""
    try:
        return executions.start(
            execution_name(activity.activity_id, activity.generation),
            {
                "tenant": activity.tenant,
                "activity_id": activity.activity_id,
                "generation": activity.generation,
            },
        )
    except Exception:  # the activity is stored: refusing it now would be a lie
        logger.exception("execution_not_started", extra={"activity_id": activity.activity_id})
        return None


def repeat(earlier: Idempotency, body_sha256: str) -> Accepted:
    """What the first request with this key was answered. IdempotencyKeyReused for another body."""
    if earlier.body_sha256 != body_sha256:
        raise IdempotencyKeyReused(earlier.key)
    return Accepted(
        activity_id=earlier.activity_id,
        run_id=run_id_for(earlier.activity_id, 1),
        repeated=True,
    )
