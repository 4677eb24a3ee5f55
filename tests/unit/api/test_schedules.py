"""`/v1/schedules` through the front door."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.api.driver import ACTIVITY, Api

INLINE = {"adapter": {"type": "leena_aop", "connection": "acme", "aop_id": "aop-1"}}


def test_put_answers_what_to_put_into_the_scheduler(ready: Api):
    answer = ready.call("PUT", "/v1/schedules/nightly", {"activity": ACTIVITY})
    assert answer.status == 200
    assert answer.json == {
        "name": "nightly",
        "activity": {**ACTIVITY, "priority": "normal"},
        "scheduler_input": (
            '{"tenant":"default","schedule":"nightly","occurrence":"<aws.scheduler.schedule-arn>@<aws.scheduler.scheduled-time>"}'
        ),
        "created_at": "2026-01-02T12:00:00Z",
        "updated_at": "2026-01-02T12:00:00Z",
    }
    assert json.loads(answer.json["scheduler_input"])["schedule"] == "nightly"


def test_the_shown_activity_can_be_stored_again(ready: Api):
    body = {
        **INLINE,
        "title": "t",
        "priority": "high",
        "tags": ["a"],
        "timeout_seconds": 60,
        "on_start_unknown": "fail",
    }
    first = ready.call("PUT", "/v1/schedules/nightly", {"activity": body}).json
    again = ready.call("PUT", "/v1/schedules/nightly", {"activity": first["activity"]}).json
    assert first["activity"] == body
    assert again == first


def test_list_get_and_delete(ready: Api):
    for name in ("b", "a"):
        ready.call("PUT", f"/v1/schedules/{name}", {"activity": ACTIVITY})
    names = [item["name"] for item in ready.call("GET", "/v1/schedules").json["items"]]
    assert names == ["a", "b"]
    assert ready.call("DELETE", "/v1/schedules/a").status == 204
    assert ready.call("GET", "/v1/schedules/a").status == 404
    assert ready.call("GET", "/v1/schedules/b").json["name"] == "b"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["activity"]),
        ({"activity": ACTIVITY, "cron": "* * * * ? *"}, ["cron"]),
        ({"activity": {"message": "x"}}, ["activity.agent_role", "activity.adapter"]),
        ({"activity": {**ACTIVITY, **INLINE}}, ["activity.agent_role", "activity.adapter"]),
        ({"activity": {"agent_role": "nobody"}}, ["activity.agent_role"]),
        (
            {"activity": {"adapter": INLINE["adapter"] | {"connection": "nobody"}}},
            ["activity.adapter.connection"],
        ),
        ({"activity": {**ACTIVITY, "context": []}}, ["activity.context"]),
    ],
)
def test_a_wrong_field_is_named(ready: Api, body: dict[str, Any], fields: list[str]):
    answer = ready.call("PUT", "/v1/schedules/nightly", body)
    assert (answer.status, answer.fields) == (422, fields)
