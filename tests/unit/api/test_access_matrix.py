"""Every route of both APIs, and every kind of caller: who is let in and who is not, and that
nobody can tell another's thing from one that is not there.

A new route is here by itself. It takes the credential that its document says, and with a path
parameter of a new kind the message says what to seed. Forged task tokens: test_task_tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agentruns.api.openapi import Document
from agentruns.definitions import ActivityRequest
from agentruns.model import Trigger
from agentruns.steps import RunTask
from agentruns.task_tokens import GRACE
from tests.fakes.world import ROLE, SECRET_PREFIX, WRITER, WRITER_ADAPTER
from tests.unit.api.both import (
    AGENT,
    OPERATOR,
    ROUTES,
    ApiUnderTest,
    BothApis,
    body_of,
    scheme_of,
)
from tests.unit.api.driver import proxy_event

pytestmark = pytest.mark.slow

OTHER_TENANT = "globex"
OTHER_ROLE = "editor"
DAY = 24 * 3600


def own_operator_key(both: BothApis) -> str:
    return f"ApiKey {both.operator_key}"


def foreign_operator_key(both: BothApis) -> str:
    return f"ApiKey {both.operator.key('admin', tenant=OTHER_TENANT)}"


def expired_operator_key(both: BothApis) -> str:
    body = {"name": "x", "scopes": ["admin"], "tenant": both.tenant, "expires_in_days": 1}
    key = both.operator.call("POST", "/v1/operator-keys", body).json["key"]
    both.world.clock.advance(DAY)
    return f"ApiKey {key}"


def own_agent_key(both: BothApis) -> str:
    return f"ApiKey {both.agent_key}"


def other_role_s_agent_key(both: BothApis) -> str:
    return f"ApiKey {both.issued_key(ROLE)}"


def foreign_agent_key(both: BothApis) -> str:
    both.world.put_agent(tenant=OTHER_TENANT, role=WRITER, adapter=WRITER_ADAPTER)
    return f"ApiKey {both.issued_key(WRITER, OTHER_TENANT)}"


def own_task_token(both: BothApis) -> str:
    return f"Bearer {both.task_token}"


def other_run_s_token(both: BothApis) -> str:
    return f"Bearer {dispatched(both, both.tenant, WRITER)}"


def other_role_s_token(both: BothApis) -> str:
    return f"Bearer {dispatched(both, both.tenant, OTHER_ROLE)}"


def foreign_task_token(both: BothApis) -> str:
    return f"Bearer {dispatched(both, OTHER_TENANT, WRITER)}"


def ended_run_s_token(both: BothApis) -> str:
    return f"Bearer {both.ended_token}"


def expired_task_token(both: BothApis) -> str:
    world, run_id = both.world, both.writing.run_id
    token = world.task_tokens.issue(both.tenant, run_id, world.clock()).token.reveal()
    world.clock.advance(GRACE.total_seconds())
    return f"Bearer {token}"


def dispatched(both: BothApis, tenant: str, role: str) -> str:
    """The task token of a run that its agent has."""
    world = both.world
    world.put_agent(tenant=tenant, role=role, adapter=WRITER_ADAPTER)
    signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
    world.secrets.put(f"{SECRET_PREFIX}/agents/{tenant}/{role}", signing, "")
    request = ActivityRequest(agent_role=role, message="Write something else")
    accepted = world.accept_activity(tenant, request, trigger=Trigger.API, idempotency_key=None)
    name = f"{accepted.activity_id}-1"
    task = RunTask(
        tenant=tenant,
        activity_id=accepted.activity_id,
        run_id=accepted.run_id,
        execution_arn=world.executions.arn_of(name),
    )
    world.open_run(
        {
            "tenant": tenant,
            "activity_id": task.activity_id,
            "generation": 1,
            "execution_arn": task.execution_arn,
        }
    )
    world.dispatch_agent(task)
    return world.agent.sent[-1].task_token


CALLERS: Mapping[str, Callable[[BothApis], str | None]] = {
    "no credential": lambda _: None,
    "an unknown one": lambda _: "ApiKey nobody",
    "an unknown token": lambda _: "Bearer nobody",
    "own operator key": own_operator_key,
    "operator key of another tenant": foreign_operator_key,
    "expired operator key": expired_operator_key,
    "own agent key": own_agent_key,
    "agent key of another role": other_role_s_agent_key,
    "agent key of another tenant": foreign_agent_key,
    "own task token": own_task_token,
    "task token of another run": other_run_s_token,
    "task token of another role": other_role_s_token,
    "task token of another tenant": foreign_task_token,
    "task token of an ended run": ended_run_s_token,
    "expired task token": expired_task_token,
}
OWN = {
    "operatorKey": "own operator key",
    "agentKey": "own agent key",
    "taskToken": "own task token",
}
WITHIN_ITS_OWN = {
    "operatorKey": {"operator key of another tenant"},
    "agentKey": {"agent key of another tenant", "agent key of another role"},
    "taskToken": {
        "task token of another run",
        "task token of another role",
        "task token of another tenant",
    },
}
"""Credentials of the right kind: they open what is theirs, and never another's."""
AFTER_THE_END = {
    "GET /agent/v1/runs/{runId}/status": 200,
    "POST /agent/v1/runs/{runId}/result": 409,
    "POST /api/agent-callback/{runId}": 409,
}
"""What the token of an ended run still does with that run. Anything else: 401."""

each_route = pytest.mark.parametrize(
    ("api", "method", "path", "operation"),
    ROUTES,
    ids=[f"{method} {path}" for _, method, path, _ in ROUTES],
)
each_caller = pytest.mark.parametrize("caller", CALLERS)


def send(
    both: BothApis,
    route: tuple[ApiUnderTest, str, str, Document],
    names: Mapping[str, str],
    credential: str | None,
) -> tuple[int, str]:
    api, method, path, operation = route
    body = body_of(operation)
    text = None if body is None else json.dumps(body)
    if text is not None and "name" in names:  # a skill says its name in its text too
        text = re.sub(r"name: \w+", f"name: {names['name']}", text)
    event = proxy_event(
        method,
        path.format(**names),
        body=text,
        headers={} if credential is None else {"Authorization": credential},
    )
    answer = api.app(both)(event, None)
    return answer["statusCode"], answer["body"]


def there(api: ApiUnderTest, both: BothApis, path: str) -> dict[str, str]:
    return {name: first for name, (first, *_) in api.path_names(both, path).items()}


@each_route
def test_a_route_opens_for_the_credential_that_its_document_names(
    api: ApiUnderTest, method: str, path: str, operation: Document
):
    both = BothApis()
    credential = CALLERS[OWN[scheme_of(operation)]](both)
    status, text = send(both, (api, method, path, operation), there(api, both, path), credential)

    assert status not in {401, 403}, (
        f"{method} {path} refuses the {scheme_of(operation)}: where it takes another credential, "
        f"its decorator says so (security=BY_AGENT_KEY). {text}"
    )


@each_caller
@each_route
def test_nobody_else_is_let_in(
    api: ApiUnderTest, method: str, path: str, operation: Document, caller: str
):
    scheme = scheme_of(operation)
    if caller == OWN[scheme]:
        return  # the test above
    both = BothApis()
    credential = CALLERS[caller](both)
    names = there(api, both, path)
    before = state_of(both)
    status, text = send(both, (api, method, path, operation), names, credential)

    assert before == state_of(both), f"{caller} changed something by {method} {path}"
    assert [] == strange_ids(both, text, names), f"{caller} was shown something by {method} {path}"
    if caller not in WITHIN_ITS_OWN[scheme]:
        assert status == 401, text
    elif api is AGENT:
        assert status in reach_of(caller, path), text


def reach_of(caller: str, path: str) -> set[int]:
    """What a credential of the right kind is answered in the Agent API on the writer's paths."""
    if "{runId}" in path:
        return {401}
    if caller.endswith("another role"):
        return {404}
    return {200, 404}  # the same role's, or that of its own tenant's agent of this name


@each_route
def test_the_token_of_an_ended_run_is_dead(
    api: ApiUnderTest, method: str, path: str, operation: Document
):
    both = BothApis()
    names = there(api, both, path)
    names |= {"runId": both.ended.run_id} if "runId" in names else {}
    before = state_of(both)
    status, text = send(
        both, (api, method, path, operation), names, CALLERS["task token of an ended run"](both)
    )

    assert AFTER_THE_END.get(f"{method} {path}", 401) == status, text
    if status == 401:
        assert before == state_of(both)


@pytest.mark.parametrize(
    ("caller", "api", "method", "path", "operation"),
    [
        pytest.param(caller, *route, id=f"{caller}-{route[1]} {route[2]}")
        for route in ROUTES
        for caller in sorted(WITHIN_ITS_OWN[scheme_of(route[3])])
        if "{" in route[2]
    ],
)
def test_another_s_thing_and_a_missing_one_are_answered_alike(
    caller: str, api: ApiUnderTest, method: str, path: str, operation: Document
):
    if api is AGENT and "{agentRole}" in path and not caller.endswith("another role"):
        return  # the role is its own: nothing of another's is named
    answers = []
    for names_of in (there, missing):
        both = BothApis()
        credential = CALLERS[caller](both)
        names = names_of(api, both, path)
        status, text = send(both, (api, method, path, operation), names, credential)
        answers.append((status, alike(text, names)))

    assert answers[0] == answers[1]


def missing(api: ApiUnderTest, both: BothApis, path: str) -> dict[str, str]:
    """Names of the same kinds that nothing has."""
    return {name: missing_like(each) for name, each in there(api, both, path).items()}


def missing_like(name: str) -> str:
    """With another id, or other letters, of the same shape."""
    if found := re.fullmatch(r"([a-z]+_)([0-9A-Z]{26})(.*)", name):
        return f"{found[1]}01JZX5V9Q8M7K3N2P4R6S8T0VW{found[3]}"
    if re.fullmatch(r"[0-9a-f]{16}", name):
        return "0123456789abcdef"
    return "no-such-" + name


def alike(text: str, names: Mapping[str, str]) -> str:
    """Without the names that were asked for, and what is made by chance."""
    for name in sorted(names.values(), key=len, reverse=True):
        text = text.replace(name, "<name>")
    text = re.sub(r"\b(act|run)_[0-9A-Z]{26}", r"\1_<ulid>", text)
    return re.sub(r'"(key_id|key|signing_secret)": ?"[^"]*"', r'"\1":"<made>"', text)


def tasks_of(both: BothApis) -> tuple[RunTask, ...]:
    """Of the tenant's activities."""
    begun = (both.failed, both.unknown, both.queued, both.ended, both.writing)
    return (*begun, *both.waiting)


def state_of(both: BothApis) -> str:
    """All that the tenant has, with its other roles' sessions."""
    world, tenant = both.world, both.tenant
    records = [world.store.read(tenant, task.activity_id) for task in tasks_of(both)]
    return repr(
        [
            records,
            [world.events(each.activity.activity_id) for each in records],
            world.connections.list(tenant),
            world.agents.list(tenant),
            world.skills.list(tenant),
            world.schedules.list(tenant),
            world.agent_keys.list(tenant, WRITER),
            world.sessions.latest(tenant, WRITER),
            both.operator.operator_keys.list(tenant),
        ]
    )


def strange_ids(both: BothApis, text: str, names: Mapping[str, str]) -> list[str]:
    """Ids of the tenant's that an answer has and the request had not."""
    ids = {task.activity_id for task in tasks_of(both)} | {
        *both.names["keys"],
        *both.names["operator-keys"],
    }
    asked = " ".join(names.values()).replace("run_", "act_")
    return sorted(each for each in ids if each in text and each not in asked)


def test_every_kind_of_credential_is_among_the_callers():
    schemes = {scheme_of(operation) for _, _, _, operation in ROUTES}

    assert schemes == set(OWN) == set(WITHIN_ITS_OWN)
    assert set(OWN.values()) <= set(CALLERS)
    assert {api.name for api, *_ in ROUTES} == {OPERATOR.name, AGENT.name}


def test_a_body_is_sent_with_whatever_takes_one():
    taken: list[Any] = [body_of(each) for *_, each in ROUTES if "requestBody" in each]

    assert None not in taken
