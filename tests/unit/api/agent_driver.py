"""The Agent API over a world of fakes, driven by API-Gateway-shaped events."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from agentruns.agent_results import ReadContext, RenewToken
from agentruns.api.agent_app import build_agent_app
from agentruns.api.agent_services import AgentServices
from agentruns.steps import RunTask
from tests.fakes.world import World
from tests.unit.api.driver import REQUEST_ID, Answer, proxy_event
from tests.unit.core.agents import parked_writing


@dataclass
class AgentApi:
    """`call` sends as the agent of the run that was dispatched last, unless told otherwise."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        world = self.world
        self.app = build_agent_app(
            AgentServices(
                task_tokens=world.task_tokens,
                runs=world.agent_runs,
                read_context=ReadContext(runs=world.agent_runs, brief_agent=world.brief_agent),
                renew_token=RenewToken(runs=world.agent_runs, task_tokens=world.task_tokens),
                deliver_result=world.deliver_result,
            )
        )

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = "", raw: str = ""
    ) -> Answer:
        """`token`: None sends none, empty sends the last dispatch's."""
        if token == "":
            token = self.world.agent.sent[-1].task_token
        text = raw or (None if body is None else json.dumps(body))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= {} if text is None else {"content-type": "application/json"}
        answer = self.app(proxy_event(method, path, body=text, headers=headers), None)
        assert answer["headers"]["X-Request-Id"] == REQUEST_ID
        assert answer["headers"]["Cache-Control"] == "no-store"
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def at_work(self) -> RunTask:
        """A run that its agent has, with its execution parked."""
        return parked_writing(self.world)
