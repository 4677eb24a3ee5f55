"""Builds what several handlers are built from: stores, secrets, clients, calls over a connection.

As `wiring`, which alone uses it: once, when first asked for, and importing only what is built.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentruns.aws.clients import AwsClients
from agentruns.settings import POLL_SETTINGS, Settings
from agentruns.store.stores import DynamoDbStores
from agentruns.store.table import DynamoDbTable

if TYPE_CHECKING:
    from agentruns import ports, provider_ports
    from agentruns.activities import AcceptActivity
    from agentruns.adapters.base_urls import Ports
    from agentruns.adapters.http import JsonHttp
    from agentruns.admitting import AdmitActivities
    from agentruns.agent_credentials import StoredAgentCredentials
    from agentruns.agent_health import CheckAgentHealth
    from agentruns.agent_ports import AgentCaller
    from agentruns.agent_tasks import BriefAgent
    from agentruns.agents import ValidateAgentUrl
    from agentruns.api_keys import StoredApiKeys
    from agentruns.cancelling import CancelActivity
    from agentruns.connection_checks import CheckConnection
    from agentruns.hook_urls import HookUrls
    from agentruns.learning import LearnDurations
    from agentruns.linking import LinkActivities
    from agentruns.outputs import OutputStore
    from agentruns.parking import CountLooks
    from agentruns.probing import ProbeAgent
    from agentruns.task_tokens import TaskTokens
    from agentruns.tending import TendWaits
    from agentruns.waking import TransactAndWake, WakeExecution
    from agentruns.workflows import LookAtWorkflowRun

CALL_DEADLINE_SECONDS = 20.0
CHECK_DEADLINE_SECONDS = 9.0
"""Checking a connection takes two calls while a caller waits, and API Gateway waits 29 s."""

CHECK_DEADLINE_SECONDS = 9.0
"""Checking a connection takes two calls while a caller waits, and API Gateway waits 29 s."""


def now() -> datetime:
    return datetime.now(UTC)


@functools.cache
def accept_activity() -> AcceptActivity:
    from agentruns.activities import AcceptActivity
    from agentruns.adapters.base_urls import validate_file_url

    allow = Settings.load("allow_private_networks").allows_private_networks
    return AcceptActivity(
        activities=stores().activities,
        agents=stores().agents,
        connections=stores().connections,
        executions=executions(),
        validate_csv_url=functools.partial(validate_file_url, allow_private_networks=allow),
        clock=now,
    )


def as_deployed(validate: Callable[[str, bool, Ports], str]) -> Callable[[str], str]:
    """Whether a URL may be called, by the deployment's parameters."""
    settings = Settings.load("allow_private_networks", "allowed_ports")
    allow, ports = settings.allows_private_networks, settings.ports
    return lambda url: validate(url, allow, ports)


@functools.cache
def admit_activities() -> AdmitActivities:
    from agentruns.admitting import AdmitActivities

    return AdmitActivities(
        activities=stores().activities,
        connections=stores().connections,
        wake_execution=wake_execution(),
        clock=now,
    )


@functools.cache
def wake_execution() -> WakeExecution:
    from agentruns.waking import WakeExecution

    return WakeExecution(
        activities=stores().activities,
        executions=executions(),
        clock=now,
        policy=Settings.load(*POLL_SETTINGS).poll_policy,
    )


@functools.cache
def transact_and_wake() -> TransactAndWake:
    from agentruns.waking import TransactAndWake

    return TransactAndWake(activities=stores().activities, wake_execution=wake_execution())


@functools.cache
def link_activities() -> LinkActivities:
    from agentruns.linking import LinkActivities

    return LinkActivities(
        activities=stores().activities,
        outputs=outputs,
        transact_and_wake=transact_and_wake(),
        clock=now,
    )


@functools.cache
def cancel_activity() -> CancelActivity:
    from agentruns.cancelling import CancelActivity

    return CancelActivity(
        activities=stores().activities,
        executions=executions(),
        admit_activities=admit_activities(),
        count_looks=count_looks(),
        clock=now,
    )


@functools.cache
def tend_waits() -> TendWaits:
    from agentruns.tending import TendWaits

    return TendWaits(
        transact_and_wake=transact_and_wake(),
        link_activities=link_activities(),
        admit_activities=admit_activities(),
        cancel_activity=cancel_activity(),
        clock=now,
    )


@functools.cache
def leena_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> provider_ports.LeenaApi:
    from agentruns.adapters.leena import LeenaHttpApi

    return LeenaHttpApi(http(deadline_seconds))


@functools.cache
def leap_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> provider_ports.LeapApi:
    from agentruns.adapters.leap import LeapHttpApi

    return LeapHttpApi(http(deadline_seconds))


@functools.cache
def agent_caller(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> AgentCaller:
    from agentruns.adapters.agent_webhook import HttpAgentCaller

    return HttpAgentCaller(http(deadline_seconds), now)


@functools.cache
def http(deadline_seconds: float) -> JsonHttp:
    from agentruns.adapters.http import JsonHttp

    settings = Settings.load("allow_private_networks", "allowed_ports")
    return JsonHttp(
        allow_private_networks=settings.allows_private_networks,
        ports=settings.ports,
        clock=now,
        deadline_seconds=deadline_seconds,
    )


@functools.cache
def gated_leena_api() -> provider_ports.LeenaApi:
    from agentruns.guarded import guarded_leena

    return guarded_leena(leena_api(), stores().gates, stores().budgets, now)


@functools.cache
def gated_leap_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> provider_ports.LeapApi:
    from agentruns.guarded import guarded_leap

    return guarded_leap(leap_api(deadline_seconds), stores().gates, stores().budgets, now)


@functools.cache
def look_at_workflow_run(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> LookAtWorkflowRun:
    from agentruns.workflows import LookAtWorkflowRun

    leap = gated_leap_api(deadline_seconds)
    return LookAtWorkflowRun(connections=stores().connections, api_keys=api_keys(), leap=leap)


@functools.cache
def api_keys() -> StoredApiKeys:
    from agentruns.api_keys import StoredApiKeys

    prefix = Settings.load("secret_prefix").secret_prefix
    return StoredApiKeys(secrets=secrets(), secret_prefix=prefix)


@functools.cache
def hook_urls(base_url: str = "") -> HookUrls:
    from agentruns.hook_urls import HookUrls

    secret_arn = Settings.load("hook_secret_arn").hook_secret_arn
    return HookUrls(secrets=secrets(), secret_arn=secret_arn, base_url=base_url)


@functools.cache
def task_tokens() -> TaskTokens:
    from agentruns.task_tokens import TaskTokens

    secret_arn = Settings.load("task_token_secret_arn").task_token_secret_arn
    return TaskTokens(secrets=secrets(), secret_arn=secret_arn, clock=now)


@functools.cache
def brief_agent() -> BriefAgent:
    from agentruns.agent_tasks import BriefAgent
    from agentruns.skills import SkillsOfAgent

    return BriefAgent(
        activities=stores().activities,
        agents=stores().agents,
        skills_of_agent=SkillsOfAgent(skills=stores().skills),
        sessions=stores().sessions,
        clock=now,
    )


@functools.cache
def agent_credentials() -> StoredAgentCredentials:
    from agentruns.agent_credentials import StoredAgentCredentials

    prefix = Settings.load("secret_prefix").secret_prefix
    return StoredAgentCredentials(secrets=secrets(), secret_prefix=prefix)


@functools.cache
def validate_agent_url() -> ValidateAgentUrl:
    from agentruns.adapters.base_urls import validate_url

    return as_deployed(validate_url)


@functools.cache
def check_connection() -> CheckConnection:
    from agentruns.connection_checks import CheckConnection

    return CheckConnection(
        connections=stores().connections,
        secrets=secrets(),
        secret_prefix=Settings.load("secret_prefix").secret_prefix,
        leena=functools.partial(leena_api, CHECK_DEADLINE_SECONDS),
        leap=functools.partial(leap_api, CHECK_DEADLINE_SECONDS),
        gates=stores().gates,
        activities=stores().activities,
        clock=now,
    )


@functools.cache
def check_agent_health() -> CheckAgentHealth:
    from agentruns.agent_health import CheckAgentHealth

    return CheckAgentHealth(
        agents=stores().agents,
        activities=stores().activities,
        credentials=agent_credentials(),
        caller=functools.partial(agent_caller, CHECK_DEADLINE_SECONDS),
        validate_url=validate_agent_url(),
        check_connection=check_connection(),
        clock=now,
    )


@functools.cache
def probe_agent() -> ProbeAgent:
    from agentruns.probing import ProbeAgent

    return ProbeAgent(
        agents=stores().agents,
        activities=stores().activities,
        accept_activity=accept_activity(),
        cancel_activity=cancel_activity(),
        clock=now,
        sleep=time.sleep,
    )


@functools.cache
def count_looks() -> CountLooks:
    from agentruns.parking import CountLooks

    policy = Settings.load(*POLL_SETTINGS).poll_policy
    return CountLooks(marks=stores().look_marks, policy=policy)


@functools.cache
def tokens() -> provider_ports.TokenSource:
    from agentruns.tokens import CachedTokenSource

    return CachedTokenSource(
        api=gated_leena_api(),
        secrets=secrets(),
        leases=stores().leases,
        clock=now,
        secret_prefix=Settings.load("secret_prefix").secret_prefix,
    )


@functools.cache
def learning() -> LearnDurations:
    from agentruns.learning import LearnDurations

    return LearnDurations(durations=stores().durations, clock=now)


@functools.cache
def executions() -> ports.Executions:
    from agentruns.aws.executions import StepFunctionsExecutions

    settings = Settings.load("state_machine_arn")
    return StepFunctionsExecutions(clients().stepfunctions, settings.state_machine_arn)


@functools.cache
def secrets() -> ports.SecretStore:
    from agentruns.aws.secret_store import SecretsManagerSecretStore

    return SecretsManagerSecretStore(clients().secretsmanager)


@functools.cache
def stores() -> DynamoDbStores:
    table_name = Settings.load("table_name").table_name
    return DynamoDbStores(DynamoDbTable(table_name, clients().dynamodb), outputs)


@functools.cache
def outputs() -> OutputStore:
    from agentruns.aws.output_store import S3OutputStore

    bucket = Settings.load("output_bucket_name").output_bucket_name
    return S3OutputStore(clients().s3, bucket)


@functools.cache
def clients() -> AwsClients:
    return AwsClients()
