"""What the operator API needs: use cases, and the bare port where there is nothing to decide.

Not here: which ports they are (`wiring`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns.agent_keys import IssueAgentKey, ListAgentKeys, RevokeAgentKey
from agentruns.agents import DeleteAgent, RotateSigningSecret, StoreAgent, ValidateAgentUrl
from agentruns.api.wait_services import WaitServices, wait_services_over
from agentruns.connections import (
    DeleteConnection,
    EndpointsFor,
    LimitConnection,
    StoreConnection,
    ValidateBaseUrl,
)
from agentruns.operator_keys import IssueOperatorKey, OperatorKeyring, RevokeOperatorKey
from agentruns.redriving import RedriveActivities, RedriveActivity
from agentruns.resolving import CheckFound, FindWorkflowRun, ResolveRun
from agentruns.run_log import ReadRunLog
from agentruns.schedules import StoreSchedule
from agentruns.skills import DeleteSkill, StoreSkill

if TYPE_CHECKING:
    from agentruns.activities import AcceptActivity
    from agentruns.admitting import AdmitActivities
    from agentruns.agent_credentials import StoredAgentCredentials
    from agentruns.agent_health import CheckAgentHealth
    from agentruns.agent_stores import AgentKeyStore, DeltaStore, SkillStore, ToolCallStore
    from agentruns.cancelling import CancelActivity
    from agentruns.connection_checks import CheckConnection
    from agentruns.outputs import OutputStore
    from agentruns.parking import CountLooks
    from agentruns.ports import (
        ActivityStore,
        AgentStore,
        Clock,
        ConnectionStore,
        Executions,
        OperatorKeyStore,
        ScheduleStore,
        SecretStore,
    )
    from agentruns.probing import ProbeAgent
    from agentruns.wait_ports import CommentStore, Inbox
    from agentruns.waking import WakeExecution


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """Built by `services_over`, handed to `build_app`."""

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
    rotate_signing_secret: RotateSigningSecret
    delete_agent: DeleteAgent
    agents: AgentStore
    issue_agent_key: IssueAgentKey
    list_agent_keys: ListAgentKeys
    revoke_agent_key: RevokeAgentKey
    check_agent_health: CheckAgentHealth
    probe_agent: ProbeAgent
    store_skill: StoreSkill
    delete_skill: DeleteSkill
    skills: SkillStore
    store_schedule: StoreSchedule
    schedules: ScheduleStore
    accept_activity: AcceptActivity
    cancel_activity: CancelActivity
    check_found: CheckFound
    resolve_run: ResolveRun
    redrive_activity: RedriveActivity
    redrive_activities: RedriveActivities
    activities: ActivityStore
    outputs: Callable[[], OutputStore]
    read_run_log: ReadRunLog
    tool_calls: ToolCallStore
    count_looks: CountLooks
    waits: WaitServices


def services_over(
    *,
    activities: ActivityStore,
    inbox: Inbox,
    comments: CommentStore,
    agents: AgentStore,
    agent_keys: AgentKeyStore,
    skills: SkillStore,
    deltas: DeltaStore,
    tool_calls: ToolCallStore,
    connections: ConnectionStore,
    schedules: ScheduleStore,
    operator_keys: OperatorKeyStore,
    secrets: SecretStore,
    executions: Executions,
    outputs: Callable[[], OutputStore],
    find_workflow_run: FindWorkflowRun,
    credentials: StoredAgentCredentials,
    check_connection: CheckConnection,
    check_agent_health: CheckAgentHealth,
    probe_agent: ProbeAgent,
    admit_activities: AdmitActivities,
    accept_activity: AcceptActivity,
    cancel_activity: CancelActivity,
    wake_execution: WakeExecution,
    bootstrap_secret_arn: str,
    secret_prefix: str,
    endpoints_for: EndpointsFor,
    leap_url: str,
    validate_base_url: ValidateBaseUrl,
    validate_agent_url: ValidateAgentUrl,
    count_looks: CountLooks,
    clock: Clock,
) -> ApiServices:
    """Every use case over the ports; those that other functions have too are given. `outputs`:
    made when one is read that stands in no row."""
    keyring = OperatorKeyring(
        keys=operator_keys, secrets=secrets, bootstrap_secret_arn=bootstrap_secret_arn, clock=clock
    )
    redrive_activity = RedriveActivity(
        activities=activities,
        agents=agents,
        connections=connections,
        executions=executions,
        outputs=outputs,
        clock=clock,
    )
    return ApiServices(
        keyring=keyring,
        issue_operator_key=IssueOperatorKey(keys=operator_keys, clock=clock),
        revoke_operator_key=RevokeOperatorKey(keys=operator_keys, keyring=keyring),
        operator_keys=operator_keys,
        store_connection=StoreConnection(
            connections=connections,
            secrets=secrets,
            secret_prefix=secret_prefix,
            endpoints_for=endpoints_for,
            leap_url=leap_url,
            validate_base_url=validate_base_url,
            clock=clock,
        ),
        limit_connection=LimitConnection(
            connections=connections, admit_activities=admit_activities
        ),
        delete_connection=DeleteConnection(
            connections=connections, agents=agents, secrets=secrets, secret_prefix=secret_prefix
        ),
        check_connection=check_connection,
        connections=connections,
        store_agent=StoreAgent(
            agents=agents,
            connections=connections,
            credentials=credentials,
            skills=skills,
            validate_url=validate_agent_url,
            clock=clock,
        ),
        rotate_signing_secret=RotateSigningSecret(agents=agents, credentials=credentials),
        delete_agent=DeleteAgent(agents=agents, keys=agent_keys, credentials=credentials),
        agents=agents,
        issue_agent_key=IssueAgentKey(keys=agent_keys, agents=agents, clock=clock),
        list_agent_keys=ListAgentKeys(keys=agent_keys, agents=agents),
        revoke_agent_key=RevokeAgentKey(keys=agent_keys, agents=agents),
        check_agent_health=check_agent_health,
        probe_agent=probe_agent,
        store_skill=StoreSkill(skills=skills, clock=clock),
        delete_skill=DeleteSkill(skills=skills, agents=agents),
        skills=skills,
        store_schedule=StoreSchedule(
            schedules=schedules,
            agents=agents,
            connections=connections,
            validate_csv_url=accept_activity.validate_csv_url,
            clock=clock,
        ),
        schedules=schedules,
        accept_activity=accept_activity,
        cancel_activity=cancel_activity,
        check_found=CheckFound(activities=activities, find_workflow_run=find_workflow_run),
        resolve_run=ResolveRun(activities=activities, wake_execution=wake_execution, clock=clock),
        redrive_activity=redrive_activity,
        redrive_activities=RedriveActivities(
            activities=activities, redrive_activity=redrive_activity
        ),
        activities=activities,
        outputs=outputs,
        read_run_log=ReadRunLog(activities=activities, deltas=deltas, clock=clock),
        tool_calls=tool_calls,
        count_looks=count_looks,
        waits=wait_services_over(
            activities=activities,
            inbox=inbox,
            comments=comments,
            accept_activity=accept_activity,
            wake_execution=wake_execution,
            clock=clock,
        ),
    )
