"""The Agent API behind API Gateway: what agents of one's own call back.

Takes a REST (v1) proxy event of `/agent/v1/{proxy+}` or `/api/agent-callback/{runId}`; gives a
proxy answer. Never raises: every error is an application/problem+json answer with the protocol's
`code`.
"""

from __future__ import annotations

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    telemetry.begin_invocation(context)
    return wiring.agent_api()(event, context)
