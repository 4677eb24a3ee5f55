"""CheckRun: look at the run once and plan the next look.

Safe to repeat: one more look. A look that fails is planned again, not raised.
"""

from typing import Any

from agentruns import telemetry, wiring
from agentruns.steps import RunTask


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{tenant, activity_id, run_id, execution_arn}` to a Step; raises the provider's refusals."""
    task = RunTask.parse(event)
    telemetry.begin_invocation(context, activity_id=task.activity_id, run_id=task.run_id)
    return wiring.check_run()(task).to_json()
