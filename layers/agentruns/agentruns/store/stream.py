"""What the table's stream says: which of its records are new events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentruns.store.items import read_event
from agentruns.store.keys import EVENT_PREFIX
from agentruns.store.values import from_item

if TYPE_CHECKING:
    from agentruns.model import Event


def event_of_record(record: Mapping[str, Any]) -> Event | None:
    """The event that a stream record (`NEW_IMAGE`) adds to a log; None for every other record.

    `record` is an element of `Records` of the Lambda event:
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    The stream's filter says the same; a function that trusts it alone would publish rows.
    """
    is_event = str(record["dynamodb"]["Keys"]["sk"]["S"]).startswith(EVENT_PREFIX)
    if record["eventName"] != "INSERT" or not is_event:
        return None
    return read_event(from_item(record["dynamodb"]["NewImage"]))
