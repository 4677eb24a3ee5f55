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
from agentruns.store.stores import DynamoDbStores
from agentruns.store.table import DynamoDbTable

if TYPE_CHECKING:
    from agentruns import ports
    from agentruns.adapters.http import JsonHttp
    from agentruns.admitting import AdmitActivities
    from agentruns.aop import ExecuteAop, MintToken
    from agentruns.api.app import LambdaApp
    from agentruns.api.events import AcceptEvent
    from agentruns.api_keys import StoredApiKeys
    from agentruns.checking import CheckRun
    from agentruns.hook_urls import HookUrls
    from agentruns.learning import LearnDurations
    from agentruns.outputs import OutputStore
    from agentruns.parking import CountLooks
    from agentruns.publishing import PublishEvents
    from agentruns.runs import OpenRun, ParkRun, SettleRun
    from agentruns.sweeping import Sweep
    from agentruns.workflows import LookAtWorkflowRun, StartLeapWorkflow

PROVIDER_SETTINGS = ("table_name", "secret_prefix", "allow_private_networks", *POLL_SETTINGS)
"""What a function that calls a provider needs."""

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
        activities=_stores().activities,
        schedules=_stores().schedules,
        accept_activity=accept_activity(),
        admit_activities=_admit_activities(),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def mint_token() -> MintToken:
    from agentruns.aop import MintToken

    return MintToken(
        activities=_stores().activities,
        connections=_stores().connections,
        tokens=_tokens(),
        clock=now,
        policy=Settings.load(*PROVIDER_SETTINGS).poll_policy,
    )


@functools.cache
def execute_aop() -> ExecuteAop:
    from agentruns.aop import ExecuteAop

    return ExecuteAop(
        activities=_stores().activities,
        connections=_stores().connections,
        tokens=_tokens(),
        leena=_gated_leena_api(),
        learning=_learning(),
        clock=now,
        policy=Settings.load(*PROVIDER_SETTINGS).poll_policy,
    )


@functools.cache
def start_leap_workflow() -> StartLeapWorkflow:
    from agentruns.workflows import StartLeapWorkflow

    settings = Settings.load("hook_base_url", "output_bucket_name", *PROVIDER_SETTINGS)
    return StartLeapWorkflow(
        activities=_stores().activities,
        connections=_stores().connections,
        api_keys=_api_keys(),
        hook_urls=_hook_urls(settings.hook_base_url),
        leap=_gated_leap_api(),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def check_run() -> CheckRun:
    from agentruns.aop import LookAtAop
    from agentruns.checking import CheckRun
    from agentruns.providers import LEAP_WORKFLOW, LEENA_AOP

    settings = Settings.load("output_bucket_name", *PROVIDER_SETTINGS)
    look_at_aop = LookAtAop(
        connections=_stores().connections, tokens=_tokens(), leena=_gated_leena_api(), clock=now
    )
    return CheckRun(
        activities=_stores().activities,
        looks={LEENA_AOP: look_at_aop, LEAP_WORKFLOW: _look_at_workflow_run()},
        ask=look_at_aop.ask,
        count_looks=_count_looks(settings),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def park_run() -> ParkRun:
    from agentruns.runs import ParkRun

    policy = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS).poll_policy
    return ParkRun(
        activities=_stores().activities, executions=_executions(), clock=now, policy=policy
    )


@functools.cache
def settle_run() -> SettleRun:
    from agentruns.runs import SettleRun

    settings = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS)
    return SettleRun(
        activities=_stores().activities,
        learning=_learning(),
        admit_activities=_admit_activities(),
        count_looks=_count_looks(settings),
        clock=now,
        policy=settings.poll_policy,
    )


@functools.cache
def sweep() -> Sweep:
    from agentruns.sweeping import Sweep

    settings = Settings.load("state_machine_arn", *PROVIDER_SETTINGS)
    return Sweep(
        activities=_stores().activities,
        executions=_executions(),
        check_run=check_run(),
        settle_run=settle_run(),
        admit_activities=_admit_activities(),
        connections=_stores().connections,
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
    from agentruns.adapters.base_urls import validate_base_url
    from agentruns.adapters.leap_urls import LEAP_URL
    from agentruns.adapters.leena_regions import endpoints_for
    from agentruns.api.app import build_app
    from agentruns.api.services import services_over

    settings = Settings.load(
        "state_machine_arn", "operator_key_secret_arn", "output_bucket_name", *PROVIDER_SETTINGS
    )
    return build_app(
        services_over(
            activities=_stores().activities,
            agents=_stores().agents,
            connections=_stores().connections,
            schedules=_stores().schedules,
            operator_keys=_stores().operator_keys,
            secrets=_secrets(),
            executions=_executions(),
            outputs=_outputs,
            gates=_stores().gates,
            leena=functools.partial(leena_api, CHECK_DEADLINE_SECONDS),
            leap=functools.partial(leap_api, CHECK_DEADLINE_SECONDS),
            find_workflow_run=lambda *found: _look_at_workflow_run(CHECK_DEADLINE_SECONDS).find(
                *found
            ),
            admit_activities=_admit_activities(),
            accept_activity=accept_activity(),
            bootstrap_secret_arn=settings.operator_key_secret_arn,
            secret_prefix=settings.secret_prefix,
            endpoints_for=endpoints_for,
            leap_url=LEAP_URL,
            validate_base_url=functools.partial(
                validate_base_url, allow_private_networks=settings.allows_private_networks
            ),
            count_looks=_count_looks(settings),
            clock=now,
            policy=settings.poll_policy,
        )
    )


@functools.cache
def hooks_api() -> LambdaApp:
    from agentruns.adapters.leap_run import parse_hook
    from agentruns.api.hooks import build_hooks_app
    from agentruns.hooks import AcceptHook

    settings = Settings.load("state_machine_arn", "output_bucket_name", *PROVIDER_SETTINGS)
    return build_hooks_app(
        AcceptHook(
            activities=_stores().activities,
            executions=_executions(),
            hook_urls=_hook_urls(),
            look=_look_at_workflow_run(CHECK_DEADLINE_SECONDS),
            parse=parse_hook,
            clock=now,
            policy=settings.poll_policy,
        )
    )


@functools.cache
def accept_event() -> AcceptEvent:
    from agentruns.api.events import AcceptEvent

    settings = Settings.load("table_name", "state_machine_arn", "event_tenant")
    return AcceptEvent(accept_activity=accept_activity(), tenant=settings.event_tenant)


@functools.cache
def accept_activity() -> AcceptActivity:
    from agentruns.adapters.base_urls import validate_file_url

    allow = Settings.load("allow_private_networks").allows_private_networks
    return AcceptActivity(
        activities=_stores().activities,
        agents=_stores().agents,
        connections=_stores().connections,
        executions=_executions(),
        validate_csv_url=functools.partial(validate_file_url, allow_private_networks=allow),
        clock=now,
    )


@functools.cache
def _admit_activities() -> AdmitActivities:
    from agentruns.admitting import AdmitActivities

    return AdmitActivities(
        activities=_stores().activities,
        connections=_stores().connections,
        executions=_executions(),
        clock=now,
        policy=Settings.load(*POLL_SETTINGS).poll_policy,
    )


@functools.cache
def leena_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> ports.LeenaApi:
    from agentruns.adapters.leena import LeenaHttpApi

    return LeenaHttpApi(_http(deadline_seconds))


@functools.cache
def leap_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> ports.LeapApi:
    from agentruns.adapters.leap import LeapHttpApi

    return LeapHttpApi(_http(deadline_seconds))


@functools.cache
def _http(deadline_seconds: float) -> JsonHttp:
    from agentruns.adapters.http import JsonHttp

    allow = Settings.load("allow_private_networks").allows_private_networks
    return JsonHttp(allow_private_networks=allow, clock=now, deadline_seconds=deadline_seconds)


@functools.cache
def _gated_leena_api() -> ports.LeenaApi:
    from agentruns.guarded import guarded_leena

    return guarded_leena(leena_api(), _stores().gates, _stores().budgets, now)


@functools.cache
def _gated_leap_api(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> ports.LeapApi:
    from agentruns.guarded import guarded_leap

    return guarded_leap(leap_api(deadline_seconds), _stores().gates, _stores().budgets, now)


@functools.cache
def _look_at_workflow_run(deadline_seconds: float = CALL_DEADLINE_SECONDS) -> LookAtWorkflowRun:
    from agentruns.workflows import LookAtWorkflowRun

    leap = _gated_leap_api(deadline_seconds)
    return LookAtWorkflowRun(connections=_stores().connections, api_keys=_api_keys(), leap=leap)


@functools.cache
def _api_keys() -> StoredApiKeys:
    from agentruns.api_keys import StoredApiKeys

    prefix = Settings.load("secret_prefix").secret_prefix
    return StoredApiKeys(secrets=_secrets(), secret_prefix=prefix)


@functools.cache
def _hook_urls(base_url: str = "") -> HookUrls:
    from agentruns.hook_urls import HookUrls

    secret_arn = Settings.load("hook_secret_arn").hook_secret_arn
    return HookUrls(secrets=_secrets(), secret_arn=secret_arn, base_url=base_url)


def _count_looks(settings: Settings) -> CountLooks:
    from agentruns.parking import CountLooks

    return CountLooks(marks=_stores().look_marks, policy=settings.poll_policy)


@functools.cache
def _tokens() -> ports.TokenSource:
    from agentruns.tokens import CachedTokenSource

    return CachedTokenSource(
        api=_gated_leena_api(),
        secrets=_secrets(),
        leases=_stores().leases,
        clock=now,
        secret_prefix=Settings.load("secret_prefix").secret_prefix,
    )


@functools.cache
def _learning() -> LearnDurations:
    from agentruns.learning import LearnDurations

    return LearnDurations(durations=_stores().durations, clock=now)


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
def _stores() -> DynamoDbStores:
    table_name = Settings.load("table_name").table_name
    return DynamoDbStores(DynamoDbTable(table_name, _clients().dynamodb), _outputs)


@functools.cache
def _outputs() -> OutputStore:
    from agentruns.aws.output_store import S3OutputStore

    bucket = Settings.load("output_bucket_name").output_bucket_name
    return S3OutputStore(_clients().s3, bucket)


@functools.cache
def _clients() -> AwsClients:
    return AwsClients()
