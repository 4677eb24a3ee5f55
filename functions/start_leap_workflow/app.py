"""StartLeapWorkflow: start the run's workflow, at most once.

Safe to repeat: a repeat finds what the first try stored and goes where the row says.
"""

from typing import Any

from agentruns import telemetry, wiring
from agentruns.steps import RunTask


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{tenant, activity_id, run_id, execution_arn}` to a Step; raises the provider's refusals."""
    task = RunTask.parse(event)
    telemetry.begin_invocation(context, activity_id=task.activity_id, run_id=task.run_id)
    return wiring.start_leap_workflow()(task).to_json()
