from __future__ import annotations

from agentruns.event_types import EventType
from agentruns.publishing import PublishEvents
from agentruns.store.items import event_row
from agentruns.store.stream import event_of_record
from agentruns.store.values import to_item
from tests.fakes.event_bus import RecordingEventBus


def records_of(world, event_name="INSERT"):
    activity_id = world.started().activity_id
    return [
        {
            "eventName": event_name,
            "dynamodb": {
                "Keys": {name: to_item(event_row(event))[name] for name in ("pk", "sk")},
                "NewImage": to_item(event_row(event)),
                "SequenceNumber": str(100 + event.sequence),
            },
        }
        for event in world.events(activity_id)
    ]


def row_record():
    return {
        "eventName": "INSERT",
        "dynamodb": {"Keys": {"pk": {"S": "T#acme"}, "sk": {"S": "META"}}, "SequenceNumber": "1"},
    }


def test_new_events_are_published_in_their_order(world):
    bus = RecordingEventBus()
    assert [] == PublishEvents(bus=bus, event_of_record=event_of_record)(
        [row_record(), *records_of(world)]
    )
    assert [1, 2, 3, 4] == [event.sequence for event in bus.published]
    assert EventType.ACTIVITY_OPENED is bus.published[0].type


def test_rows_and_what_is_no_new_event_are_left_out(world):
    bus = RecordingEventBus()
    assert [] == PublishEvents(bus=bus, event_of_record=event_of_record)(
        [row_record(), *records_of(world, "REMOVE")]
    )
    assert [] == bus.published


def test_what_the_bus_did_not_take_is_named_by_its_place_in_the_stream(world):
    bus = RecordingEventBus()
    bus.refuse_next(1, 3)
    assert ["102", "104"] == PublishEvents(bus=bus, event_of_record=event_of_record)(
        [row_record(), *records_of(world)]
    )
