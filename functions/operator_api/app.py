"""The operator API behind API Gateway.

Takes a REST (v1) proxy event of `/v1/{proxy+}`; gives a proxy answer. Never raises: every error is
an application/problem+json answer, and what is our fault is logged once under the request's id.
"""

from __future__ import annotations

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    telemetry.begin_invocation(context)
    return wiring.operator_api()(event, context)
