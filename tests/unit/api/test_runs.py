"""`/v1/runs` through the front door: the run, its events as JSON and as an event stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentruns.aop import ExecuteAop, LookAtAop
from agentruns.checking import CheckRun
from agentruns.errors import StartUnknown
from agentruns.learning import LearnDurations
from agentruns.polling import PollPolicy
from agentruns.providers import LEENA_AOP
from agentruns.runs import OpenRun, SettleRun
from agentruns.steps import RunTask
from tests.fakes import FakeTokenSource, InMemoryDurationStore
from tests.unit.api.driver import AGENT, Api

STREAM = {"Accept": "text/event-stream"}


class Workers:
    """What the state machine would call for one activity, over the same ports as the API."""

    def __init__(self, api: Api, activity_id: str) -> None:
        planned: dict[str, Any] = {
            "activities": api.activities,
            "clock": api.clock,
            "policy": PollPolicy(),
        }
        calling = planned | {
            "connections": api.connections,
            "tokens": FakeTokenSource(),
            "leena": api.leena,
        }
        self._activity_id = activity_id
        self._arn = api.executions.arn_of(f"{activity_id}-1")
        self._run_id = ""
        self._open_run = OpenRun(
            schedules=api.schedules,
            accept_activity=api.services.accept_activity,
            admit_activities=api.admit_activities,
            **planned,
        )
        learning = LearnDurations(durations=InMemoryDurationStore(), clock=api.clock)
        self._execute_aop = ExecuteAop(learning=learning, **calling)
        looking = {name: calling[name] for name in ("connections", "tokens", "leena", "clock")}
        look = LookAtAop(**looking)
        self._check_run = CheckRun(
            looks={LEENA_AOP: look},
            ask=look.ask,
            count_looks=api.services.count_looks,
            **planned,
        )
        count_looks = api.services.count_looks
        self._settle_run = SettleRun(
            learning=learning,
            count_looks=count_looks,
            admit_activities=api.admit_activities,
            **planned,
        )

    def open(self) -> None:
        self._run_id = self._open_run(
            {
                "tenant": "default",
                "activity_id": self._activity_id,
                "generation": 1,
                "execution_arn": self._arn,
            }
        ).run_id

    def execute(self) -> None:
        self._execute_aop(self._task())

    def check(self) -> None:
        self._check_run(self._task())

    def settle(self) -> None:
        self._settle_run(self._task())

    def _task(self) -> RunTask:
        return RunTask(
            tenant="default",
            activity_id=self._activity_id,
            run_id=self._run_id,
            execution_arn=self._arn,
        )


@pytest.fixture
def run_id(ready: Api) -> str:
    """A run that was started, paused and went on: six events."""
    started = ready.started()
    workers = Workers(ready, started["activity_id"])
    workers.open()
    workers.execute()
    for status in ("paused", "in_progress"):
        ready.leena.on_read_status(status)
        ready.clock.advance(60)
        workers.check()
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
    assert (sequences(answer), answer.json["next_after"]) == ([1, 2, 3, 4, 5, 6], None)
    assert answer.json["items"][0]["type"] == "ActivityOpened"
    assert set(answer.json["items"][0]) == {
        *("sequence", "type", "at", "run_id", "detail", "cursor")
    }


def test_events_come_in_pages(ready: Api, run_id: str):
    path = f"/v1/runs/{run_id}/events"
    first = ready.call("GET", path, query={"limit": "3"})
    assert (sequences(first), first.json["next_after"]) == ([1, 2, 3], 3)
    rest = ready.call("GET", path, query={"limit": "4", "after": "3"})
    assert (sequences(rest), rest.json["next_after"]) == ([4, 5, 6], None)


def test_a_run_that_is_not_there_yet_has_no_events(ready: Api, run_id: str):
    path = f"/v1/runs/{run_id[:-1]}2/events"
    assert ready.call("GET", path).status == 404


def test_another_runs_events_are_left_out(ready: Api):
    agent = {**AGENT, "retry": {"max_attempts": 2, "backoff_seconds": 0}}
    ready.call("PUT", "/v1/agents/it_support", agent)
    started = ready.started()
    workers = Workers(ready, started["activity_id"])
    workers.open()
    workers.execute()
    ready.leena.on_read_status("failed")
    workers.check()
    workers.settle()
    workers.open()
    workers.execute()
    first = ready.call("GET", started["links"]["events"])
    second = ready.call("GET", f"/v1/runs/{started['run_id'][:-1]}2/events")
    assert {item["run_id"] for item in first.json["items"]} == {started["run_id"]}
    assert {item["run_id"] for item in second.json["items"]} == {f"{started['run_id'][:-1]}2"}
    assert set(sequences(first)) & set(sequences(second)) == set()
    everything = {*sequences(first), *sequences(second)}
    assert everything == set(range(1, len(everything) + 1))


def test_the_stream_has_all_events_and_ends(ready: Api, run_id: str):
    answer = ready.call("GET", f"/v1/runs/{run_id}/events", headers=STREAM)
    assert answer.headers["Content-Type"] == "text/event-stream"
    head, *blocks, end = answer.text.split("\n\n")
    assert (head, len(blocks), end) == ("retry: 2000", 6, "")
    first = dict(line.split(": ", 1) for line in blocks[0].split("\n"))
    assert (first["id"], first["event"]) == ("1", "ActivityOpened")
    assert json.loads(first["data"])["sequence"] == 1


def ids(text: str) -> list[str]:
    return [line[4:] for line in text.splitlines() if line.startswith("id: ")]


def test_the_stream_goes_on_after_the_last_event_id(ready: Api, run_id: str):
    headers = {**STREAM, "Last-Event-ID": "4"}
    path = f"/v1/runs/{run_id}/events"
    assert ids(ready.call("GET", path, headers=headers).text) == ["5", "6"]
    assert ids(ready.call("GET", path, headers=STREAM, query={"after": "5"}).text) == ["6"]
    both = ready.call("GET", path, headers=headers, query={"after": "1"})
    assert ids(both.text) == ["5", "6"]


def test_an_empty_stream_still_says_when_to_come_back(ready: Api, run_id: str):
    headers = {**STREAM, "Last-Event-ID": "6"}
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
    ready.leena.on_execute(StartUnknown("the answer timed out"))
    workers = Workers(ready, started["activity_id"])
    workers.open()
    workers.execute()
    workers.settle()
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
        ({"bind": {}}, ["bind.aop_item_id", "bind.workflow_run_id"]),
        (
            {"bind": {"aop_item_id": "x", "workflow_run_id": "x"}},
            ["bind.aop_item_id", "bind.workflow_run_id"],
        ),
        ({"bind": {"workflow_run_id": "rnp_1"}}, ["bind.workflow_run_id"]),
        ({"bind": {"workflow_run_id": "../x"}}, ["bind.workflow_run_id"]),
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
