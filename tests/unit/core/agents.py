"""Agents of one's own in the world of the fakes: an activity of one, and its calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentruns.agent_calls import AgentResult
from agentruns.agent_reports import AgentReport
from agentruns.definitions import ActivityRequest
from agentruns.model import Problem, RetryPolicy
from agentruns.secret import Secret
from agentruns.steps import RunTask
from agentruns.task_tokens import TaskCaller
from tests.fakes import SentDispatch
from tests.fakes.driver import Driver
from tests.fakes.world import WRITER, WRITER_ADAPTER, World

WRITING = ActivityRequest(agent_role=WRITER, message="Write it", context={"topic": "VPN"})
DRAFT = AgentResult(report=AgentReport(input_tokens=10, output_tokens=20), output="the draft")
FAILURE = AgentResult(
    report=AgentReport(), problem=Problem(code="agent_failed", message="no quota")
)


@dataclass
class Writer:
    """The agent of a world whose executions run: what it was sent, and its calls."""

    world: World
    driver: Driver

    @classmethod
    def at_work(cls, *, max_attempts: int = 1, **fields: Any) -> Writer:
        world = World(**fields)
        retry = RetryPolicy(max_attempts=max_attempts)
        world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, retry=retry)
        return cls(world, Driver(world))

    def asked(self, request: ActivityRequest = WRITING) -> str:
        """The id of an activity that it was given, and has run as far as it goes by itself."""
        return self.world.accept(request).activity_id

    @property
    def latest(self) -> SentDispatch:
        return self.world.agent.sent[-1]

    def caller(self, sent: SentDispatch | None = None) -> TaskCaller:
        return self.world.task_tokens.read(Secret((sent or self.latest).task_token))

    def delivers(self, result: AgentResult = DRAFT, sent: SentDispatch | None = None) -> None:
        sent = sent or self.latest
        self.world.deliver_result(self.caller(sent), sent.dispatch_id, result)


def parked_writing(
    world: World, callback_token: str = "callback-1", request: ActivityRequest = WRITING
) -> RunTask:
    """An agent's run that goes on, with its execution waiting on the callback token."""
    task = world.opened(request)
    world.dispatch_agent(task)
    world.executions.wait_on(callback_token)
    world.park_run(task, callback_token)
    return task
