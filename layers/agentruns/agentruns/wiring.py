"""Builds what the handlers call; each thing is built once, when first asked for.

A function imports only what it builds: pydantic stays with the API, requests with the provider.
Not here: what several of them are built from (`wiring_parts`).
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agentruns import wiring_parts as parts
from agentruns.settings import POLL_SETTINGS, Settings

if TYPE_CHECKING:
    from agentruns.agent_tasks import DispatchAgent
    from agentruns.aop import ExecuteAop, MintToken
    from agentruns.api.events import AcceptEvent
    from agentruns.api.front import LambdaApp
    from agentruns.checking import CheckRun
    from agentruns.linking import LinkFromStream
    from agentruns.publishing import PublishEvents
    from agentruns.runs import OpenRun, ParkRun, SettleRun
    from agentruns.sweeping import Sweep
    from agentruns.workflows import StartLeapWorkflow

T = TypeVar("T")

CALL_SETTINGS = ("allow_private_networks", "allowed_ports")
PROVIDER_SETTINGS = ("table_name", "secret_prefix", *CALL_SETTINGS, *POLL_SETTINGS)
"""What a function that calls a provider or an agent needs."""


def built_once(build: Callable[[], T]) -> Callable[[], T]:
    """Without a search for garbage among the modules and classes that it loads, now or later: they
    stay, and looking through them is up to a tenth of a cold start."""

    @functools.cache
    @functools.wraps(build)
    def built() -> T:
        gc.disable()
        try:
            return build()
        finally:
            gc.freeze()
            gc.enable()

    return built


@built_once
def open_run() -> OpenRun:
    from agentruns.runs import OpenRun

    settings = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS)
    return OpenRun(
        activities=parts.stores().activities,
        schedules=parts.stores().schedules,
        accept_activity=parts.accept_activity(),
        admit_activities=parts.admit_activities(),
        clock=parts.now,
        policy=settings.poll_policy,
    )


@built_once
def mint_token() -> MintToken:
    from agentruns.aop import MintToken

    return MintToken(
        activities=parts.stores().activities,
        connections=parts.stores().connections,
        tokens=parts.tokens(),
        clock=parts.now,
        policy=Settings.load(*PROVIDER_SETTINGS).poll_policy,
    )


@built_once
def execute_aop() -> ExecuteAop:
    from agentruns.aop import ExecuteAop

    return ExecuteAop(
        activities=parts.stores().activities,
        connections=parts.stores().connections,
        tokens=parts.tokens(),
        leena=parts.gated_leena_api(),
        learning=parts.learning(),
        clock=parts.now,
        policy=Settings.load(*PROVIDER_SETTINGS).poll_policy,
    )


@built_once
def start_leap_workflow() -> StartLeapWorkflow:
    from agentruns.workflows import StartLeapWorkflow

    settings = Settings.load("hook_base_url", "output_bucket_name", *PROVIDER_SETTINGS)
    return StartLeapWorkflow(
        activities=parts.stores().activities,
        connections=parts.stores().connections,
        api_keys=parts.api_keys(),
        hook_urls=parts.hook_urls(settings.hook_base_url),
        leap=parts.gated_leap_api(),
        clock=parts.now,
        policy=settings.poll_policy,
    )


@built_once
def dispatch_agent() -> DispatchAgent:
    from agentruns.agent_tasks import DispatchAgent

    settings = Settings.load("agent_api_url", *PROVIDER_SETTINGS)
    return DispatchAgent(
        activities=parts.stores().activities,
        brief_agent=parts.brief_agent(),
        credentials=parts.agent_credentials(),
        task_tokens=parts.task_tokens(),
        caller=parts.agent_caller(),
        agent_api_url=settings.agent_api_url,
        clock=parts.now,
        policy=settings.poll_policy,
    )


@built_once
def check_run() -> CheckRun:
    from agentruns.aop import LookAtAop
    from agentruns.checking import CheckRun, nobody_to_ask
    from agentruns.providers import LEAP_WORKFLOW, LEENA_AOP, WEBHOOK_AGENT

    settings = Settings.load("output_bucket_name", *PROVIDER_SETTINGS)
    look_at_aop = LookAtAop(
        connections=parts.stores().connections,
        tokens=parts.tokens(),
        leena=parts.gated_leena_api(),
        clock=parts.now,
    )
    return CheckRun(
        activities=parts.stores().activities,
        looks={
            LEENA_AOP: look_at_aop,
            LEAP_WORKFLOW: parts.look_at_workflow_run(),
            WEBHOOK_AGENT: nobody_to_ask,
        },
        ask=look_at_aop.ask,
        count_looks=parts.count_looks(),
        clock=parts.now,
        policy=settings.poll_policy,
    )


@built_once
def park_run() -> ParkRun:
    from agentruns.runs import ParkRun

    policy = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS).poll_policy
    return ParkRun(
        activities=parts.stores().activities,
        wake_execution=parts.wake_execution(),
        clock=parts.now,
        policy=policy,
    )


@built_once
def settle_run() -> SettleRun:
    from agentruns.runs import SettleRun

    settings = Settings.load("table_name", "state_machine_arn", *POLL_SETTINGS)
    return SettleRun(
        activities=parts.stores().activities,
        learning=parts.learning(),
        admit_activities=parts.admit_activities(),
        count_looks=parts.count_looks(),
        clock=parts.now,
        policy=settings.poll_policy,
    )


@built_once
def sweep() -> Sweep:
    from agentruns.sweeping import Sweep

    settings = Settings.load("state_machine_arn", *PROVIDER_SETTINGS)
    return Sweep(
        activities=parts.stores().activities,
        executions=parts.executions(),
        wake_execution=parts.wake_execution(),
        check_run=check_run(),
        settle_run=settle_run(),
        admit_activities=parts.admit_activities(),
        tend_waits=parts.tend_waits(),
        connections=parts.stores().connections,
        marks=parts.count_looks().marks,
        clock=parts.now,
        policy=settings.poll_policy,
    )


@built_once
def publish_events() -> PublishEvents:
    from agentruns.aws.event_bus import EventBridgeBus
    from agentruns.publishing import PublishEvents
    from agentruns.store.stream import event_of_record

    settings = Settings.load("event_bus_name")
    bus = EventBridgeBus(parts.clients().events, settings.event_bus_name)
    return PublishEvents(bus=bus, event_of_record=event_of_record)


@built_once
def link_activities() -> LinkFromStream:
    from agentruns.commenting import FollowMentions
    from agentruns.linking import LinkFromStream
    from agentruns.mentions import NotifyAgents
    from agentruns.store.stream import event_of_record

    Settings.load("output_bucket_name")  # where the large output of a subtask is
    return LinkFromStream(
        link_activities=parts.link_activities(),
        follow_mentions=FollowMentions(
            activities=parts.stores().activities,
            comments=parts.stores().inbox,
            notify_agents=NotifyAgents(accept_activity=parts.accept_activity()),
            outputs=parts.outputs,
            clock=parts.now,
        ),
        event_of_record=event_of_record,
    )


@built_once
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
            activities=parts.stores().activities,
            inbox=parts.stores().inbox,
            comments=parts.stores().inbox,
            agents=parts.stores().agents,
            agent_keys=parts.stores().agent_keys,
            skills=parts.stores().skills,
            deltas=parts.stores().deltas,
            tool_calls=parts.stores().tool_calls,
            connections=parts.stores().connections,
            schedules=parts.stores().schedules,
            operator_keys=parts.stores().operator_keys,
            secrets=parts.secrets(),
            executions=parts.executions(),
            outputs=parts.outputs,
            find_workflow_run=lambda *found: parts.look_at_workflow_run(
                parts.CHECK_DEADLINE_SECONDS
            ).find(*found),
            credentials=parts.agent_credentials(),
            check_connection=parts.check_connection(),
            check_agent_health=parts.check_agent_health(),
            probe_agent=parts.probe_agent(),
            admit_activities=parts.admit_activities(),
            accept_activity=parts.accept_activity(),
            cancel_activity=parts.cancel_activity(),
            wake_execution=parts.wake_execution(),
            bootstrap_secret_arn=settings.operator_key_secret_arn,
            secret_prefix=settings.secret_prefix,
            endpoints_for=endpoints_for,
            leap_url=LEAP_URL,
            validate_base_url=parts.as_deployed(validate_base_url),
            validate_agent_url=parts.validate_agent_url(),
            count_looks=parts.count_looks(),
            clock=parts.now,
        )
    )


@built_once
def agent_api() -> LambdaApp:
    from agentruns.agent_keys import AgentKeyring
    from agentruns.agent_results import (
        AgentOfRun,
        AgentRuns,
        DeliverResult,
        ReadContext,
        RenewToken,
    )
    from agentruns.agent_streams import ReceiveDelta, ReportToolCall
    from agentruns.api.action_services import action_services_over
    from agentruns.api.agent_app import build_agent_app
    from agentruns.api.agent_services import AgentServices
    from agentruns.sessions import StoreSession

    Settings.load("state_machine_arn", "output_bucket_name", *PROVIDER_SETTINGS)  # all at once
    runs = AgentRuns(activities=parts.stores().activities, clock=parts.now)
    return build_agent_app(
        AgentServices(
            task_tokens=parts.task_tokens(),
            keyring=AgentKeyring(keys=parts.stores().agent_keys, clock=parts.now),
            runs=runs,
            read_context=ReadContext(
                runs=runs,
                brief_agent=parts.brief_agent(),
                outputs=parts.outputs,
                comments=parts.stores().inbox,
            ),
            renew_token=RenewToken(runs=runs, task_tokens=parts.task_tokens()),
            deliver_result=DeliverResult(
                runs=runs, wake_execution=parts.wake_execution(), clock=parts.now
            ),
            agent_of_run=AgentOfRun(runs=runs, agents=parts.stores().agents),
            skills_of_agent=parts.brief_agent().skills_of_agent,
            store_session=StoreSession(
                sessions=parts.stores().sessions,
                activities=parts.stores().activities,
                clock=parts.now,
            ),
            sessions=parts.stores().sessions,
            check_agent_health=parts.check_agent_health(),
            probe_agent=parts.probe_agent(),
            clock=parts.now,
            receive_delta=ReceiveDelta(runs=runs, deltas=parts.stores().deltas, clock=parts.now),
            report_tool_call=ReportToolCall(
                runs=runs, tool_calls=parts.stores().tool_calls, clock=parts.now
            ),
            actions=action_services_over(
                activities=parts.stores().activities,
                comments=parts.stores().inbox,
                accept_activity=parts.accept_activity(),
                link_activities=parts.link_activities(),
                executions=parts.executions(),
                wake_execution=parts.wake_execution(),
                clock=parts.now,
            ),
        )
    )


@built_once
def hooks_api() -> LambdaApp:
    from agentruns.adapters.leap_run import parse_hook
    from agentruns.api.hooks import build_hooks_app
    from agentruns.hooks import AcceptHook

    settings = Settings.load("state_machine_arn", "output_bucket_name", *PROVIDER_SETTINGS)
    return build_hooks_app(
        AcceptHook(
            activities=parts.stores().activities,
            wake_execution=parts.wake_execution(),
            hook_urls=parts.hook_urls(),
            look=parts.look_at_workflow_run(parts.CHECK_DEADLINE_SECONDS),
            parse=parse_hook,
            clock=parts.now,
            policy=settings.poll_policy,
        )
    )


@built_once
def accept_event() -> AcceptEvent:
    from agentruns.api.events import AcceptEvent

    settings = Settings.load("table_name", "state_machine_arn", "event_tenant")
    return AcceptEvent(accept_activity=parts.accept_activity(), tenant=settings.event_tenant)
