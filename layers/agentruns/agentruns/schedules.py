"""Schedules: what an EventBridge schedule opens each time it fires.

EventBridge Scheduler owns the times; a schedule here is the request it stands for, so that its
target holds a name and no text. Not here: opening the activity (`OpenRun` does, through
`AcceptActivity`).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agentruns.bulk_runs import INPUT_CSV_URL, ValidateUrl, require_input_csv
from agentruns.definitions import ActivityRequest, Agent, Schedule
from agentruns.errors import AgentNotFound, InvalidRequest, ScheduleNotFound
from agentruns.finding import agent_for, require_connection

if TYPE_CHECKING:
    from agentruns.ports import AgentStore, Clock, ConnectionStore, ScheduleStore

OCCURRENCE = "<aws.scheduler.schedule-arn>@<aws.scheduler.scheduled-time>"
"""EventBridge Scheduler puts in which schedule fires and for when: the same in every attempt at
one firing, unlike its execution id, which is new with each attempt.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
"""

logger = logging.getLogger(__name__)


def scheduler_input(tenant: str, name: str) -> str:
    """The exact text for the Input of an EventBridge Scheduler target."""
    return json.dumps(
        {"tenant": tenant, "schedule": name, "occurrence": OCCURRENCE}, separators=(",", ":")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSchedule:
    """Create or replace a schedule."""

    schedules: ScheduleStore
    agents: AgentStore
    connections: ConnectionStore
    validate_csv_url: ValidateUrl
    clock: Clock

    def __call__(self, tenant: str, name: str, request: ActivityRequest) -> Schedule:
        """InvalidRequest for an unknown agent or connection, and for a CSV that cannot be run:
        better now than at three at night."""
        self._require_target(tenant, request)
        now = self.clock()
        schedule = Schedule(
            tenant=tenant,
            name=name,
            request=request,
            created_at=self._created_at(tenant, name) or now,
            updated_at=now,
        )
        self.schedules.put(schedule)
        logger.info("schedule_stored", extra={"tenant": tenant, "schedule": name})
        return schedule

    def _require_target(self, tenant: str, request: ActivityRequest) -> None:
        adapter, field = request.adapter, "activity.adapter.connection"
        if adapter is None:
            adapter, field = self._agent(tenant, request).adapter, "activity.agent_role"
            if request.input_csv_url is None:
                return
        require_connection(self.connections, tenant, adapter, field)
        connection = self.connections.get(tenant, adapter.connection)
        field = f"activity.{INPUT_CSV_URL}"
        require_input_csv(connection, request.input_csv_url, self.validate_csv_url, field)

    def _agent(self, tenant: str, request: ActivityRequest) -> Agent:
        try:
            return agent_for(self.agents, tenant, request.agent_role or "")
        except AgentNotFound as error:
            message = f"{error}; see GET /v1/agents"
            raise InvalidRequest([("activity.agent_role", message)]) from error

    def _created_at(self, tenant: str, name: str) -> datetime | None:
        try:
            return self.schedules.get(tenant, name).created_at
        except ScheduleNotFound:
            return None
