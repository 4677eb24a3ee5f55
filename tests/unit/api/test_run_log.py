"""`/v1/runs/{run_id}/events` of an agent that streams, and its tool calls, as an operator reads."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.steps import RunTask
from tests.fakes.world import TENANT, World
from tests.unit.api.agent_driver import AgentApi
from tests.unit.api.driver import BOOTSTRAP_ARN, BOOTSTRAP_KEY, Api
from tests.unit.api.test_agent_reports import CALL, end, report, stream

STREAM = {"Accept": "text/event-stream"}


class Both:
    """An agent's run, its calls, and the operator who reads it."""

    def __init__(self) -> None:
        self.agent = AgentApi(World())
        world = self.agent.world
        self.world = world
        self.operator = Api(
            clock=world.clock,
            activities=world.store,
            deltas=world.deltas,
            marks=world.marks,
        )
        self.operator.secrets.put(BOOTSTRAP_ARN, {"tenant": TENANT, "key": BOOTSTRAP_KEY}, "")
        self.task: RunTask = self.agent.at_work()
        self.before = len(world.events(self.task.activity_id))
        self.path = f"/v1/runs/{self.task.run_id}"

    def read(self, **query: Any) -> Any:
        texts = {name: str(value) for name, value in query.items()}
        return self.operator.call("GET", f"{self.path}/events", query=texts).json

    def pages(self, after: Any = 0, limit: int = 100) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while after is not None:
            page = self.read(after=after, limit=limit)
            items += page["items"]
            after = page["next_after"]
        return items

    def stream(self, number: int, delta: str = "x") -> None:
        assert stream(self.agent, self.task, number, delta).status == 200


@pytest.fixture
def both() -> Both:
    return Both()


def shown(items: list[dict[str, Any]]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        detail = item["detail"]
        if item["type"] == "TextDelta":
            found.append(("late", detail["number"]) if "late" in detail else detail["number"])
        elif item["type"] == "TextGap":
            found.append((detail["from"], detail["to"]))
        else:
            found.append(item["type"])
    return found


def test_text_tool_calls_and_states_are_one_log(both: Both):
    both.stream(2)
    both.stream(1, "first ")
    report(both.agent, both.task, CALL)
    both.stream(3)
    end(both.agent, both.task)

    items = both.pages()

    assert shown(items)[both.before :] == [1, 2, "ToolCalled", 3, "RunCompleted"]
    first = items[both.before]
    assert first["sequence"] is None
    assert first["run_id"] == both.task.run_id
    assert first["detail"] == {"number": 1, "text": "first "}


def test_a_gap_is_declared_after_five_seconds_and_what_comes_later_is_late(both: Both):
    both.stream(1)
    both.stream(4)
    assert shown(both.pages())[both.before :] == [1]
    cursor = both.pages()[-1]["cursor"]

    both.world.clock.advance(5)
    later = both.pages(after=cursor)
    assert shown(later) == [(2, 3), 4]
    both.stream(3)
    assert shown(both.pages(after=later[-1]["cursor"])) == [("late", 3)]
    assert shown(both.pages())[both.before :] == [1, (2, 2), 3, 4]


def test_the_event_stream_resumes_at_any_id(both: Both):
    for number in (1, 2, 4):
        both.stream(number)
    report(both.agent, both.task, CALL)
    end(both.agent, both.task)
    everything = both.operator.call("GET", f"{both.path}/events", headers=STREAM).text
    head, *blocks, last = everything.split("\n\n")
    assert (head, last) == ("retry: 2000", "")
    assert sum("event: TextDelta" in block for block in blocks) == 3
    assert sum("event: TextGap" in block for block in blocks) == 1

    for place, block in enumerate(blocks):
        seen_last = block.splitlines()[0].removeprefix("id: ")
        headers = {**STREAM, "Last-Event-ID": seen_last}
        rest = both.operator.call("GET", f"{both.path}/events", headers=headers).text
        assert rest.split("\n\n")[1:-1] == blocks[place + 1 :]


def test_a_plain_number_goes_on_working_as_a_cursor(both: Both):
    both.stream(1)
    report(both.agent, both.task, CALL)

    assert shown(both.pages(after=both.before)) == [1, "ToolCalled"]


@pytest.mark.parametrize("after", ["1.2.3", "1.10001", "1.2~9.AQ", "x", "1" * 1801])
def test_a_wrong_cursor_is_named(both: Both, after: str):
    answer = both.operator.call("GET", f"{both.path}/events", query={"after": after})
    assert (answer.status, answer.fields) == (422, ["after"])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), limit=st.sampled_from([1, 2, 5, 100]))
def test_any_interleaving_of_writes_and_pages_loses_nothing_and_repeats_nothing(seed, limit):
    chance, both = random.Random(seed), Both()
    numbers = [n for n in range(1, 31) if chance.random() < 0.8]
    chance.shuffle(numbers)
    items: list[dict[str, Any]] = []
    after: Any = 0
    for number in numbers:
        both.stream(number)
        both.world.clock.advance(chance.choice([0, 0.5, 4]))
        if chance.random() < 0.2:
            report(both.agent, both.task, CALL)
        if chance.random() < 0.3:
            page = both.read(after=after, limit=limit)
            items += page["items"]
            after = items[-1]["cursor"] if items else after
    end(both.agent, both.task)
    items += both.pages(after=after, limit=limit)

    told = [item["detail"]["number"] for item in items if item["type"] == "TextDelta"]
    assert sorted(told) == sorted(numbers)
    sequences = [item["sequence"] for item in items if item["sequence"] is not None]
    assert sequences == list(range(1, len(both.world.events(both.task.activity_id)) + 1))
    lost = {number for number in range(1, max(numbers, default=0)) if number not in numbers}
    gaps = [item["detail"] for item in items if item["type"] == "TextGap"]
    declared = {number for gap in gaps for number in range(gap["from"], gap["to"] + 1)}
    assert lost <= declared


def test_many_gaps_are_looked_up_and_nothing_late_is_lost(both: Both):
    for number in range(1, 60, 2):
        both.stream(number)
    both.world.clock.advance(5)
    cursor = both.pages()[-1]["cursor"]
    for number in range(2, 60, 2):
        both.stream(number)

    assert shown(both.pages(after=cursor, limit=7)) == [("late", n) for n in range(2, 59, 2)]


def test_tool_calls_are_read_in_full_and_in_pages(both: Both):
    for method in ("a", "b", "c"):
        report(both.agent, both.task, CALL | {"method": method})

    first = both.operator.call("GET", f"{both.path}/tool-calls", query={"limit": "2"}).json
    rest = both.operator.call(
        "GET", f"{both.path}/tool-calls", query={"cursor": first["next_cursor"]}
    ).json

    assert [call["method"] for call in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None
    assert first["items"][0]["tool_call_id"] == f"call_{both.task.run_id[4:]}_1"
    assert (first["items"][0]["input"], first["items"][0]["output"]) == (
        CALL["input"],
        CALL["output"],
    )


def test_a_run_shows_what_it_cost(both: Both):
    report(both.agent, both.task, CALL)
    report(both.agent, both.task, CALL | {"costUsd": 0.1})
    assert both.operator.call("GET", both.path).json["usage"] is None
    body = {
        "status": "success",
        "text": "x",
        "usage": {"inputTokens": 1200, "outputTokens": 800},
    }
    both.agent.call("POST", f"/agent/v1/runs/{both.task.run_id}/result", body)

    run = both.operator.call("GET", both.path).json

    assert (run["tool_calls"], run["cost_usd"]) == (2, 0.115)
    assert run["usage"] == {"input_tokens": 1200, "output_tokens": 800}
    json.dumps(run)


def test_another_tenant_s_tool_calls_are_not_there(both: Both):
    both.operator.secrets.put(BOOTSTRAP_ARN, {"tenant": "other", "key": BOOTSTRAP_KEY}, "")
    fresh = Api(clock=both.world.clock, activities=both.world.store, secrets=both.operator.secrets)
    for what in ("tool-calls", "events"):
        assert fresh.call("GET", f"{both.path}/{what}").status == 404
