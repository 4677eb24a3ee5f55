"""A CSV in place of inputs: asked for through the API, events and schedules."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.api.events import AcceptEvent
from agentruns.errors import InvalidRequest
from tests.unit.api.driver import AGENT, Answer, Api

CSV = "https://files.example/input.csv?X-Amz-Signature=CANARY"
WORKFLOW = {"type": "leap_workflow", "connection": "flows", "workflow_id": "wkf_1"}
BULK = {"adapter": WORKFLOW, "input_csv_url": CSV}


@pytest.fixture
def leap_api() -> Api:
    """With an AOP's agent `it_support` and a workflow's agent `rows`."""
    api = Api().with_agent()
    speak(api, "runs")
    assert api.call("PUT", "/v1/agents/rows", {"adapter": WORKFLOW}).status == 200
    return api


def speak(api: Api, dialect: str) -> None:
    body = {"provider": "leap", "api_key": "key-1", "dialect": dialect}
    assert api.call("PUT", "/v1/connections/flows", body).status == 200


def by_api(api: Api, body: dict[str, Any]) -> list[str]:
    return refused_fields(api.call("POST", "/v1/activities", body))


def by_schedule(api: Api, body: dict[str, Any]) -> list[str]:
    answer = api.call("PUT", "/v1/schedules/nightly", {"activity": body})
    return [field.removeprefix("activity.") for field in refused_fields(answer)]


def by_event(api: Api, body: dict[str, Any]) -> list[str]:
    accept_event = AcceptEvent(accept_activity=api.services.accept_activity, tenant="default")
    event = {"id": "e-1", "source": "agentruns.request", "detail-type": "ActivityRequested"}
    with pytest.raises(InvalidRequest) as refused:
        accept_event({**event, "detail": body})
    assert "CANARY" not in str(refused.value)
    return [field.removeprefix("detail.") for field, _ in refused.value.problems]


def refused_fields(answer: Answer) -> list[str]:
    assert answer.status == 422
    assert "CANARY" not in answer.text
    return answer.fields


@pytest.mark.parametrize("way", [{"agent_role": "rows"}, {"adapter": WORKFLOW}])
def test_a_csv_is_taken_and_shown_with_the_activity_alone(leap_api: Api, way: dict[str, Any]):
    started = leap_api.started({**way, "input_csv_url": CSV})

    shown = leap_api.call("GET", f"/v1/activities/{started['activity_id']}").json
    assert (shown["input_csv_url"], shown["message"], shown["context"]) == (CSV, "", {})
    assert shown["runs"][0]["row_count"] is None
    assert "CANARY" not in leap_api.call("GET", "/v1/activities").text
    assert "CANARY" not in leap_api.call("GET", started["links"]["run"]).text
    assert "CANARY" not in leap_api.call("GET", started["links"]["events"]).text
    assert "CANARY" not in repr(leap_api.executions.started)


def test_an_event_names_a_csv(leap_api: Api):
    accept_event = AcceptEvent(accept_activity=leap_api.services.accept_activity, tenant="default")
    event = {"id": "e-1", "source": "agentruns.request", "detail-type": "ActivityRequested"}

    accepted = accept_event({**event, "detail": BULK})

    assert leap_api.activities.read("default", accepted.activity_id).activity.is_bulk


def test_a_schedule_names_a_csv_and_shows_it_as_it_was_given(leap_api: Api):
    body = {"agent_role": "rows", "input_csv_url": CSV, "priority": "normal"}

    answer = leap_api.call("PUT", "/v1/schedules/nightly", {"activity": body})

    assert (answer.status, answer.json["activity"]) == (200, body)
    assert leap_api.schedules.get("default", "nightly").request.input_csv_url == CSV


@pytest.mark.parametrize("refuse", [by_api, by_event, by_schedule])
@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"message": "hello"}, ["message"]),
        ({"context": {"a": 1}}, ["context"]),
        ({"message": "hello", "context": {"a": 1}}, ["message", "context"]),
        ({"adapter": AGENT["adapter"]}, ["input_csv_url"]),
        ({"input_csv_url": ""}, ["input_csv_url"]),
        ({"input_csv_url": 7}, ["input_csv_url"]),
        ({"input_csv_url": "http://files.example/CANARY.csv"}, ["input_csv_url"]),
        ({"input_csv_url": "http://127.0.0.1:9/CANARY.csv"}, ["input_csv_url"]),
        ({"input_csv_url": "https://10.0.0.7/CANARY.csv"}, ["input_csv_url"]),
        ({"input_csv_url": "https://u:CANARY@files.example/a.csv"}, ["input_csv_url"]),
        ({"input_csv_url": "https://files.example/" + "CANARY" * 2000}, ["input_csv_url"]),
    ],
)
def test_what_a_bulk_run_cannot_have_is_named(leap_api: Api, refuse, change, fields):
    assert refuse(leap_api, {**BULK, **change}) == fields


@pytest.mark.parametrize("refuse", [by_api, by_event, by_schedule])
@pytest.mark.parametrize("way", [{"agent_role": "rows"}, {"adapter": WORKFLOW}])
def test_a_dialect_without_bulk_runs_is_refused_with_the_fix(leap_api: Api, refuse, way):
    speak(leap_api, "workflows")

    assert refuse(leap_api, {**way, "input_csv_url": CSV}) == ["input_csv_url"]
    answer = leap_api.call("POST", "/v1/activities", {**way, "input_csv_url": CSV})
    assert "store it again with the dialect runs" in answer.json["detail"]


@pytest.mark.parametrize("refuse", [by_api, by_event, by_schedule])
def test_an_aops_agent_takes_no_csv(leap_api: Api, refuse):
    assert refuse(leap_api, {"agent_role": "it_support", "input_csv_url": CSV}) == ["input_csv_url"]


def test_the_same_key_with_another_csv_is_another_body(leap_api: Api):
    headers = {"Idempotency-Key": "rows-1"}
    first = leap_api.call("POST", "/v1/activities", BULK, headers=headers)
    again = leap_api.call("POST", "/v1/activities", BULK, headers=headers)
    other = {**BULK, "input_csv_url": "https://files.example/other.csv"}

    assert (first.status, again.json) == (202, first.json)
    assert leap_api.call("POST", "/v1/activities", other, headers=headers).status == 422
