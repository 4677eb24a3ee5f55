"""OpenRun: take an activity for this execution; from a schedule, store it first.

Safe to repeat: the execution that holds the activity finds itself the holder.
"""

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{tenant, activity_id, generation, execution_arn}` or `{tenant, schedule, occurrence,
    execution_arn}` to a Step; raises NotFound and what AcceptActivity refuses."""
    telemetry.begin_invocation(
        context, activity_id=event.get("activity_id"), schedule=event.get("schedule")
    )
    return wiring.open_run()(event).to_json()
