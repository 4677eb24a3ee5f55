"""DispatchAgent: give the run to its agent, at most once. Accepted is not done.

Safe to repeat: a repeat finds what the first try stored and goes where the row says.
"""

from typing import Any

from agentruns import telemetry, wiring
from agentruns.steps import RunTask


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{tenant, activity_id, run_id, execution_arn}` to a Step; raises the agent's refusal."""
    task = RunTask.parse(event)
    telemetry.begin_invocation(context, activity_id=task.activity_id, run_id=task.run_id)
    return wiring.dispatch_agent()(task).to_json()
