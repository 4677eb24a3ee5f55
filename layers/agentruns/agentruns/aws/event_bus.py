"""Events onto an EventBridge bus.

A call takes at most 10 entries and 256 KB; an event that is larger by itself goes out with its ids
alone and `truncated: true`, since its row has the rest and leaving it out would leave a gap.
botocore owns the retries of a whole call, the caller those of single entries; subscribers see an
event at least once. Limits: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentruns.problem_words import IN_OWN_WORDS
from agentruns.store.values import write_time

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from agentruns.model import Event

SOURCE = "agentruns"
MAX_ENTRIES = 10
MAX_BYTES = 256 * 1024
_TIME_BYTES = 14
"""What the documented size calculation counts for an entry's Time."""


class EventBridgeBus:
    """`agentruns.ports.EventBus`; `client` is asked for at the first use."""

    def __init__(self, client: Callable[[], EventBridgeClient], bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, events: Sequence[Event]) -> tuple[int, ...]:
        refused: list[int] = []
        for first, entries in _calls([self._entry(event) for event in events]):
            answer = self._client().put_events(Entries=entries)
            refused += [
                first + offset
                for offset, entry in enumerate(answer["Entries"])
                if entry.get("ErrorCode")
            ]
        return tuple(refused)

    def _entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._bus_name,
            "Source": SOURCE,
            "DetailType": event.type.value,
            "Time": event.at,
            "Detail": _write_detail({**_told(event.detail), **_ids(event)}),
        }
        if _size_bytes(entry) > MAX_BYTES:
            entry["Detail"] = _write_detail({**_ids(event), "truncated": True})
        return entry


def _told(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what an agent or a person wrote of why it ended."""
    error = detail.get("error")
    if not isinstance(error, dict) or error.get("code") not in IN_OWN_WORDS:
        return detail
    return {**detail, "error": {"code": error["code"]}}


def _ids(event: Event) -> dict[str, Any]:
    return {
        "tenant": event.tenant,
        "activity_id": event.activity_id,
        "run_id": event.run_id,
        "sequence": event.sequence,
        "at": write_time(event.at),
    }


def _write_detail(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"))


def _size_bytes(entry: PutEventsRequestEntryTypeDef) -> int:
    """Counted as on https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html ."""
    texts = (entry["Source"], entry["DetailType"], entry["Detail"])
    return _TIME_BYTES + sum(len(text.encode()) for text in texts)


def _calls(
    entries: Sequence[PutEventsRequestEntryTypeDef],
) -> Iterator[tuple[int, list[PutEventsRequestEntryTypeDef]]]:
    """What goes into each call, with the index of its first entry."""
    first, batch, batch_bytes = 0, list[Any](), 0
    for index, entry in enumerate(entries):
        size_bytes = _size_bytes(entry)
        if batch and (len(batch) == MAX_ENTRIES or batch_bytes + size_bytes > MAX_BYTES):
            yield first, batch
            first, batch, batch_bytes = index, [], 0
        batch.append(entry)
        batch_bytes += size_bytes
    if batch:
        yield first, batch
