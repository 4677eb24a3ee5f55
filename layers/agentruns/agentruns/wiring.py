"""Builds what the handlers call. The only builder; each thing is built once, when first asked for.

A function imports only what it builds: pydantic stays with the API, requests with the provider.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentruns.activities import AcceptActivity
from agentruns.aws.clients import AwsClients
from agentruns.settings import POLL_SETTINGS, Settings
from agentruns.store.table import DynamoDbTable

if TYPE_CHECKING:
    from agentruns import ports
    from agentruns.admitting import AdmitActivities
    from agentruns.aop import CheckAop, ExecuteAop, MintToken
    from agentruns.api.app import LambdaApp
    from agentruns.api.events import AcceptEvent
    from agentruns.learning import LearnDurations
    from agentruns.parking import CountLooks
    from agentruns.publishing import PublishEvents
    from agentruns.runs import OpenRun, ParkRun, SettleRun
    from agentruns.sweeping import Sweep

LEENA_SETTINGS = ("table_name", "secret_prefix", "allow_private_networks", *POLL_SETTINGS)
"""What a function that calls Leena AI needs."""

CALL_DEADLINE_SECONDS = 20.0
CHECK_DEADLINE_SECONDS = 9.0
"""Checking a connection takes two calls while a caller waits, and API Gateway waits 29 s."""


def now() -> datetime:
    return datetime.now(UTC)


@functools.cache
def open_run() -> OpenRun:
    from agentruns.runs import OpenRun

    settings = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS)
    return OpenRun(
        activities=_activities(),
        schedules=_schedules(),
        accept_activity=accept_activity(),
        admit_activities=_admit_activities(),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def mint_token() -> MintToken:
    from agentruns.aop import MintToken

    return MintToken(
        activities=_activities(),
        connections=_connections(),
        tokens=_tokens(),
        clock=now,
        policy=Settings.load(*LEENA_SETTINGS).poll_policy,
    )


@functools.cache
def execute_aop() -> ExecuteAop:
    from agentruns.aop import ExecuteAop

    settings = Settings.load(*LEENA_SETTINGS)
    return ExecuteAop(
        activities=_activities(),
        connections=_connections(),
        tokens=_tokens(),
        leena=_gated_leena_api(),
        learning=_learning(),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def check_aop() -> CheckAop:
    from agentruns.aop import CheckAop

    settings = Settings.load(*LEENA_SETTINGS)
    return CheckAop(
        activities=_activities(),
        connections=_connections(),
        tokens=_tokens(),
        leena=_gated_leena_api(),
        count_looks=_count_looks(settings),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def park_run() -> ParkRun:
    from agentruns.runs import ParkRun

    settings = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS)
    return ParkRun(
        activities=_activities(), executions=_executions(), clock=now, policy=settings.poll_policy
    )


@functools.cache
def settle_run() -> SettleRun:
    from agentruns.runs import SettleRun

    settings = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS)
    return SettleRun(
        activities=_activities(),
        learning=_learning(),
        admit_activities=_admit_activities(),
        count_looks=_count_looks(settings),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def sweep() -> Sweep:
    from agentruns.sweeping import Sweep

    settings = Settings.load("state_machine_arn", *LEENA_SETTINGS)
    return Sweep(
        activities=_activities(),
        executions=_executions(),
        check_aop=check_aop(),
        settle_run=settle_run(),
        admit_activities=_admit_activities(),
        connections=_connections(),
        marks=_count_looks(settings).marks,
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def publish_events() -> PublishEvents:
    from agentruns.aws.event_bus import EventBridgeBus
    from agentruns.publishing import PublishEvents
    from agentruns.store.stream import event_of_record

    settings = Settings.load("event_bus_name")
    bus = EventBridgeBus(_clients().events, settings.event_bus_name)
    return PublishEvents(bus=bus, event_of_record=event_of_record)


@functools.cache
def operator_api() -> LambdaApp:
    from agentruns.activities import CancelActivity
    from agentruns.adapters.base_urls import validate_base_url
    from agentruns.adapters.leena_regions import endpoints_for
    from agentruns.agents import StoreAgent
    from agentruns.api.app import build_app
    from agentruns.api.services import ApiServices
    from agentruns.connections import (
        CheckConnection,
        DeleteConnection,
        LimitConnection,
        StoreConnection,
    )
    from agentruns.operator_keys import IssueOperatorKey, OperatorKeyring, RevokeOperatorKey
    from agentruns.redriving import RedriveActivities, RedriveActivity
    from agentruns.resolving import ResolveRun
    from agentruns.schedules import StoreSchedule
    from agentruns.store.operator_keys import DynamoDbOperatorKeyStore

    settings = Settings.load(
        "table_name",
        "secret_prefix",
        "state_machine_arn",
        "operator_key_secret_arn",
        "allow_private_networks",
        *POLL_SETTINGS,
    )
    connections, agents, schedules, secrets = _connections(), _agents(), _schedules(), _secrets()
    keys = DynamoDbOperatorKeyStore(_table())
    keyring = OperatorKeyring(
        keys=keys, secrets=secrets, bootstrap_secret_arn=settings.operator_key_secret_arn, clock=now
    )
    redrive_activity = RedriveActivity(
        activities=_activities(),
        agents=agents,
        connections=connections,
        executions=_executions(),
        clock=now,
    )
    return build_app(
        ApiServices(
            keyring=keyring,
            issue_operator_key=IssueOperatorKey(keys=keys, clock=now),
            revoke_operator_key=RevokeOperatorKey(keys=keys, keyring=keyring),
            operator_keys=keys,
            store_connection=StoreConnection(
                connections=connections,
                secrets=secrets,
                secret_prefix=settings.secret_prefix,
                endpoints_for=endpoints_for,
                validate_base_url=functools.partial(
                    validate_base_url, allow_private_networks=settings.allows_private_networks
                ),
                clock=now,
            ),
            limit_connection=LimitConnection(
                connections=connections, admit_activities=_admit_activities()
            ),
            delete_connection=DeleteConnection(
                connections=connections,
                agents=agents,
                secrets=secrets,
                secret_prefix=settings.secret_prefix,
            ),
            check_connection=CheckConnection(
                connections=connections,
                secrets=secrets,
                secret_prefix=settings.secret_prefix,
                leena=functools.partial(leena_api, CHECK_DEADLINE_SECONDS),
                gates=_gates(),
                activities=_activities(),
                clock=now,
            ),
            connections=connections,
            store_agent=StoreAgent(agents=agents, connections=connections, clock=now),
            agents=agents,
            store_schedule=StoreSchedule(
                schedules=schedules, agents=agents, connections=connections, clock=now
            ),
            schedules=schedules,
            accept_activity=accept_activity(),
            cancel_activity=CancelActivity(
                activities=_activities(),
                executions=_executions(),
                admit_activities=_admit_activities(),
                count_looks=_count_looks(settings),
                clock=now,
            ),
            resolve_run=ResolveRun(
                activities=_activities(),
                executions=_executions(),
                clock=now,
                policy=settings.poll_policy,
            ),
            redrive_activity=redrive_activity,
            redrive_activities=RedriveActivities(
                activities=_activities(), redrive_activity=redrive_activity
            ),
            activities=_activities(),
            count_looks=_count_looks(settings),
        )
    )


@functools.cache
def accept_event() -> AcceptEvent:
    from agentruns.api.events import AcceptEvent

    settings = Settings.load("table_name", "state_machine_arn", "event_tenant")
    return AcceptEvent(accept_activity=accept_activity(), tenant=settings.event_tenant)


@functools.cache
def accept_activity() -> AcceptActivity:
    return AcceptActivity(
        activities=_activities(),
        agents=_agents(),
        connections=_connections(),
        executions=_executions(),
        clock=now,
    )


@functools.cache
def _admit_activities() -> AdmitActivities:
    from agentruns.admitting import AdmitActivities

    return AdmitActivities(
        activities=_activities(),
        connections=_connections(),
        executions=_executions(),
        clock=now,
        policy=Settings.load(*POLL_SETTINGS).poll_policy,
    )


@functools.cache
def leena_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> ports.LeenaApi:
    from agentruns.adapters.http import JsonHttp
    from agentruns.adapters.leena import LeenaHttpApi

    allow = Settings.load("allow_private_networks").allows_private_networks
    http = JsonHttp(allow_private_networks=allow, clock=now, deadline_seconds=deadline_seconds)
    return LeenaHttpApi(http)


@functools.cache
def _gated_leena_api() -> ports.LeenaApi:
    from agentruns.budgeting import BudgetedLeenaApi, RequestBudget
    from agentruns.gated_leena import GatedLeenaApi
    from agentruns.gating import ConnectionGate
    from agentruns.store.budgets import DynamoDbBudgetStore

    budget = RequestBudget(budgets=DynamoDbBudgetStore(_table()), clock=now)
    gate = ConnectionGate(gates=_gates(), clock=now)
    return GatedLeenaApi(BudgetedLeenaApi(leena_api(), budget), gate, now)


@functools.cache
def _gates() -> ports.GateStore:
    from agentruns.store.gates import DynamoDbGateStore

    return DynamoDbGateStore(_table())


def _count_looks(settings: Settings) -> CountLooks:
    from agentruns.parking import CountLooks
    from agentruns.store.look_marks import DynamoDbLookMarkStore

    return CountLooks(marks=DynamoDbLookMarkStore(_table()), policy=settings.poll_policy)


@functools.cache
def _tokens() -> ports.TokenSource:
    from agentruns.store.leases import DynamoDbLeaseStore
    from agentruns.tokens import CachedTokenSource

    return CachedTokenSource(
        api=_gated_leena_api(),
        secrets=_secrets(),
        leases=DynamoDbLeaseStore(_table()),
        clock=now,
        secret_prefix=Settings.load("secret_prefix").secret_prefix,
    )


@functools.cache
def _activities() -> ports.ActivityStore:
    from agentruns.store.activities import DynamoDbActivityStore

    return DynamoDbActivityStore(_table())


@functools.cache
def _connections() -> ports.ConnectionStore:
    from agentruns.store.connections import DynamoDbConnectionStore

    return DynamoDbConnectionStore(_table())


@functools.cache
def _agents() -> ports.AgentStore:
    from agentruns.store.agents import DynamoDbAgentStore

    return DynamoDbAgentStore(_table())


@functools.cache
def _schedules() -> ports.ScheduleStore:
    from agentruns.store.schedules import DynamoDbScheduleStore

    return DynamoDbScheduleStore(_table())


@functools.cache
def _learning() -> LearnDurations:
    from agentruns.learning import LearnDurations
    from agentruns.store.durations import DynamoDbDurationStore

    return LearnDurations(durations=DynamoDbDurationStore(_table()), clock=now)


@functools.cache
def _executions() -> ports.Executions:
    from agentruns.aws.executions import StepFunctionsExecutions

    settings = Settings.load("state_machine_arn")
    return StepFunctionsExecutions(_clients().stepfunctions, settings.state_machine_arn)


@functools.cache
def _secrets() -> ports.SecretStore:
    from agentruns.aws.secret_store import SecretsManagerSecretStore

    return SecretsManagerSecretStore(_clients().secretsmanager)


@functools.cache
def _table() -> DynamoDbTable:
    return DynamoDbTable(Settings.load("table_name").table_name, _clients().dynamodb)


@functools.cache
def _clients() -> AwsClients:
    return AwsClients()
