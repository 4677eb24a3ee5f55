"""ParkRun: store the execution's callback token, so that the sweeper or a person can wake it.

Safe to repeat: the latest token is the one that is woken. Its own answer is not looked at: the task
ends when somebody sends the next step to the callback token.
"""

from typing import Any

from agentruns import telemetry, wiring
from agentruns.steps import RunTask


def lambda_handler(event: dict[str, Any], context: Any) -> None:
    """`{tenant, activity_id, run_id, execution_arn, callback_token}`."""
    task = RunTask.parse(event)
    telemetry.begin_invocation(context, activity_id=task.activity_id, run_id=task.run_id)
    wiring.park_run()(task, str(event["callback_token"]))
