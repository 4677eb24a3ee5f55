"""PublishEvents: the table's stream to the bus. At least once; readers tell by sequence."""

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """A DynamoDB stream batch to `{batchItemFailures}`: what the bus did not take."""
    telemetry.begin_invocation(context)
    failed = wiring.publish_events()(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
