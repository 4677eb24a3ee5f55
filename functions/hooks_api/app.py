"""The hooks behind API Gateway: where providers tell how their runs ended.

Takes a REST (v1) proxy event of `POST /hooks/leap/{name}`; gives a proxy answer. Never raises, and
logs no path: it is what lets the provider in.
"""

from __future__ import annotations

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    telemetry.begin_invocation(context)
    return wiring.hooks_api()(event, context)
