"""The contract of `EventBus`, and how events are put onto EventBridge."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from agentruns.aws.clients import AwsClients
from agentruns.aws.event_bus import MAX_BYTES, EventBridgeBus
from agentruns.event_types import EventType
from agentruns.model import Event
from agentruns.problem_words import IN_OWN_WORDS
from tests.fakes import RecordingEventBus
from tests.fakes.clock import NOON


def an_event(sequence: int = 1, **detail: Any) -> Event:
    return Event(
        tenant="acme",
        activity_id="act_1",
        sequence=sequence,
        type=EventType.RUN_STATUS_CHANGED,
        at=NOON + timedelta(microseconds=sequence),
        run_id="run_1_1",
        detail=detail,
    )


class PutCalls:
    """What PutEvents was called with; the entries at `refused` (over all calls) are not taken."""

    def __init__(self, aws: AwsClients, refused: tuple[int, ...] = ()) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._refused = refused
        self._events = aws.events()
        self._events.meta.events.register("provide-client-params.events.PutEvents", self._note)
        self._events.meta.events.register("after-call.events.PutEvents", self._refuse)

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [entry for call in self.calls for entry in call]

    def _note(self, params: dict[str, Any], **event: Any) -> None:
        self.calls.append(params["Entries"])

    def _refuse(self, parsed: dict[str, Any], **event: Any) -> None:
        first = len(self.entries) - len(self.calls[-1])
        for index in self._refused:
            if first <= index < len(self.entries):
                parsed["Entries"][index - first] = {"ErrorCode": "ThrottlingException"}
                parsed["FailedEntryCount"] = parsed.get("FailedEntryCount", 0) + 1


@pytest.fixture
def bus(aws: AwsClients) -> EventBridgeBus:
    aws.events().create_event_bus(Name="agentruns")
    return EventBridgeBus(aws.events, "agentruns")


class TestEventBus:
    @pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
    def test_all_taken_is_no_index(self, bus, count):
        events = [an_event(number) for number in range(count)]
        for either in (bus, RecordingEventBus()):
            assert either.publish(events) == ()

    @pytest.mark.parametrize("refused", [(0,), (3, 9), (10,), (2, 12, 24)])
    def test_what_the_bus_did_not_take_is_named_by_index(self, aws, bus, refused):
        recording = RecordingEventBus()
        recording.refuse_next(*refused)
        PutCalls(aws, refused)
        events = [an_event(number) for number in range(25)]
        for either in (bus, recording):
            assert either.publish(events) == refused


class TestEventBridge:
    def test_an_entry_carries_ids_and_detail(self, aws, bus):
        put = PutCalls(aws)
        bus.publish([an_event(7, status="running", tenant="forged")])
        (entry,) = put.entries
        assert json.loads(entry.pop("Detail")) == {
            "tenant": "acme",
            "activity_id": "act_1",
            "run_id": "run_1_1",
            "sequence": 7,
            "at": "2026-01-02T12:00:00.000007Z",
            "status": "running",
        }
        assert entry == {
            "EventBusName": "agentruns",
            "Source": "agentruns",
            "DetailType": "RunStatusChanged",
            "Time": NOON + timedelta(microseconds=7),
        }

    @pytest.mark.parametrize("code", sorted(IN_OWN_WORDS))
    def test_an_agents_or_a_persons_own_words_stay_with_the_activity(self, aws, bus, code):
        put = PutCalls(aws)
        bus.publish([an_event(error={"code": code, "message": "own words"})])
        (entry,) = put.entries
        assert {"code": code} == json.loads(entry["Detail"])["error"]

    def test_why_a_provider_refused_is_told(self, aws, bus):
        put, error = PutCalls(aws), {"code": "aop_rejected", "message": "no such field"}
        bus.publish([an_event(error=error)])
        (entry,) = put.entries
        assert error == json.loads(entry["Detail"])["error"]

    def test_ten_entries_a_call_in_order(self, aws, bus):
        put = PutCalls(aws)
        bus.publish([an_event(number) for number in range(25)])
        assert [len(call) for call in put.calls] == [10, 10, 5]
        sequences = [json.loads(entry["Detail"])["sequence"] for entry in put.entries]
        assert sequences == list(range(25))

    def test_a_call_stays_below_its_size(self, aws, bus):
        put = PutCalls(aws)
        bus.publish([an_event(number, text="x" * 100_000) for number in range(5)])
        assert [len(call) for call in put.calls] == [2, 2, 1]

    @pytest.mark.parametrize("text", ["x" * MAX_BYTES, "é" * (MAX_BYTES // 2)])
    def test_an_event_that_is_too_large_goes_out_with_its_ids(self, aws, bus, text):
        put = PutCalls(aws)
        assert bus.publish([an_event(1), an_event(2, text=text), an_event(3)]) == ()
        detail = json.loads(put.entries[1]["Detail"])
        assert (detail["sequence"], detail["truncated"]) == (2, True)
        assert "text" not in detail
        assert [len(call) for call in put.calls] == [3]

    def test_the_bus_is_named_in_each_entry(self, aws):
        with Stubber(aws.events()) as stubber:
            stubber.add_response(
                "put_events", {"FailedEntryCount": 0, "Entries": [{}]}, {"Entries": ANY}
            )
            assert EventBridgeBus(aws.events, "another").publish([an_event()]) == ()
