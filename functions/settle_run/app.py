"""SettleRun: what a run's end, or a worker's failure, means for its activity.

Safe to repeat: terminal is immutable, and a further run is opened once.
"""

from typing import Any

from agentruns import telemetry, wiring
from agentruns.steps import RunTask


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{tenant, activity_id, run_id, execution_arn, error, cause}` to a Step; `error` is "" where
    no worker failed."""
    task = RunTask.parse(event)
    telemetry.begin_invocation(context, activity_id=task.activity_id, run_id=task.run_id)
    step = wiring.settle_run()(task, str(event["error"]), str(event["cause"]))
    return step.to_json()
