"""`/v1/runs` through the front door: the run, its events as JSON and as an event stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentruns.lifecycle import (
    UPSTREAM_FAILED,
    begin_activity,
    begin_dispatch,
    end_run,
    settle,
    start_accepted,
    start_unknown,
    status_observed,
)
from agentruns.model import EvidenceSource, Problem
from agentruns.ports import AopAccepted
from agentruns.statuses import RunStatus
from agentruns.transact import transact
from tests.fakes.leena import observation
from tests.unit.api.driver import AGENT, Api

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def run_id(ready: Api) -> str:
    """A run that was started, paused and went on: five events."""
    started = ready.started()
    now = ready.clock()
    accepted = AopAccepted(aop_item_id="item-1", request_id="r", provider_run_id=None)
    for decide in (
        lambda record: begin_dispatch(record, "dispatch-1", now),
        lambda record: start_accepted(record, accepted, now),
        lambda record: status_observed(
            record, record.current_run, RunStatus.PAUSED, observation("item-1", "paused"), now
        ),
        lambda record: status_observed(
            record, record.current_run, RunStatus.RUNNING, observation("item-1", "x"), now
        ),
    ):
        transact(ready.activities, "default", started["activity_id"], decide)
    return str(started["run_id"])


def sequences(answer: Any) -> list[int]:
    return [item["sequence"] for item in answer.json["items"]]


def test_a_run_shows_what_the_provider_said(ready: Api, run_id: str):
    run = ready.call("GET", f"/v1/runs/{run_id}").json
    assert (run["run_id"], run["status"], run["aop_item_id"]) == (run_id, "running", "item-1")
    assert run["reference_id"] == "ref-item-1"
    assert "dispatch_id" not in run


def test_events_are_numbered_without_gaps(ready: Api, run_id: str):
    answer = ready.call("GET", f"/v1/runs/{run_id}/events")
    assert (sequences(answer), answer.json["next_after"]) == ([1, 2, 3, 4, 5], None)
    assert answer.json["items"][0]["type"] == "ActivityOpened"
    assert set(answer.json["items"][0]) == {"sequence", "type", "at", "run_id", "detail"}


def test_events_come_in_pages(ready: Api, run_id: str):
    path = f"/v1/runs/{run_id}/events"
    first = ready.call("GET", path, query={"limit": "3"})
    assert (sequences(first), first.json["next_after"]) == ([1, 2, 3], 3)
    rest = ready.call("GET", path, query={"limit": "3", "after": "3"})
    assert (sequences(rest), rest.json["next_after"]) == ([4, 5], None)


def test_a_run_that_is_not_there_yet_has_no_events(ready: Api, run_id: str):
    path = f"/v1/runs/{run_id[:-1]}2/events"
    assert ready.call("GET", path).status == 404


def test_another_runs_events_are_left_out(ready: Api):
    agent = {**AGENT, "retry": {"max_attempts": 2, "backoff_seconds": 0}}
    ready.call("PUT", "/v1/agents/it_support", agent)
    started = ready.started()
    now = ready.clock()
    failed = Problem(code=UPSTREAM_FAILED, message="the item failed")
    for decide in (
        lambda record: end_run(
            record,
            record.current_run,
            RunStatus.FAILED,
            EvidenceSource.POLL,
            now,
            problem=failed,
        ),
        lambda record: settle(record, now),
        lambda record: begin_dispatch(record, "dispatch-2", now),
    ):
        transact(ready.activities, "default", started["activity_id"], decide)
    first = ready.call("GET", f"{started['links']['events']}")
    assert sequences(first) == [1, 2, 3]
    second = ready.call("GET", f"/v1/runs/{started['run_id'][:-1]}2/events")
    assert [item["type"] for item in second.json["items"]] == ["RunStatusChanged"]
    assert sequences(second) == [4]


def test_the_stream_has_all_events_and_ends(ready: Api, run_id: str):
    answer = ready.call("GET", f"/v1/runs/{run_id}/events", headers=STREAM)
    assert answer.headers["Content-Type"] == "text/event-stream"
    head, *blocks, end = answer.text.split("\n\n")
    assert (head, len(blocks), end) == ("retry: 2000", 5, "")
    first = dict(line.split(": ", 1) for line in blocks[0].split("\n"))
    assert (first["id"], first["event"]) == ("1", "ActivityOpened")
    assert json.loads(first["data"])["sequence"] == 1


def ids(text: str) -> list[str]:
    return [line[4:] for line in text.splitlines() if line.startswith("id: ")]


def test_the_stream_goes_on_after_the_last_event_id(ready: Api, run_id: str):
    headers = {**STREAM, "Last-Event-ID": "3"}
    path = f"/v1/runs/{run_id}/events"
    assert ids(ready.call("GET", path, headers=headers).text) == ["4", "5"]
    assert ids(ready.call("GET", path, headers=STREAM, query={"after": "4"}).text) == ["5"]
    both = ready.call("GET", path, headers=headers, query={"after": "1"})
    assert ids(both.text) == ["4", "5"]


def test_an_empty_stream_still_says_when_to_come_back(ready: Api, run_id: str):
    headers = {**STREAM, "Last-Event-ID": "5"}
    answer = ready.call("GET", f"/v1/runs/{run_id}/events", headers=headers)
    assert answer.text == "retry: 2000\n\n"


@pytest.mark.parametrize("accept", ["text/event-stream, */*;q=0.1", "TEXT/EVENT-STREAM;q=1"])
def test_accept_is_read_as_a_list(ready: Api, run_id: str, accept: str):
    answer = ready.call("GET", f"/v1/runs/{run_id}/events", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ({"after": "-1"}, {}, "after"),
        ({"after": "x"}, {}, "after"),
        ({"after": "9" * 5000}, {}, "after"),
        ({"limit": "0"}, {}, "limit"),
        ({"limit": "1001"}, {}, "limit"),
        ({}, {"Last-Event-ID": "x"}, "Last-Event-Id"),
    ],
)
def test_a_wrong_position_is_named(
    ready: Api, run_id: str, query: dict[str, str], headers: dict[str, str], field: str
):
    answer = ready.call("GET", f"/v1/runs/{run_id}/events", query=query, headers=headers)
    assert (answer.status, answer.fields) == (422, [field])


# Resolving a start of unknown outcome.


@pytest.fixture
def unknown(ready: Api) -> dict[str, Any]:
    """An activity whose only run was sent and got no trustworthy answer."""
    started = ready.started()
    now = ready.clock()
    problem = Problem(code="start_unknown", message="the answer timed out")
    for decide in (
        lambda record: begin_activity(record, "arn:execution", now),
        lambda record: begin_dispatch(record, "dispatch-1", now),
        lambda record: start_unknown(record, problem, now),
        lambda record: settle(record, now),
    ):
        transact(ready.activities, "default", started["activity_id"], decide)
    return started


def test_binding_the_found_item_goes_on_with_the_run(ready: Api, unknown: dict[str, Any]):
    path = f"/v1/runs/{unknown['run_id']}/resolve"
    body = {"bind": {"aop_item_id": "69e90f247276b2fa8f2766e0"}}
    answer = ready.call("POST", path, body)
    assert answer.status == 200
    assert (answer.json["activity_id"], answer.json["status"]) == (
        unknown["activity_id"],
        "in_progress",
    )
    assert answer.json["run"]["aop_item_id"] == "69e90f247276b2fa8f2766e0"
    assert answer.json["run"]["status"] == "running"
    assert ready.call("POST", path, body).json == answer.json


def test_not_started_opens_the_next_run(ready: Api, unknown: dict[str, Any]):
    path = f"/v1/runs/{unknown['run_id']}/resolve"
    answer = ready.call("POST", path, {"not_started": True})
    assert answer.status == 200
    assert answer.json["run"]["run_id"] == f"{unknown['run_id'][:-1]}2"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["bind", "not_started"]),
        ({"bind": {"aop_item_id": "x"}, "not_started": True}, ["bind", "not_started"]),
        ({"bind": {}}, ["bind.aop_item_id"]),
        ({"bind": {"aop_item_id": "../x"}}, ["bind.aop_item_id"]),
        ({"not_started": False}, ["not_started"]),
        ({"status": "completed"}, ["status"]),
    ],
)
def test_a_wrong_resolution_is_named(
    ready: Api, unknown: dict[str, Any], body: dict[str, Any], fields: list[str]
):
    answer = ready.call("POST", f"/v1/runs/{unknown['run_id']}/resolve", body)
    assert (answer.status, answer.fields) == (422, fields)


def test_a_run_whose_start_is_known_is_not_resolved(ready: Api, run_id: str):
    answer = ready.call("POST", f"/v1/runs/{run_id}/resolve", {"not_started": True})
    assert (answer.status, answer.json["title"]) == (409, "Run not unknown")
