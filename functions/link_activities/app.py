"""LinkActivities: what one activity's story means for another. Read off the rows, so repeatable."""

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """A DynamoDB stream batch to `{batchItemFailures}`: where to go on from."""
    telemetry.begin_invocation(context)
    failed = wiring.link_activities()(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
