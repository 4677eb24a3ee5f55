"""The operator API over the in-memory ports, driven by API-Gateway-shaped events."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agentruns.activities import AcceptActivity
from agentruns.adapters.base_urls import validate_base_url, validate_file_url, validate_url
from agentruns.adapters.leap_urls import LEAP_URL
from agentruns.adapters.leena_regions import endpoints_for
from agentruns.admitting import AdmitActivities
from agentruns.agent_credentials import StoredAgentCredentials
from agentruns.agent_health import CheckAgentHealth
from agentruns.api.app import build_app
from agentruns.api.services import ApiServices, services_over
from agentruns.api_keys import StoredApiKeys
from agentruns.cancelling import CancelActivity
from agentruns.connection_checks import CheckConnection
from agentruns.parking import CountLooks
from agentruns.polling import PollPolicy
from agentruns.probing import ProbeAgent
from agentruns.waking import WakeExecution
from agentruns.workflows import LookAtWorkflowRun
from tests.fakes import (
    FakeClock,
    FakeExecutions,
    FakeLeapApi,
    FakeLeenaApi,
    InMemoryActivityStore,
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemoryOperatorKeyStore,
    InMemoryScheduleStore,
    InMemorySecretStore,
)
from tests.fakes.agent_stores import (
    InMemoryAgentKeyStore,
    InMemoryDeltaStore,
    InMemorySkillStore,
    InMemoryToolCallStore,
)
from tests.fakes.agents import FakeAgentCaller
from tests.fakes.gates import InMemoryGateStore
from tests.fakes.look_marks import InMemoryLookMarkStore
from tests.fakes.outputs import InMemoryOutputStore

BOOTSTRAP_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:agentruns/test/operator-key"
BOOTSTRAP_KEY = "bootstrapKeyOfTheDefaultTenant0123456789abc"
SECRET_PREFIX = "agentruns/test"
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

CONNECTION = {
    "provider": "leena",
    "region": "us-east-1",
    "client_id": "client-1",
    "client_secret": "CANARY-client-secret",
    "username": "user-1",
    "password": "CANARY-password",
}
AGENT = {"adapter": {"type": "leena_aop", "connection": "acme", "aop_id": "it_support"}}
SKILL = {
    "content": "---\nname: seo\ndescription: Use when writing for the web.\n---\n\n# SEO\n",
    "references": [{"name": "tone.md", "content": "Write as you speak."}],
}
ACTIVITY = {"agent_role": "it_support", "message": "Analyze the ticket", "context": {"n": 1}}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def fields(self) -> list[str]:
        """The fields that a refusal names."""
        return [error["field"] for error in self.json.get("errors", [])]


@dataclass
class Api:
    """`call` sends as the bootstrap key unless told otherwise."""

    clock: FakeClock = field(default_factory=FakeClock)
    outputs: InMemoryOutputStore = field(default_factory=InMemoryOutputStore)
    activities: InMemoryActivityStore = field(default_factory=InMemoryActivityStore)
    agents: InMemoryAgentStore = field(default_factory=InMemoryAgentStore)
    agent_keys: InMemoryAgentKeyStore = field(default_factory=InMemoryAgentKeyStore)
    skills: InMemorySkillStore = field(default_factory=InMemorySkillStore)
    deltas: InMemoryDeltaStore = field(default_factory=InMemoryDeltaStore)
    connections: InMemoryConnectionStore = field(default_factory=InMemoryConnectionStore)
    schedules: InMemoryScheduleStore = field(default_factory=InMemoryScheduleStore)
    operator_keys: InMemoryOperatorKeyStore = field(default_factory=InMemoryOperatorKeyStore)
    secrets: InMemorySecretStore = field(default_factory=InMemorySecretStore)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    leena: FakeLeenaApi = field(default_factory=FakeLeenaApi)
    leap: FakeLeapApi = field(default_factory=FakeLeapApi)
    agent: FakeAgentCaller = field(default_factory=FakeAgentCaller)
    meanwhile: Callable[[], object] = lambda: None
    gates: InMemoryGateStore = field(default_factory=InMemoryGateStore)
    marks: InMemoryLookMarkStore = field(default_factory=InMemoryLookMarkStore)

    def __post_init__(self) -> None:
        self.activities.outputs = self.outputs
        self.secrets.put(BOOTSTRAP_ARN, {"tenant": "default", "key": BOOTSTRAP_KEY}, "")
        self.services = self._services()
        self.app = build_app(self.services)

    def _services(self) -> ApiServices:
        self.wake_execution = WakeExecution(
            activities=self.activities,
            executions=self.executions,
            clock=self.clock,
            policy=PollPolicy(),
        )
        self.admit_activities = AdmitActivities(
            activities=self.activities,
            connections=self.connections,
            wake_execution=self.wake_execution,
            clock=self.clock,
        )
        count_looks = CountLooks(marks=self.marks, policy=PollPolicy())
        credentials = StoredAgentCredentials(secrets=self.secrets, secret_prefix=SECRET_PREFIX)
        validate_agent_url = partial(validate_url, allow_private_networks=False)
        accept_activity = AcceptActivity(
            activities=self.activities,
            agents=self.agents,
            connections=self.connections,
            executions=self.executions,
            validate_csv_url=partial(validate_file_url, allow_private_networks=False),
            clock=self.clock,
        )
        cancel_activity = CancelActivity(
            activities=self.activities,
            executions=self.executions,
            admit_activities=self.admit_activities,
            count_looks=count_looks,
            clock=self.clock,
        )
        check_connection = CheckConnection(
            connections=self.connections,
            secrets=self.secrets,
            secret_prefix=SECRET_PREFIX,
            leena=lambda: self.leena,
            leap=lambda: self.leap,
            gates=self.gates,
            activities=self.activities,
            clock=self.clock,
        )
        return services_over(
            activities=self.activities,
            inbox=self.activities,
            comments=self.activities,
            agents=self.agents,
            agent_keys=self.agent_keys,
            skills=self.skills,
            deltas=self.deltas,
            tool_calls=InMemoryToolCallStore(self.activities),
            connections=self.connections,
            schedules=self.schedules,
            operator_keys=self.operator_keys,
            secrets=self.secrets,
            executions=self.executions,
            outputs=lambda: self.outputs,
            find_workflow_run=LookAtWorkflowRun(
                connections=self.connections,
                api_keys=StoredApiKeys(secrets=self.secrets, secret_prefix=SECRET_PREFIX),
                leap=self.leap,
            ).find,
            credentials=credentials,
            check_connection=check_connection,
            check_agent_health=CheckAgentHealth(
                agents=self.agents,
                activities=self.activities,
                credentials=credentials,
                caller=lambda: self.agent,
                validate_url=validate_agent_url,
                check_connection=check_connection,
                clock=self.clock,
            ),
            probe_agent=ProbeAgent(
                agents=self.agents,
                activities=self.activities,
                accept_activity=accept_activity,
                cancel_activity=cancel_activity,
                clock=self.clock,
                sleep=self.sleep,
            ),
            admit_activities=self.admit_activities,
            accept_activity=accept_activity,
            cancel_activity=cancel_activity,
            wake_execution=self.wake_execution,
            bootstrap_secret_arn=BOOTSTRAP_ARN,
            secret_prefix=SECRET_PREFIX,
            endpoints_for=endpoints_for,
            leap_url=LEAP_URL,
            validate_base_url=partial(validate_base_url, allow_private_networks=False),
            validate_agent_url=validate_agent_url,
            count_looks=count_looks,
            clock=self.clock,
        )

    def sleep(self, seconds: float) -> None:
        """Time passes, and what a test lets happen meanwhile happens."""
        self.clock.advance(seconds)
        self.meanwhile()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: str | None = None,
        key: str | None = BOOTSTRAP_KEY,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        base64_encoded: bool = False,
    ) -> Answer:
        event = proxy_event(
            method,
            path,
            body=raw if raw is not None else (None if body is None else json.dumps(body)),
            headers=({"authorization": f"ApiKey {key}"} if key is not None else {})
            | ({"content-type": "application/json"} if body is not None or raw else {})
            | (headers or {}),
            query=query,
            base64_encoded=base64_encoded,
        )
        answer = self.app(event, None)
        assert isinstance(answer["body"], str)
        assert answer["headers"]["X-Request-Id"] == REQUEST_ID
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def with_agent(self) -> Api:
        """With the connection `acme` and the agent `it_support`."""
        assert self.call("PUT", "/v1/connections/acme", CONNECTION).status == 200
        assert self.call("PUT", "/v1/agents/it_support", AGENT).status == 200
        return self

    def started(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the answer to a new activity says."""
        answer = self.call("POST", "/v1/activities", body or ACTIVITY)
        assert answer.status == 202, answer.text
        return dict(answer.json)

    def key(self, *scopes: str, tenant: str = "default") -> str:
        """A fresh operator key."""
        body = {"name": "test", "scopes": list(scopes), "tenant": tenant}
        answer = self.call("POST", "/v1/operator-keys", body)
        assert answer.status == 201, answer.text
        return str(answer.json["key"])


def proxy_event(
    method: str,
    path: str,
    *,
    body: str | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    base64_encoded: bool = False,
) -> dict[str, Any]:
    """An API Gateway REST (v1) proxy event with the shape that a deployed stack delivers."""
    headers = headers or {}
    if base64_encoded and body is not None:
        body = base64.b64encode(body.encode()).decode()
    return {
        "resource": "/v1/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": (
            {name: [value] for name, value in query.items()} if query else None
        ),
        "pathParameters": {"proxy": path.removeprefix("/v1/")},
        "stageVariables": None,
        "requestContext": {
            "requestId": REQUEST_ID,
            "httpMethod": method,
            "path": f"/live{path}",
            "stage": "live",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": body,
        "isBase64Encoded": base64_encoded,
    }
