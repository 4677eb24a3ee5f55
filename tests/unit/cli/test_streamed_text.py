"""`watch` and `events` of an agent that streams: its text as it comes, its tool calls as lines."""

from typing import Any

from agentruns_cli.client import MAX_ATTEMPTS
from tests.unit.cli.operator_api import (
    ACTIVITY_ID,
    RUN_ID,
    ULID,
    a_problem,
    a_run,
    an_activity,
    an_event,
)

NEXT_RUN_ID = f"run_{ULID}_2"
ACTIVITY_PATH = f"/v1/activities/{ACTIVITY_ID}"
EVENTS_PATH = f"/v1/runs/{RUN_ID}/events"
ADAPTER = {"type": "webhook", "url": "https://agents.example/writer"}
ENDED_AT = "2026-11-22T01:03:04Z"


def an_entry(type_: str, cursor: str, **detail: Any) -> dict[str, Any]:
    return an_event(0, type_) | {"sequence": None, "cursor": cursor, "detail": detail}


def text(number: int, piece: str, **more: Any) -> dict[str, Any]:
    return an_entry("TextDelta", f"3.{number}", number=number, text=piece, **more)


def page(*items: Any, next_after: Any = None) -> dict[str, Any]:
    return {"items": list(items), "next_after": next_after}


CALL = an_event(4, "ToolCalled") | {
    "cursor": "4.2",
    "detail": {
        "tool_call_id": "call_1",
        "tool_name": "semrush",
        "method": "get",
        "status": "success",
        "duration_ms": 120,
        "cost_usd": 0.015,
    },
}
DONE = an_activity(
    "done", a_run("completed", ended_at=ENDED_AT), ended_at=ENDED_AT, adapter=ADAPTER
)


def test_text_is_appended_and_tool_calls_have_a_line(cli, api):
    going_on = an_activity(adapter=ADAPTER)
    api.answers("GET", ACTIVITY_PATH, going_on, going_on, going_on, DONE)
    api.answers(
        "GET",
        EVENTS_PATH,
        page(an_event(3, "RunStarted"), text(1, "Hello ")),
        page(text(2, "wor"), CALL),
        page(text(3, "ld"), an_entry("TextGap", "4.6", **{"from": 4, "to": 6})),
        page(text(7, "!"), text(5, "\x1b[2Jlate\n", late=True)),
    )

    lines = cli.run("watch", ACTIVITY_ID).stdout.splitlines()

    start = next(place for place, line in enumerate(lines) if line.startswith("Hello"))
    assert lines[start : start + 5] == [
        "Hello wor",
        "  [tool semrush.get success, 120 ms, 0.015 USD]",
        "ld",
        "  [text 4-6 is missing]",
        "!",
    ]
    assert lines[start + 5] == "  [text 5, late] [2Jlate"
    assert lines[start + 6].split()[1] == "done"
    asked = [request.params.get("after") for request in api.requests if "events" in request.url]
    assert asked == ["0", "3.1", "4.2", "4.6"]


def test_what_another_run_says_has_a_heading(cli, api):
    runs = [
        a_run("completed", ended_at=ENDED_AT),
        a_run("completed", run_id=NEXT_RUN_ID, attempt=2, ended_at=ENDED_AT),
    ]
    api.answers("GET", ACTIVITY_PATH, DONE | {"runs": runs})
    api.answers("GET", EVENTS_PATH, page(text(1, "A draft")))
    again = [text(1, "A better draft"), text(2, ", shorter")]
    api.answers(
        "GET",
        f"/v1/runs/{NEXT_RUN_ID}/events",
        page(*(each | {"run_id": NEXT_RUN_ID} for each in again)),
    )

    lines = cli.run("watch", ACTIVITY_ID).stdout.splitlines()

    assert lines[:3] == ["A draft", "  [run 2]", "A better draft, shorter"]


def test_an_outage_of_the_log_alone_is_made_up_for_at_the_next_look(cli, api):
    going_on = an_activity(adapter=ADAPTER)
    api.answers("GET", ACTIVITY_PATH, going_on, DONE)
    for _ in range(MAX_ATTEMPTS):
        api.refuses("GET", EVENTS_PATH, a_problem(503, "Busy"))
    api.answers("GET", EVENTS_PATH, page(text(1, "Hello")))

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.exit_code == 0
    assert "Hello" in outcome.stdout.splitlines()


def test_other_adapters_are_asked_for_no_text(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity(), an_activity("done", "completed"))

    cli.run("watch", ACTIVITY_ID)

    assert [request for request in api.requests if "events" in request.url] == []


def test_json_stays_one_activity_a_line(cli, api):
    api.answers("GET", ACTIVITY_PATH, DONE)

    assert cli.run("watch", ACTIVITY_ID, "--json").documents == [DONE]


def test_events_lists_text_in_its_place(cli, api):
    api.answers("GET", ACTIVITY_PATH, DONE)
    first = page(an_event(3, "RunStarted") | {"cursor": "3"}, text(1, "a\nb"), next_after="3.1")
    api.answers("GET", EVENTS_PATH, first, page(text(2, "c"), CALL))

    lines = cli.run("events", ACTIVITY_ID).stdout.splitlines()

    types = ("RunStarted", "TextDelta", "TextDelta", "ToolCalled")
    assert [type_ in line for type_, line in zip(types, lines, strict=True)] == [True] * 4
    assert 'number=1 text="a\\nb"' in lines[1]
    assert lines[1].startswith("    ")


def test_after_an_event_comes_only_the_text_behind_it(cli, api):
    later = an_entry("TextDelta", "4.3", number=3, text="x")
    api.answers("GET", EVENTS_PATH, page(text(1, "a"), CALL, later))

    outcome = cli.run("events", RUN_ID, "--after", "4", "-q")

    assert outcome.stdout.splitlines() == ["4", "4.3"]


def test_on_a_terminal_the_last_of_the_text_is_drawn(cli, api, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    api.answers("GET", ACTIVITY_PATH, an_activity(adapter=ADAPTER), DONE)
    api.answers("GET", EVENTS_PATH, page(text(1, "x" * 2_000)), page(text(2, " Hello\x1b]0;y")))
    cli.terminal.writes = True

    outcome = cli.run("watch", ACTIVITY_ID)

    assert "Hello]0;y" in outcome.stdout
    assert "\x1b]0" not in outcome.stdout
    assert outcome.stdout.rpartition("age")[2].count("x") < 1_000
