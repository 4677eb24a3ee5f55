"""Events of the bus as activities, and the event files of both functions."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from agentruns.api.events import AcceptEvent
from agentruns.errors import AgentDisabled, InvalidRequest
from tests.unit.api.driver import ACTIVITY, AGENT, Api

EVENTS = Path(__file__).parents[3] / "events"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7f0ad3c5-1c2e-4f0b-9d6a-3b8f6f2f1a10",
    "source": "agentruns.request",
    "detail-type": "ActivityRequested",
    "detail": ACTIVITY,
}


def accept_event(api: Api) -> AcceptEvent:
    return AcceptEvent(accept_activity=api.services.accept_activity, tenant="default")


def refusal(api: Api, event: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        accept_event(api)(event)
    return dict(caught.value.problems)


def test_an_event_opens_an_activity(ready: Api):
    accepted = accept_event(ready)(EVENT)
    shown = ready.call("GET", f"/v1/activities/{accepted.activity_id}").json
    assert (shown["trigger"], shown["message"]) == ("event", "Analyze the ticket")
    assert [each.name for each in ready.executions.started] == [f"{accepted.activity_id}-1"]


def test_an_event_that_comes_again_opens_nothing(ready: Api):
    first = accept_event(ready)(EVENT)
    again = [accept_event(ready)(EVENT) for _ in range(2)]
    assert [(each.activity_id, each.repeated) for each in again] == [
        (first.activity_id, True),
        (first.activity_id, True),
    ]
    assert len(ready.executions.started) == 1


def test_events_in_any_order_and_number_open_one_activity_each(ready: Api):
    events = [{**EVENT, "id": f"event-{number}"} for number in (1, 2, 3, 2, 1, 3, 3, 1, 2)]
    opened = {accept_event(ready)(event).activity_id for event in events}
    assert len(opened) == 3
    assert len(ready.call("GET", "/v1/activities").json["items"]) == 3


def test_an_event_and_a_request_with_the_same_key_are_two(ready: Api):
    accepted = accept_event(ready)(EVENT)
    headers = {"Idempotency-Key": EVENT["id"]}
    answer = ready.call("POST", "/v1/activities", ACTIVITY, headers=headers)
    assert answer.json["activity_id"] != accepted.activity_id


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"detail": {"message": "x"}}, "detail.agent_role"),
        ({"detail": {**ACTIVITY, "context": [1]}}, "detail.context"),
        ({"detail": {**ACTIVITY, "tenant": "other"}}, "detail.tenant"),
        ({"detail": {"adapter": {"type": "leena_aop"}}}, "detail.adapter.connection"),
        ({"detail": "text"}, "detail"),
        ({"detail": None}, "detail"),
        ({"id": ""}, "id"),
        ({"id": None}, "id"),
        ({"id": "a b"}, "id"),
        ({"source": "aws.ec2"}, "source"),
        ({"detail-type": "Other"}, "detail-type"),
    ],
)
def test_a_wrong_field_is_named(ready: Api, change: dict[str, Any], field: str):
    assert field in refusal(ready, {**EVENT, **change})
    assert ready.executions.started == []


@pytest.mark.parametrize("event", [{}, {"schedule": "nightly"}, [], "text", None])
def test_what_is_no_event_is_refused(ready: Api, event: Any):
    assert refusal(ready, event)


def test_a_refusal_shows_no_value(ready: Api):
    with pytest.raises(InvalidRequest) as caught:
        accept_event(ready)({**EVENT, "detail": {**ACTIVITY, "message": ["CANARY"]}})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "CANARY" not in str(caught.value)


def test_a_disabled_agent_is_an_error_that_reaches_the_destination(ready: Api):
    ready.call("PUT", "/v1/agents/it_support", {**AGENT, "enabled": False})
    with pytest.raises(AgentDisabled):
        accept_event(ready)(EVENT)


def test_the_log_has_the_ids_and_no_payload(ready: Api, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="agentruns"):
        accept_event(ready)({**EVENT, "detail": {**ACTIVITY, "message": "CANARY"}})
    (line,) = [record for record in caplog.records if record.message == "event_accepted"]
    assert vars(line)["event_id"] == EVENT["id"]
    assert not [record for record in caplog.records if "CANARY" in str(vars(record))]


# The files under events/: what each of them gives.

OPENED = ["activity_requested", "inline_adapter", "servicenow-ticket"]
REFUSED = {
    "unknown_agent": {"agent_role"},
    "wrong_fields": {"detail.context", "detail.tenant"},
    "other_source": {"source"},
}


def load(function: str, case: str) -> Any:
    return json.loads((EVENTS / f"{function}-{case}.json").read_text())


def test_every_event_file_is_used():
    files = {path.stem for path in EVENTS.glob("*.json")}
    assert {name for name in files if name.startswith("accept_event-")} == {
        f"accept_event-{case}" for case in [*OPENED, *REFUSED]
    }


@pytest.mark.parametrize("case", OPENED)
def test_a_good_event_file_opens_an_activity(ready: Api, case: str):
    event = load("accept_event", case)
    accepted = accept_event(ready)(event)
    shown = ready.call("GET", f"/v1/activities/{accepted.activity_id}").json
    assert shown["message"] == event["detail"]["message"]
    assert shown["context"] == event["detail"].get("context", {})


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_event_file_is_refused(ready: Api, case: str):
    assert set(refusal(ready, load("accept_event", case))) == REFUSED[case]
