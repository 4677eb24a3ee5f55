"""The files under events/ of the two APIs: each is a request of a route, and answered as it says.

Those of the other functions: tests/unit/structure/test_events.py, test_hooks.py, test_accept_event.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.api.both import AGENT, APIS, FREE_URL, OPERATOR, ApiUnderTest, BothApis
from tests.unit.structure.project import EVENTS

REFUSED = {
    "agent_api-deliver_result_without_token": 401,
    "operator_api-put_connection_unknown_region": 422,
    "operator_api-start_activity_without_key": 401,
    "operator_api-start_activity_unknown_agent": 422,
    "operator_api-start_activity_not_json": 400,
    "operator_api-get_activity_missing": 404,
    "operator_api-stream_events_missing_run": 404,
}
"""All others are good."""

FIRST = {"operator_api-put_agent": "operator_api-put_connection"}
"""What another one makes has to be there."""

RUN_ID = "run_01JZX5V9Q8M7K3N2P4R6S8T0VW_1"
"""In the files, whatever run a test has."""

WITHOUT_FILE = {
    *("DELETE /v1/agents/{agent_role}", "GET /v1/agents", "GET /v1/agents/{agent_role}"),
    "DELETE /v1/agents/{agent_role}/keys/{key_id}",
    "GET /v1/agents/{agent_role}/keys",
    "POST /v1/agents/{agent_role}/signing-secret",
    *("GET /v1/connections", "GET /v1/connections/{name}", "DELETE /v1/connections/{name}"),
    *("POST /v1/connections/{name}/check", "PUT /v1/connections/{name}/limits"),
    *("GET /v1/operator-keys", "POST /v1/operator-keys", "DELETE /v1/operator-keys/{key_id}"),
    *("GET /v1/schedules", "GET /v1/schedules/{name}", "DELETE /v1/schedules/{name}"),
    *("GET /v1/skills", "GET /v1/skills/{name}", "DELETE /v1/skills/{name}"),
    *("POST /v1/activities/redrive", "GET /v1/runs/{run_id}/output"),
}
"""Routes of the operator API that are like others with one. A new route has a file."""


def files_of(api: ApiUnderTest) -> list[Path]:
    return sorted(EVENTS.glob(f"{api.name}_api-*.json"))


def route_of(api: ApiUnderTest, event: Any) -> tuple[str, dict[str, str]]:
    """Its path in the document, and what the event has for each parameter."""
    for path, methods in api.document["paths"].items():
        pattern = FREE_URL.sub(r"(?P<\1>[^/]+)", path)
        match = re.fullmatch(pattern, event["path"])
        literal = path == event["path"] or FREE_URL.search(path)
        if match and literal and event["httpMethod"].lower() in methods:
            return path, match.groupdict()
    raise AssertionError(f"{event['httpMethod']} {event['path']} is no route")


def credentials(both: BothApis) -> dict[str, str]:
    return {
        "<operator key>": both.operator_key,
        "<task token>": both.task_token,
        "<agent key>": both.agent_key,
    }


def read(stem: str) -> Any:
    return json.loads((EVENTS / f"{stem}.json").read_text())


def aimed(api: ApiUnderTest, event: Any, names: dict[str, str], both: BothApis) -> Any:
    """At what is there in the world, by a caller that it knows."""
    _, given = route_of(api, event)
    text = json.dumps(event)
    for placeholder, real in credentials(both).items():
        text = text.replace(placeholder, real)
    for name, there in names.items():
        text = text.replace(given[name], there)
    return json.loads(text.replace(RUN_ID, both.writing.run_id))


def statuses(api: ApiUnderTest, stem: str, event: Any) -> Iterator[int]:
    """What it is answered with each of the things that its path may name; each in a new world."""
    path, given = route_of(api, event)
    choices = {} if stem in REFUSED or not given else api.path_names(BothApis(), path)
    for numbers in itertools.product(*(range(len(each)) for each in choices.values())):
        both = BothApis()
        there = api.path_names(both, path) if choices else {}
        if stem in FIRST:
            api.app(both)(aimed(api, read(FIRST[stem]), {}, both), None)
        names = {name: there[name][number] for name, number in zip(there, numbers, strict=True)}
        yield api.app(both)(aimed(api, event, names, both), None)["statusCode"]


CASES = [(api, path.stem) for api in APIS for path in files_of(api)]


@pytest.mark.parametrize(("api", "stem"), CASES, ids=[stem for _, stem in CASES])
def test_an_event_file_is_answered_as_it_says(api: ApiUnderTest, stem: str):
    event = read(stem)
    if stem in REFUSED:
        assert set(statuses(api, stem, event)) == {REFUSED[stem]}
        return
    path, _ = route_of(api, event)
    operation = api.document["paths"][path][event["httpMethod"].lower()]
    good = min(int(status) for status in operation["responses"])

    assert good in statuses(api, stem, event)


@pytest.mark.parametrize("api", APIS, ids=lambda api: str(api.name))
def test_every_route_has_an_event_file(api: ApiUnderTest):
    good = {
        f"{event['httpMethod']} {route_of(api, event)[0]}"
        for path in files_of(api)
        if path.stem not in REFUSED
        for event in [json.loads(path.read_text())]
    }
    routes = {
        f"{method.upper()} {path}"
        for path, methods in api.document["paths"].items()
        for method in methods
    }

    assert routes - good == (WITHOUT_FILE if api is OPERATOR else set())


def test_files_that_are_refused_are_there():
    assert set(REFUSED) <= {path.stem for api in (AGENT, OPERATOR) for path in files_of(api)}
