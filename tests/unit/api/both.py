"""Both APIs over one world in which everything there can be is there: what their documents are
tried on, and who is let in where. Not a test of what a route does.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from agentruns.agent_keys import IssueAgentKey
from agentruns.api.front import LambdaApp
from agentruns.api.openapi import Document, operations
from agentruns.errors import StartUnknown
from agentruns.lifecycle import end_run, settle
from agentruns.model import EvidenceSource, Problem
from agentruns.statuses import RunStatus
from agentruns.steps import RunTask
from agentruns.transact import transact
from local import openapi
from tests.fakes.world import ROLE, TENANT, WRITER, WRITER_ADAPTER, World
from tests.unit.api.agent_driver import AgentApi
from tests.unit.api.driver import CONNECTION, SKILL, Api
from tests.unit.core.agents import parked_writing

FREE_URL = re.compile(r"\{(\w+)\}")


@dataclass
class BothApis:
    """`names`: the ids of what is there, by where they stand in a path: what comes before them, or
    the parameter's own name. A route with an id of another kind needs its line in `_seed`."""

    tenant: str = TENANT
    world: World = field(default_factory=World)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    waiting: tuple[RunTask, ...] = ()

    def __post_init__(self) -> None:
        ports = {"activities": "store"}
        shared = {
            each.name: port
            for each in fields(Api)
            if (port := getattr(self.world, ports.get(each.name, each.name), None)) is not None
        }
        self.operator = Api(**shared)
        self.agent = AgentApi(world=self.world)
        self._seed()

    def _seed(self) -> None:
        self.operator_key = self.operator.key("admin", tenant=self.tenant)
        for name in ("hr", "spare"):
            self._operate("PUT", f"/v1/connections/{name}", CONNECTION)
        self._operate("PUT", "/v1/skills/seo", SKILL)
        self.world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, skills=("seo",))
        self._operate("PUT", "/v1/schedules/nightly", {"activity": {"agent_role": ROLE}})
        self.failed = self._failed()
        self.unknown = self._unknown()
        self.queued = self.world.task(self.world.accept().activity_id)
        self.ended = self._ended()
        review = self._asked("request-review", {"title": "Look at it", "description": "Draft 1"})
        blocked = {"blockerType": "needs_human_input", "description": "Which VPN?"}
        blocked_on = self._asked("report-blocker", blocked)
        self.writing = parked_writing(self.world)
        self.task_token = self.world.agent.sent[-1].task_token
        self.agent_key = self.issued_key(WRITER)
        self._session()
        spare_key = self._operate("POST", "/v1/operator-keys", {"name": "x", "scopes": ["read"]})
        tasks = (self.failed, self.unknown, self.queued, self.writing, self.ended)
        self.names |= {
            "approvals": (review,),
            "human-tasks": (blocked_on,),
            "connections": ("spare", "hr", "flows"),
            "agents": (WRITER, ROLE),
            "keys": (self.agent_key.split("_")[1],),
            "operator-keys": (spare_key["key_id"],),
            "skills": ("seo",),
            "schedules": ("nightly",),
            "activities": tuple(task.activity_id for task in tasks),
            "runs": tuple(task.run_id for task in tasks),
        }

    def _operate(self, method: str, path: str, body: Any) -> Any:
        answer = self.operator.call(method, path, body, key=self.operator_key)
        assert answer.status < 300, answer.text
        return answer.json

    def _failed(self) -> RunTask:
        task = self.world.started()
        problem = Problem(code="upstream_failed", message="it failed")

        def end(record: Any) -> Any:
            run, source = record.current_run, EvidenceSource.POLL
            now = self.world.clock()
            return end_run(record, run, RunStatus.FAILED, source, now, problem=problem)

        transact(self.world.store, self.tenant, task.activity_id, end)
        transact(
            self.world.store,
            self.tenant,
            task.activity_id,
            lambda seen: settle(seen, self.world.clock()),
        )
        return task

    def _unknown(self) -> RunTask:
        self.world.leena.on_execute(StartUnknown("no trustworthy answer"))
        task = self.world.opened()
        self.world.execute_aop(task)
        return task

    def _asked(self, action: str, body: Any) -> str:
        """The id of what a run of its own waits for."""
        task = parked_writing(self.world, f"callback-{action}")
        answer = self.agent.call("POST", f"/agent/v1/runs/{task.run_id}/actions/{action}", body)
        assert answer.status < 300, answer.text
        self.waiting = (*self.waiting, task)
        (wait,) = self.world.record(task.activity_id).waits
        return str(wait.wait_id)

    def _ended(self) -> RunTask:
        task = parked_writing(self.world, "callback-3")
        self.ended_token = self.world.agent.sent[-1].task_token
        answer = self.agent.call(
            "POST", f"/agent/v1/runs/{task.run_id}/result", {"status": "success", "text": "x"}
        )
        assert answer.status == 200, answer.text
        return task

    def issued_key(self, role: str, tenant: str = TENANT) -> str:
        """A fresh key of an agent."""
        issue = IssueAgentKey(
            keys=self.world.agent_keys, agents=self.world.agents, clock=self.world.clock
        )
        return issue(tenant, role, "").secret.reveal()

    def _session(self) -> None:
        body = {
            "sessionId": "session-1",
            "activityRunId": self.writing.run_id,
            "inputTokensSoFar": 1,
            "outputTokensSoFar": 1,
        }
        answer = self.agent.call("PUT", f"/agent/v1/sessions/{WRITER}", body, key=self.agent_key)
        assert answer.status == 200, answer.text


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiUnderTest:
    """One of the two: its document, its app over a world, and a good credential of each kind."""

    name: str
    document: Document
    app: Callable[[BothApis], LambdaApp]
    credentials: Callable[[BothApis], Mapping[str, str]]

    def path_names(self, both: BothApis, path: str) -> dict[str, tuple[str, ...]]:
        """What each parameter of the path may be, of what is there."""
        parts = path.split("/")
        found = {}
        for before, part in itertools.pairwise(parts):
            if (named := FREE_URL.fullmatch(part)) is not None:
                found[named[1]] = self._names(both, before, named[1], path)
        return found

    def _names(self, both: BothApis, before: str, name: str, path: str) -> tuple[str, ...]:
        if self.name == "agent":
            own = {
                "runId": (both.writing.run_id,),
                "agentRole": (WRITER,),
                "skillName": both.names["skills"],
            }
            names = own.get(name)
        else:
            names = both.names.get(before)
        assert names, (
            f"{path}: seed something that {{{name}}} may name, and give its id in "
            "tests/unit/api/both.py"
        )
        return names


OPERATOR = ApiUnderTest(
    name="operator",
    document=openapi.documents()["operator.json"],
    app=lambda both: both.operator.app,
    credentials=lambda both: {"operatorKey": f"ApiKey {both.operator_key}"},
)
AGENT = ApiUnderTest(
    name="agent",
    document=openapi.documents()["agent.json"],
    app=lambda both: both.agent.app,
    credentials=lambda both: {
        "taskToken": f"Bearer {both.task_token}",
        "agentKey": f"ApiKey {both.agent_key}",
    },
)
APIS = (OPERATOR, AGENT)
ROUTES = [
    (api, method.upper(), path, operation)
    for api in APIS
    for path, method, operation in operations(api.document)
]
"""Every route of both."""


def scheme_of(operation: Document) -> str:
    """The kind of credential that a route takes."""
    ((scheme,),) = operation["security"]
    return str(scheme)


def body_of(operation: Document) -> Any:
    """The document's example of the body; None where there is none."""
    return (
        operation.get("requestBody", {})
        .get("content", {})
        .get("application/json", {})
        .get("example")
    )
