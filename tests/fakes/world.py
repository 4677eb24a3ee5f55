"""Every use case of the core over the fakes: what `wiring` builds, without AWS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from agentruns.actions import CreateApproval, ReportBlocker, RequestReview
from agentruns.activities import AcceptActivity, Accepted
from agentruns.adapters.base_urls import validate_file_url
from agentruns.adapters.leap_run import parse_hook
from agentruns.admitting import AdmitActivities
from agentruns.agent_credentials import StoredAgentCredentials
from agentruns.agent_results import AgentRuns, DeliverResult, ReadContext, RenewToken
from agentruns.agent_streams import ReceiveDelta, ReportToolCall
from agentruns.agent_tasks import BriefAgent, DispatchAgent
from agentruns.aop import ExecuteAop, LookAtAop, MintToken
from agentruns.api_keys import StoredApiKeys
from agentruns.budgeting import BudgetedLeenaApi, RequestBudget
from agentruns.cancelling import CancelActivity
from agentruns.checking import CheckRun, nobody_to_ask
from agentruns.commenting import AddComment, FollowMentions
from agentruns.deciding import DecideApproval, ResolveHumanTask
from agentruns.definitions import ActivityRequest, Agent
from agentruns.hook_urls import HookUrls
from agentruns.hooks import AcceptHook
from agentruns.inbox import ListInbox
from agentruns.learning import LearnDurations
from agentruns.linking import LinkActivities
from agentruns.mentions import NotifyAgents
from agentruns.model import Event, Trigger
from agentruns.parking import CountLooks
from agentruns.polling import PollPolicy
from agentruns.providers import (
    LEAP_WORKFLOW,
    LEENA_AOP,
    WEBHOOK_AGENT,
    ConnectionLimits,
    LeapConnection,
    LeapDialect,
    LeapWorkflowAdapter,
    LeenaAopAdapter,
    LeenaConnection,
    WebhookAgentAdapter,
)
from agentruns.reassigning import Reassign
from agentruns.redriving import RedriveActivities, RedriveActivity
from agentruns.runs import OpenRun, ParkRun, SettleRun
from agentruns.skills import SkillsOfAgent
from agentruns.steps import RunTask
from agentruns.subtasks import CreateSubtask
from agentruns.sweeping import Sweep
from agentruns.task_tokens import TaskTokens
from agentruns.tending import TendWaits
from agentruns.waking import TransactAndWake, WakeExecution
from agentruns.workflows import LookAtWorkflowRun, StartLeapWorkflow
from tests.fakes.agent_stores import (
    InMemoryAgentKeyStore,
    InMemoryDeltaStore,
    InMemorySessionStore,
    InMemorySkillStore,
    InMemoryToolCallStore,
)
from tests.fakes.agents import FakeAgentCaller
from tests.fakes.budgets import InMemoryBudgetStore
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.executions import FakeExecutions
from tests.fakes.leap import FakeLeapApi
from tests.fakes.leena import FakeLeenaApi, FakeTokenSource
from tests.fakes.look_marks import InMemoryLookMarkStore
from tests.fakes.outputs import InMemoryOutputStore
from tests.fakes.secrets import InMemorySecretStore
from tests.fakes.stores import (
    InMemoryActivityStore,
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemoryDurationStore,
    InMemoryScheduleStore,
)

TENANT = "acme"
ROLE = "it_support"
CONNECTION = LeenaConnection(
    tenant=TENANT,
    name="hr",
    region="us-east-1",
    auth_url="https://auth.example",
    api_url="https://api.example",
    created_at=NOON,
    updated_at=NOON,
)
LEAP_CONNECTION = LeapConnection(
    tenant=TENANT,
    name="flows",
    api_url="https://leap.example",
    dialect=LeapDialect.RUNS,
    created_at=NOON,
    updated_at=NOON,
)
LEAP_ADAPTER = LeapWorkflowAdapter(connection="flows", workflow_id="wkf_1")
HOOK_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:agentruns/test/hook-key"
SECRET_PREFIX = "agentruns/test"
WRITER = "copywriter"
WRITER_ADAPTER = WebhookAgentAdapter(url="https://agents.example/copywriter")
TASK_TOKEN_SECRET_ARN = (
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:agentruns/test/task-token-key"
)
REQUEST = ActivityRequest(agent_role=ROLE, message="reset my VPN", context={"ticket": "INC1"})


def untouched(name: str, port: Any) -> Any:
    """The wrapper that wraps nothing; `name` is the port's name in the use cases."""
    return port


class World:
    """`wrap(name, port)` may put something before a port: a store that conflicts, a kill point."""

    def __init__(
        self,
        *,
        policy: PollPolicy | None = None,
        leena: Callable[[FakeClock], FakeLeenaApi] = lambda clock: FakeLeenaApi(),
        leap: Callable[[FakeClock], FakeLeapApi] = lambda clock: FakeLeapApi(),
        wrap: Callable[[str, Any], Any] = untouched,
        requests_per_minute: int | None = None,
        **agent: Any,
    ) -> None:
        self.policy = policy or PollPolicy()
        self.clock = FakeClock()
        self.outputs = InMemoryOutputStore()
        self.store = InMemoryActivityStore(wrap("outputs", self.outputs))
        self.deltas = InMemoryDeltaStore()
        self.tool_calls = InMemoryToolCallStore(self.store)
        self.agents = InMemoryAgentStore()
        self.connections = InMemoryConnectionStore()
        self.schedules = InMemoryScheduleStore()
        self.durations = InMemoryDurationStore()
        self.marks = InMemoryLookMarkStore()
        self.budgets = InMemoryBudgetStore()
        self.executions = FakeExecutions()
        self.tokens = FakeTokenSource()
        self.leena: Any = leena(self.clock)  # what a test scripts differs
        self.leap: Any = leap(self.clock)
        self.agent = FakeAgentCaller()
        self.agent_keys = InMemoryAgentKeyStore()
        self.skills = InMemorySkillStore()
        self.sessions = InMemorySessionStore()
        self.secrets = InMemorySecretStore()
        self.secrets.put(HOOK_SECRET_ARN, {"key": "k" * 48}, "")
        self.secrets.put(f"{SECRET_PREFIX}/connections/{TENANT}/flows", {"api_key": "key-1"}, "")
        self.connections.put(LEAP_CONNECTION)
        self.secrets.put(TASK_TOKEN_SECRET_ARN, {"key": "t" * 64}, "")
        signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
        self.secrets.put(f"{SECRET_PREFIX}/agents/{TENANT}/{WRITER}", signing, "")
        self.limit_requests(requests_per_minute)
        self.put_agent(**agent)
        self.put_agent(role=WRITER, adapter=WRITER_ADAPTER)
        self._build(wrap)

    def limit_requests(self, requests_per_minute: int | None) -> None:
        limits = ConnectionLimits(requests_per_minute=requests_per_minute)
        self.connections.put(replace(CONNECTION, limits=limits))

    def put_agent(self, **fields: Any) -> Agent:
        values: dict[str, Any] = {
            "tenant": TENANT,
            "role": ROLE,
            "adapter": LeenaAopAdapter(connection="hr", aop_id="reset-vpn"),
            "created_at": NOON,
            "updated_at": NOON,
        }
        agent = Agent(**(values | fields))
        self.agents.put(agent)
        return agent

    def _build(self, wrap: Callable[[str, Any], Any]) -> None:
        activities = wrap("activities", self.store)
        executions = wrap("executions", self.executions)
        connections = wrap("connections", self.connections)
        outputs = wrap("outputs", self.outputs)
        clocked: dict[str, Any] = {"activities": activities, "clock": self.clock}
        planned: dict[str, Any] = clocked | {"policy": self.policy}
        with_token: dict[str, Any] = planned | {
            "connections": connections,
            "tokens": wrap("tokens", self.tokens),
        }
        marks = wrap("marks", self.marks)
        self.count_looks = CountLooks(marks=marks, policy=self.policy)
        calling: dict[str, Any] = with_token | {"leena": self._provider(wrap)}
        self.wake_execution = WakeExecution(executions=executions, **planned)
        waking: dict[str, Any] = {"wake_execution": self.wake_execution}
        self.admit_activities = AdmitActivities(connections=connections, **waking, **clocked)
        admitting: dict[str, Any] = {"admit_activities": self.admit_activities}
        learning = LearnDurations(durations=wrap("durations", self.durations), clock=self.clock)
        self.accept_activity = AcceptActivity(
            agents=wrap("agents", self.agents),
            connections=connections,
            executions=executions,
            validate_csv_url=partial(validate_file_url, allow_private_networks=False),
            **clocked,
        )
        self.redrive_activity = RedriveActivity(
            outputs=lambda: outputs,
            agents=wrap("agents", self.agents),
            connections=connections,
            executions=executions,
            **clocked,
        )
        self.redrive_activities = RedriveActivities(
            activities=activities, redrive_activity=self.redrive_activity
        )
        self.cancel_activity = CancelActivity(
            executions=executions, count_looks=self.count_looks, **admitting, **clocked
        )
        self.open_run = OpenRun(
            schedules=wrap("schedules", self.schedules),
            accept_activity=self.accept_activity,
            **admitting,
            **planned,
        )
        self.mint_token = MintToken(**with_token)
        self.execute_aop = ExecuteAop(learning=learning, **calling)
        leap: dict[str, Any] = {
            "connections": connections,
            "api_keys": StoredApiKeys(
                secrets=wrap("secrets", self.secrets), secret_prefix=SECRET_PREFIX
            ),
            "leap": wrap("leap", self.leap),
        }
        self.hook_urls = HookUrls(
            secrets=wrap("secrets", self.secrets),
            secret_arn=HOOK_SECRET_ARN,
            base_url="https://hooks.example/hooks",
        )
        self.start_leap_workflow = StartLeapWorkflow(hook_urls=self.hook_urls, **leap, **planned)
        self.task_tokens = TaskTokens(
            secrets=wrap("secrets", self.secrets),
            secret_arn=TASK_TOKEN_SECRET_ARN,
            clock=self.clock,
        )
        self.brief_agent = BriefAgent(
            agents=wrap("agents", self.agents),
            skills_of_agent=SkillsOfAgent(skills=wrap("skills", self.skills)),
            sessions=wrap("sessions", self.sessions),
            **clocked,
        )
        self.dispatch_agent = DispatchAgent(
            brief_agent=self.brief_agent,
            credentials=StoredAgentCredentials(
                secrets=wrap("secrets", self.secrets), secret_prefix=SECRET_PREFIX
            ),
            task_tokens=self.task_tokens,
            caller=wrap("agent", self.agent),
            agent_api_url="https://api.example/agent/v1",
            **planned,
        )
        self.agent_runs = AgentRuns(**clocked)
        self.read_context = ReadContext(
            runs=self.agent_runs,
            brief_agent=self.brief_agent,
            outputs=lambda: outputs,
            comments=self.store,
        )
        self.renew_token = RenewToken(runs=self.agent_runs, task_tokens=self.task_tokens)
        self.deliver_result = DeliverResult(runs=self.agent_runs, clock=self.clock, **waking)
        self.receive_delta = ReceiveDelta(
            runs=self.agent_runs, deltas=wrap("deltas", self.deltas), clock=self.clock
        )
        self.report_tool_call = ReportToolCall(
            runs=self.agent_runs, tool_calls=wrap("tool_calls", self.tool_calls), clock=self.clock
        )
        look_at_workflow_run = LookAtWorkflowRun(**leap)
        looking = {name: calling[name] for name in ("connections", "tokens", "leena", "clock")}
        look_at_aop = LookAtAop(**looking)
        self.check_run = CheckRun(
            looks={
                LEENA_AOP: look_at_aop,
                LEAP_WORKFLOW: look_at_workflow_run,
                WEBHOOK_AGENT: nobody_to_ask,
            },
            ask=look_at_aop.ask,
            count_looks=self.count_looks,
            **planned,
        )
        self.accept_hook = AcceptHook(
            hook_urls=self.hook_urls,
            look=look_at_workflow_run,
            parse=parse_hook,
            **waking,
            **planned,
        )
        self.park_run = ParkRun(**waking, **planned)
        self.settle_run = SettleRun(
            learning=learning, count_looks=self.count_looks, **admitting, **planned
        )
        self.transact_and_wake = TransactAndWake(activities=activities, **waking)
        answering: dict[str, Any] = {
            "transact_and_wake": self.transact_and_wake,
            "clock": self.clock,
        }
        self.link_activities = LinkActivities(
            activities=activities, outputs=lambda: outputs, **answering
        )
        opening: dict[str, Any] = clocked | {
            "accept_activity": self.accept_activity,
            "executions": executions,
        }
        self.report_blocker = ReportBlocker(**clocked)
        self.request_review = RequestReview(**clocked)
        self.create_approval = CreateApproval(link_activities=self.link_activities, **clocked)
        commenting: dict[str, Any] = clocked | {
            "comments": wrap("comments", self.store),
            "notify_agents": NotifyAgents(accept_activity=self.accept_activity),
        }
        self.add_comment = AddComment(**commenting)
        self.follow_mentions = FollowMentions(outputs=lambda: outputs, **commenting)
        self.create_subtask = CreateSubtask(**opening)
        self.reassign = Reassign(**waking, **opening)
        self.decide_approval = DecideApproval(**answering)
        self.resolve_human_task = ResolveHumanTask(**answering)
        self.list_inbox = ListInbox(inbox=self.store, **clocked)
        self.sweep = Sweep(
            executions=executions,
            tend_waits=TendWaits(
                link_activities=self.link_activities,
                cancel_activity=self.cancel_activity,
                **admitting,
                **answering,
            ),
            **waking,
            check_run=self.check_run,
            settle_run=self.settle_run,
            connections=connections,
            marks=marks,
            **admitting,
            **planned,
        )

    def _provider(self, wrap: Callable[[str, Any], Any]) -> Any:
        """What `wiring` puts before the provider's API, save for its gate."""
        budgets = wrap("budgets", self.budgets)
        request_budget = RequestBudget(budgets=budgets, clock=self.clock, sleep=self._sleep)
        return BudgetedLeenaApi(wrap("leena", self.leena), request_budget)

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # Short ways to get somewhere.

    def accept(self, request: ActivityRequest = REQUEST, key: str | None = None) -> Accepted:
        return self.accept_activity(TENANT, request, trigger=Trigger.API, idempotency_key=key)

    def opened(self, request: ActivityRequest = REQUEST) -> RunTask:
        """An activity whose execution has taken it."""
        task = self.task(self.accept(request).activity_id)
        self.open_run(
            {
                "tenant": TENANT,
                "activity_id": task.activity_id,
                "generation": 1,
                "execution_arn": task.execution_arn,
            }
        )
        return task

    def started(self, request: ActivityRequest = REQUEST) -> RunTask:
        """An activity whose AOP runs."""
        task = self.opened(request)
        self.execute_aop(task)
        return task

    def parked(self, callback_token: str = "callback-1") -> RunTask:
        """An activity whose AOP is paused, whose execution waits on the callback token."""
        task = self.started()
        self.leena.on_read_status("paused")
        self.check_run(task)
        self.executions.wait_on(callback_token)
        self.park_run(task, callback_token)
        return task

    def task(self, activity_id: str) -> RunTask:
        record = self.record(activity_id)
        activity = record.activity
        name = f"{activity_id}-{activity.generation}"
        return RunTask(
            tenant=TENANT,
            activity_id=activity_id,
            run_id=record.current_run.run_id,
            execution_arn=activity.execution_arn or self.executions.arn_of(name),
        )

    # What is stored. Any, since a test knows which of the optional fields are there.

    def record(self, activity_id: str) -> Any:
        return self.store.read(TENANT, activity_id)

    def run(self, task: RunTask) -> Any:
        return self.record(task.activity_id).current_run

    def events(self, activity_id: str) -> list[Event]:
        return list(self.store.list_events(TENANT, activity_id, 0, 100_000))

    def event_types(self, activity_id: str) -> list[str]:
        return [event.type.value for event in self.events(activity_id)]
