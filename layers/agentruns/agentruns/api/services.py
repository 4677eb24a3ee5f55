"""What the operator API needs: use cases, and the bare port where there is nothing to decide."""

from __future__ import annotations

from dataclasses import dataclass

from agentruns.activities import AcceptActivity, CancelActivity
from agentruns.agents import StoreAgent
from agentruns.connections import (
    CheckConnection,
    DeleteConnection,
    LimitConnection,
    StoreConnection,
)
from agentruns.operator_keys import IssueOperatorKey, OperatorKeyring, RevokeOperatorKey
from agentruns.parking import CountLooks
from agentruns.ports import (
    ActivityStore,
    AgentStore,
    ConnectionStore,
    OperatorKeyStore,
    ScheduleStore,
)
from agentruns.redriving import RedriveActivities, RedriveActivity
from agentruns.resolving import ResolveRun
from agentruns.schedules import StoreSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """Built in `wiring`, handed to `build_app`."""

    keyring: OperatorKeyring
    issue_operator_key: IssueOperatorKey
    revoke_operator_key: RevokeOperatorKey
    operator_keys: OperatorKeyStore
    store_connection: StoreConnection
    limit_connection: LimitConnection
    delete_connection: DeleteConnection
    check_connection: CheckConnection
    connections: ConnectionStore
    store_agent: StoreAgent
    agents: AgentStore
    store_schedule: StoreSchedule
    schedules: ScheduleStore
    accept_activity: AcceptActivity
    cancel_activity: CancelActivity
    resolve_run: ResolveRun
    redrive_activity: RedriveActivity
    redrive_activities: RedriveActivities
    activities: ActivityStore
    count_looks: CountLooks
