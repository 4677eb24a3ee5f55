"""From the event log to the bus: each event of the outbox once it is stored, in order per activity.

At least once: a repeated delivery of the stream publishes again, and a reader tells by
(activity_id, sequence). Not here: what the events mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentruns.ports import EventBus
from agentruns.store.items import read_event
from agentruns.store.keys import EVENT_PREFIX
from agentruns.store.values import from_item


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvents:
    """Publish the events among a batch of DynamoDB stream records."""

    bus: EventBus

    def __call__(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """The sequence numbers of the records that the bus did not take, for Lambda to deliver
        again (ReportBatchItemFailures: it goes on from the first of them)."""
        stored = [record["dynamodb"] for record in records if _is_new_event(record)]
        events = [read_event(from_item(entry["NewImage"])) for entry in stored]
        refused = self.bus.publish(events) if events else ()
        return [str(stored[index]["SequenceNumber"]) for index in refused]


def _is_new_event(record: Mapping[str, Any]) -> bool:
    """The stream's filter says the same; a function that trusts it alone publishes rows."""
    is_event = str(record["dynamodb"]["Keys"]["sk"]["S"]).startswith(EVENT_PREFIX)
    return is_event and record["eventName"] == "INSERT"
