"""What the Agent API's routes do not say of it: for its OpenAPI document alone."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer

from agentruns.api.agent_codes import code_of
from agentruns.api.agent_routes.callers import AGENT_KEY, TASK_TOKEN
from agentruns.api.openapi import Description, header_key


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


AGENT_API = Description(
    title="agentruns: Agent API",
    text="What an agent of one's own calls back. How to write one: docs/agents.md.",
    schemes={
        TASK_TOKEN: HTTPBearer(
            bearerFormat="JWT", description="The `taskToken` of a dispatch: it speaks for one run."
        ),
        AGENT_KEY: header_key("`ApiKey ` and a key of the agent: it speaks for one role."),
    },
    security=TASK_TOKEN,
    more=code_of,
    rename=_camel_case,
)
