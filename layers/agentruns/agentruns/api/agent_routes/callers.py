"""Who calls: each route says which credential it takes, and gets the caller of that kind."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.agent_keys import CallingAgent
from agentruns.api.access import CALLER
from agentruns.request_errors import Unauthenticated
from agentruns.task_tokens import TaskCaller

TASK_TOKEN = "taskToken"  # noqa: S105  # a scheme's name
AGENT_KEY = "agentKey"
"""The credentials as the OpenAPI document names them. A route takes a task token, unless it says
`security=BY_AGENT_KEY`."""

BY_AGENT_KEY: list[dict[str, list[str]]] = [{AGENT_KEY: []}]


def task_caller(router: Router) -> TaskCaller:
    """Unauthenticated where the call came with another kind of credential."""
    caller = router.context[CALLER]
    if not isinstance(caller, TaskCaller):
        raise Unauthenticated("send the header Authorization: Bearer <task token>")
    return caller


def calling_agent(router: Router, role: str) -> CallingAgent:
    """Unauthenticated where the call came with another kind of credential; AgentNotFound for
    another role than the key's."""
    caller = router.context[CALLER]
    if not isinstance(caller, CallingAgent):
        raise Unauthenticated("send the header Authorization: ApiKey <agent key>")
    caller.require(role)
    return caller
