"""The Agent API over a world of fakes, driven by API-Gateway-shaped events."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from agentruns.adapters.base_urls import validate_url
from agentruns.agent_credentials import StoredAgentCredentials
from agentruns.agent_health import CheckAgentHealth
from agentruns.agent_keys import AgentKeyring, IssueAgentKey
from agentruns.agent_results import AgentOfRun, ReadContext, RenewToken
from agentruns.api.action_services import action_services_over
from agentruns.api.agent_app import build_agent_app
from agentruns.api.agent_services import AgentServices
from agentruns.connection_checks import CheckConnection
from agentruns.probing import ProbeAgent
from agentruns.sessions import StoreSession
from agentruns.steps import RunTask
from tests.fakes.gates import InMemoryGateStore
from tests.fakes.world import SECRET_PREFIX, TENANT, WRITER, World
from tests.unit.api.driver import REQUEST_ID, Answer, proxy_event
from tests.unit.core.agents import WRITING, parked_writing


@dataclass
class AgentApi:
    """`call` sends as the agent of the run that was dispatched last, unless told otherwise."""

    world: World = field(default_factory=World)
    meanwhile: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        world = self.world
        self.app = build_agent_app(
            AgentServices(
                task_tokens=world.task_tokens,
                keyring=AgentKeyring(keys=world.agent_keys, clock=world.clock),
                runs=world.agent_runs,
                read_context=ReadContext(
                    runs=world.agent_runs,
                    brief_agent=world.brief_agent,
                    outputs=lambda: world.outputs,
                    comments=world.store,
                ),
                renew_token=RenewToken(runs=world.agent_runs, task_tokens=world.task_tokens),
                deliver_result=world.deliver_result,
                agent_of_run=AgentOfRun(runs=world.agent_runs, agents=world.agents),
                skills_of_agent=world.brief_agent.skills_of_agent,
                store_session=StoreSession(
                    sessions=world.sessions, activities=world.store, clock=world.clock
                ),
                sessions=world.sessions,
                check_agent_health=self._check_agent_health(),
                probe_agent=ProbeAgent(
                    agents=world.agents,
                    activities=world.store,
                    accept_activity=world.accept_activity,
                    cancel_activity=world.cancel_activity,
                    clock=world.clock,
                    sleep=self.sleep,
                ),
                clock=world.clock,
                receive_delta=world.receive_delta,
                report_tool_call=world.report_tool_call,
                actions=action_services_over(
                    activities=world.store,
                    comments=world.store,
                    accept_activity=world.accept_activity,
                    link_activities=world.link_activities,
                    executions=world.executions,
                    wake_execution=world.wake_execution,
                    clock=world.clock,
                ),
            )
        )

    def _check_agent_health(self) -> CheckAgentHealth:
        world = self.world
        return CheckAgentHealth(
            agents=world.agents,
            activities=world.store,
            credentials=StoredAgentCredentials(secrets=world.secrets, secret_prefix=SECRET_PREFIX),
            caller=lambda: world.agent,
            validate_url=partial(validate_url, allow_private_networks=False),
            check_connection=CheckConnection(
                connections=world.connections,
                secrets=world.secrets,
                secret_prefix=SECRET_PREFIX,
                leena=lambda: world.leena,
                leap=lambda: world.leap,
                gates=InMemoryGateStore(),
                activities=world.store,
                clock=world.clock,
            ),
            clock=world.clock,
        )

    def sleep(self, seconds: float) -> None:
        """Time passes, and what a test lets happen meanwhile happens."""
        self.world.clock.advance(seconds)
        self.meanwhile()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        key: str | None = None,
        raw: str = "",
        **more: str,
    ) -> Answer:
        """`token`: None sends none, empty sends the last dispatch's. A `key` is sent instead.
        `more` are further headers."""
        if token == "" and key is None:
            token = self.world.agent.sent[-1].task_token
        text = raw or (None if body is None else json.dumps(body))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= {} if key is None else {"Authorization": f"ApiKey {key}"}
        headers |= {} if text is None else {"content-type": "application/json"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        answer = self.app(proxy_event(method, path, body=text, headers=headers), None)
        assert answer["headers"]["X-Request-Id"] == REQUEST_ID
        assert answer["headers"]["Cache-Control"] == "no-store"
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def issued_key(self, role: str = WRITER) -> str:
        """A fresh key of an agent."""
        issue = IssueAgentKey(
            keys=self.world.agent_keys, agents=self.world.agents, clock=self.world.clock
        )
        return issue(TENANT, role, "").secret.reveal()

    def at_work(self, role: str = WRITER) -> RunTask:
        """A run that its agent has, with its execution parked."""
        return parked_writing(self.world, request=replace(WRITING, agent_role=role))
