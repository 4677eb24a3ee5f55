"""Opens an activity for an event `ActivityRequested` of the source `agentruns.request`.

Takes an EventBridge event whose `detail` is the body of `POST /v1/activities`; gives
`{activity_id, run_id, repeated}`. Raises whatever keeps it from that: the invocation is
asynchronous, so Lambda repeats it twice (the event's id makes that harmless) and then hands the
event with the error to the function's on-failure destination. So an invalid event, a disabled agent
or an unknown connection (InvalidRequest, AgentDisabled) ends there: not lost, not tried for ever.
"""

from __future__ import annotations

from typing import Any

from agentruns import telemetry, wiring


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    telemetry.begin_invocation(context, event_id=str(event.get("id", ""))[:255])
    accepted = wiring.accept_event()(event)
    return {
        "activity_id": accepted.activity_id,
        "run_id": accepted.run_id,
        "repeated": accepted.repeated,
    }
