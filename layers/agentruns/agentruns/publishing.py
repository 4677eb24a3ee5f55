"""From the event log to the bus: each event of the outbox once it is stored, in order per activity.

At least once: a repeated delivery of the stream publishes again, and a reader tells by
(activity_id, sequence). Not here: what the events mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentruns.model import Event
    from agentruns.ports import EventBus


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvents:
    """Publish the events among a batch of DynamoDB stream records."""

    bus: EventBus
    event_of_record: Callable[[Mapping[str, Any]], Event | None]

    def __call__(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """The sequence numbers of the records that the bus did not take, for Lambda to deliver
        again (ReportBatchItemFailures: it goes on from the first of them)."""
        events = [(record, self.event_of_record(record)) for record in records]
        new = [(record, event) for record, event in events if event is not None]
        refused = self.bus.publish([event for _, event in new]) if new else ()
        return [str(new[index][0]["dynamodb"]["SequenceNumber"]) for index in refused]
