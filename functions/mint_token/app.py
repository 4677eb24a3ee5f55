"""MintToken: see that a valid token of the run's connection is cached.

Never returns the token: state shows in clear.
Safe to repeat: a valid token is not minted again.
"""

from typing import Any

from agentruns import telemetry, wiring
from agentruns.steps import RunTask


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{tenant, activity_id, run_id, execution_arn}` to a Step; raises CredentialsRejected."""
    task = RunTask.parse(event)
    telemetry.begin_invocation(context, activity_id=task.activity_id, run_id=task.run_id)
    return wiring.mint_token()(task).to_json()
