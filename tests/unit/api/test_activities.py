"""`/v1/activities` through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.errors import StoreConflict
from agentruns.ids import NAME_PATTERN
from agentruns.lifecycle import end_run, settle
from agentruns.model import EvidenceSource, Idempotency
from agentruns.statuses import RunStatus
from agentruns.transact import transact
from tests.unit.api.driver import ACTIVITY, AGENT, Api

INLINE = {"adapter": {"type": "leena_aop", "connection": "acme", "aop_id": "aop-1"}}


def test_a_start_is_accepted_and_its_execution_started(ready: Api):
    answer = ready.call("POST", "/v1/activities", ACTIVITY)
    assert answer.status == 202
    activity_id, run_id = answer.json["activity_id"], answer.json["run_id"]
    assert answer.json == {
        "activity_id": activity_id,
        "run_id": run_id,
        "status": "queued",
        "links": {
            "self": f"/v1/activities/{activity_id}",
            "run": f"/v1/runs/{run_id}",
            "events": f"/v1/runs/{run_id}/events",
        },
    }
    assert answer.headers["Location"] == f"/v1/activities/{activity_id}"
    (started,) = ready.executions.started
    assert started.name == f"{activity_id}-1"
    assert started.payload == {"tenant": "default", "activity_id": activity_id, "generation": 1}


def test_an_inline_adapter_needs_no_agent(ready: Api):
    activity_id = ready.started(INLINE)["activity_id"]
    shown = ready.call("GET", f"/v1/activities/{activity_id}").json
    assert shown["agent_role"] is None
    assert shown["adapter"] == INLINE["adapter"]


def test_get_shows_the_activity_with_its_runs(ready: Api):
    body = {
        **ACTIVITY,
        "title": "INC0503407",
        "priority": "high",
        "tags": ["servicenow", "it:1", "servicenow"],
        "timeout_seconds": 5,
        "on_start_unknown": "retry",
    }
    started = ready.started(body)
    answer = ready.call("GET", f"/v1/activities/{started['activity_id']}")
    assert answer.status == 200
    shown = answer.json
    (run,) = shown.pop("runs")
    assert shown == {
        "activity_id": started["activity_id"],
        "tenant": "default",
        "agent_role": "it_support",
        "adapter": AGENT["adapter"],
        "trigger": "api",
        "title": "INC0503407",
        "message": "Analyze the ticket",
        "context": {"n": 1},
        "input_csv_url": None,
        "tags": ["servicenow", "it:1"],
        "priority": "high",
        "status": "queued",
        "created_at": "2026-01-02T12:00:00Z",
        "updated_at": "2026-01-02T12:00:00Z",
        "deadline_at": "2026-01-02T12:00:05Z",
        "ended_at": None,
        "error": None,
        "execution_arn": None,
        "generation": 1,
        "redrive_of": None,
        "redriven_as": None,
        "reassigned_from": None,
        "reassigned_as": None,
        "parent_activity_id": None,
        "mentioned_in": None,
        "waits": [],
        "admission": "unlimited",
    }
    assert run["run_id"] == started["run_id"]
    assert (run["attempt"], run["status"], run["evidence"]) == (1, "pending", [])


def test_a_finished_run_is_shown_with_its_evidence_and_without_its_tokens(ready: Api):
    started = ready.started()
    now = ready.clock()
    transact(
        ready.activities,
        "default",
        started["activity_id"],
        lambda record: end_run(
            record, record.current_run, RunStatus.TIMEOUT, EvidenceSource.DEADLINE, now
        ),
    )
    transact(
        ready.activities, "default", started["activity_id"], lambda record: settle(record, now)
    )
    shown = ready.call("GET", f"/v1/activities/{started['activity_id']}").json
    assert (shown["status"], shown["error"]["code"]) == ("failed", "timeout")
    assert shown["runs"][0]["evidence"] == [
        {
            "source": "deadline",
            "status": "timeout",
            "observed_at": "2026-01-02T12:00:00Z",
            "decided": True,
            "output_bytes": None,
            "output_sha256": None,
        }
    ]
    assert {"callback_token", "dispatch_id", "version", "due_at"} & set(shown["runs"][0]) == set()


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"agent_role": None}, ["agent_role", "adapter"]),
        (INLINE, ["agent_role", "adapter"]),
        ({"agent_role": "nobody"}, ["agent_role"]),
        ({"agent_role": "a b"}, ["agent_role"]),
        ({"agent_role": "a\r\nx: y"}, ["agent_role"]),
        ({"agent_role": 7}, ["agent_role"]),
        ({"message": "x" * 65_537}, ["message"]),
        ({"message": "ü" * 32_769}, ["message"]),
        ({"message": None}, ["message"]),
        ({"context": [1]}, ["context"]),
        ({"context": "text"}, ["context"]),
        ({"context": None}, ["context"]),
        ({"context": {"blob": "x" * 204_800}}, ["context"]),
        ({"title": "x" * 201}, ["title"]),
        ({"title": "two\nlines"}, ["title"]),
        ({"title": "\x1b[31mred"}, ["title"]),
        ({"tags": ["t"] * 21}, ["tags"]),
        ({"tags": ["good", "-bad"]}, ["tags.1"]),
        ({"tags": "one"}, ["tags"]),
        ({"priority": "urgent"}, ["priority"]),
        ({"timeout_seconds": 4}, ["timeout_seconds"]),
        ({"timeout_seconds": 2_592_001}, ["timeout_seconds"]),
        ({"timeout_seconds": 60.5}, ["timeout_seconds"]),
        ({"timeout_seconds": "60"}, ["timeout_seconds"]),
        ({"on_start_unknown": "hope"}, ["on_start_unknown"]),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    ready: Api, change: dict[str, Any], fields: list[str]
):
    answer = ready.call("POST", "/v1/activities", {**ACTIVITY, **change})
    assert (answer.status, answer.fields) == (422, fields)
    assert ready.call("GET", "/v1/activities").json["items"] == []
    assert ready.executions.started == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"connection": "nobody"}, "adapter.connection"),
        ({"connection": "no/body"}, "adapter.connection"),
        ({"aop_id": "not an id"}, "adapter.aop_id"),
        ({"type": "webhook"}, "adapter.type"),
        ({"api_key": "x"}, "adapter.api_key"),
    ],
)
def test_a_wrong_inline_adapter_is_named(ready: Api, change: dict[str, Any], field: str):
    answer = ready.call("POST", "/v1/activities", {"adapter": {**INLINE["adapter"], **change}})
    assert (answer.status, answer.fields) == (422, [field])


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


@pytest.mark.parametrize(("levels", "status"), [(32, 202), (33, 422), (300, 422)])
def test_a_context_has_at_most_32_levels(ready: Api, levels: int, status: int):
    answer = ready.call("POST", "/v1/activities", {**ACTIVITY, "context": nested(levels)})
    assert answer.status == status


@pytest.mark.parametrize(("extra", "status"), [(0, 202), (1, 422)])
def test_a_context_has_at_most_200_kb(ready: Api, extra: int, status: int):
    blob = "x" * (204_800 - len('{"b":""}') + extra)
    answer = ready.call("POST", "/v1/activities", {**ACTIVITY, "context": {"b": blob}})
    assert answer.status == status


def test_a_context_counts_in_bytes(ready: Api):
    answer = ready.call("POST", "/v1/activities", {**ACTIVITY, "context": {"b": "ü" * 110_000}})
    assert answer.fields == ["context"]


def test_a_disabled_agent_is_a_conflict(ready: Api):
    ready.call("PUT", "/v1/agents/it_support", {**AGENT, "enabled": False})
    answer = ready.call("POST", "/v1/activities", ACTIVITY)
    assert answer.status == 409
    assert "PUT /v1/agents/it_support" in answer.json["detail"]


def test_the_sweeper_gets_what_could_not_be_started(ready: Api):
    ready.executions.fail_next_start(OSError("gone"))
    assert ready.call("POST", "/v1/activities", ACTIVITY).status == 202


# Idempotency.

KEY = {"Idempotency-Key": "order-42"}


def test_a_repeat_gives_the_same_answer_and_starts_nothing(ready: Api):
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    again = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    assert (again.status, again.json) == (202, first.json)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(ready.executions.started) == 1


def test_a_repeat_says_queued_even_where_the_activity_has_ended(ready: Api):
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    ready.call("POST", f"/v1/activities/{first.json['activity_id']}/cancel")
    again = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    assert again.json == first.json


def test_the_order_of_a_bodys_keys_does_not_make_it_another(ready: Api):
    turned = dict(reversed(ACTIVITY.items()))
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    assert ready.call("POST", "/v1/activities", turned, headers=KEY).json == first.json


def test_the_same_key_with_another_body_is_refused(ready: Api):
    ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    answer = ready.call("POST", "/v1/activities", {**ACTIVITY, "message": "no"}, headers=KEY)
    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])
    assert answer.json["type"] == "urn:agentruns:problem:idempotency_key_reused"


def test_a_key_is_free_again_after_a_day(ready: Api):
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    ready.clock.advance(24 * 3600 + 1)
    again = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    assert again.json["activity_id"] != first.json["activity_id"]


def test_the_same_key_of_another_tenant_is_another(ready: Api):
    other = ready.key("admin", tenant="other")
    connection = {
        "provider": "leena",
        "region": "us-east-1",
        "client_id": "c",
        "client_secret": "s",
        "username": "u",
        "password": "p",
    }
    ready.call("PUT", "/v1/connections/acme", connection, key=other)
    ready.call("PUT", "/v1/agents/it_support", AGENT, key=other)
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    foreign = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY, key=other)
    assert foreign.status == 202
    assert foreign.json["activity_id"] != first.json["activity_id"]


def test_a_twin_in_flight_is_a_conflict(ready: Api, monkeypatch: pytest.MonkeyPatch):
    def taken(*_: Any) -> None:
        raise StoreConflict("the key is taken")

    monkeypatch.setattr(ready.activities, "create", taken)
    answer = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    assert answer.status == 409
    assert answer.json["type"] == "urn:agentruns:problem:request_in_flight"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_twin_that_was_faster_gives_its_answer(ready: Api, monkeypatch: pytest.MonkeyPatch):
    first = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    find = ready.activities.find_idempotency
    answers: list[Idempotency | None] = [None]
    monkeypatch.setattr(
        ready.activities,
        "find_idempotency",
        lambda *arguments: answers.pop() if answers else find(*arguments),
    )
    again = ready.call("POST", "/v1/activities", ACTIVITY, headers=KEY)
    assert (again.status, again.json) == (202, first.json)


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256, "a\r\nb"])
def test_an_odd_idempotency_key_is_named(ready: Api, key: str):
    headers = {"Idempotency-Key": key}
    answer = ready.call("POST", "/v1/activities", ACTIVITY, headers=headers)
    assert (answer.status, answer.fields) == (422, ["Idempotency-Key"])


def test_a_key_of_255_characters_is_taken(ready: Api):
    headers = {"Idempotency-Key": "~" * 255}
    assert ready.call("POST", "/v1/activities", ACTIVITY, headers=headers).status == 202


# Listing.


def test_the_list_is_newest_first_and_paged(ready: Api):
    expected: list[str] = []
    for _ in range(5):
        expected.insert(0, ready.started()["activity_id"])
        ready.clock.advance(1)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = ready.call("GET", "/v1/activities", query=query).json
        seen += [item["activity_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == expected


def test_the_list_leaves_out_what_is_large(ready: Api):
    ready.started()
    (item,) = ready.call("GET", "/v1/activities").json["items"]
    assert {"runs", "message", "context"} & set(item) == set()


def test_the_list_filters(ready: Api):
    ready.call("PUT", "/v1/agents/hr", AGENT)
    plain = ready.started()["activity_id"]
    tagged = ready.started({**ACTIVITY, "tags": ["vip"]})["activity_id"]
    other = ready.started({**ACTIVITY, "agent_role": "hr"})["activity_id"]
    ready.call("POST", f"/v1/activities/{plain}/cancel")

    def found(**query: str) -> set[str]:
        items = ready.call("GET", "/v1/activities", query=query).json["items"]
        return {item["activity_id"] for item in items}

    assert found(status="cancelled") == {plain}
    assert found(tag="vip") == {tagged}
    assert found(agent_role="hr") == {other}
    assert found(agent_role="hr", tag="vip") == set()
    assert found() == {plain, tagged, other}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"status": "running"}, "status"),
        ({"agent_role": "a b"}, "agent_role"),
        ({"tag": "-"}, "tag"),
        ({"cursor": "made-up"}, "cursor"),
        ({"cursor": "x" * 513}, "cursor"),
    ],
)
def test_a_wrong_filter_is_named(ready: Api, query: dict[str, str], field: str):
    answer = ready.call("GET", "/v1/activities", query=query)
    assert (answer.status, answer.fields) == (422, [field])


# Cancelling.


def test_cancel_ends_the_activity_and_says_what_the_provider_does(ready: Api):
    activity_id = ready.started()["activity_id"]
    path = f"/v1/activities/{activity_id}/cancel"
    answer = ready.call("POST", path, {"reason": "wrong ticket"})
    assert answer.status == 200
    assert answer.json == {
        "activity_id": activity_id,
        "status": "cancelled",
        "provider_stopped": True,
        "detail": "the provider had not been asked to start it",
        "subtasks": [],
    }
    shown = ready.call("GET", f"/v1/activities/{activity_id}").json
    assert (shown["status"], shown["error"]["message"]) == ("cancelled", "wrong ticket")


def test_cancel_needs_no_body_and_can_be_repeated(ready: Api):
    path = f"/v1/activities/{ready.started()['activity_id']}/cancel"
    first = ready.call("POST", path)
    assert (first.status, ready.call("POST", path).json) == (200, first.json)


def test_what_has_ended_otherwise_cannot_be_cancelled(ready: Api):
    activity_id = ready.started()["activity_id"]
    now = ready.clock()
    for decide in (
        lambda record: end_run(
            record, record.current_run, RunStatus.FAILED, EvidenceSource.POLL, now
        ),
        lambda record: settle(record, now),
    ):
        transact(ready.activities, "default", activity_id, decide)
    answer = ready.call("POST", f"/v1/activities/{activity_id}/cancel")
    assert answer.status == 409
    assert answer.json["type"] == "urn:agentruns:problem:activity_ended"


@pytest.mark.parametrize("body", [{"reason": "a\nb"}, {"reason": "x" * 501}, {"why": "x"}])
def test_a_wrong_cancel_body_is_refused(ready: Api, body: dict[str, str]):
    path = f"/v1/activities/{ready.started()['activity_id']}/cancel"
    answer = ready.call("POST", path, body)
    assert (answer.status, answer.fields) == (422, list(body))


ODD_IDS = [
    "act_01J9Z3M7QK8W5T2X4Y6A8B0C1D",
    "act_",
    "ACT_01J9Z3M7QK8W5T2X4Y6A8B0C1D",
    "run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1",
    "..",
    "%2e%2e",
    "a%00b",
    "a#b",
    "a\nb",
    "ünïcödé",
    "'; drop table",
    "x" * 2000,
]


@pytest.mark.parametrize("odd", ODD_IDS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/activities/{}"),
        ("POST", "/v1/activities/{}/cancel"),
        ("GET", "/v1/runs/{}"),
        ("GET", "/v1/runs/{}/events"),
        ("GET", "/v1/connections/{}"),
        ("DELETE", "/v1/connections/{}"),
        ("POST", "/v1/connections/{}/check"),
        ("GET", "/v1/agents/{}"),
        ("DELETE", "/v1/agents/{}"),
        ("GET", "/v1/schedules/{}"),
        ("DELETE", "/v1/schedules/{}"),
        ("DELETE", "/v1/operator-keys/{}"),
    ],
)
def test_an_odd_id_is_not_found(ready: Api, method: str, path: str, odd: str):
    assert ready.call(method, path.format(odd)).status == 404


@pytest.mark.parametrize("odd", ["a b", "-a", "ü", "a.b", "x" * 65, "a%2fb"])
@pytest.mark.parametrize("collection", ["connections", "agents", "schedules"])
def test_an_odd_new_name_is_named(ready: Api, collection: str, odd: str):
    field = "agent_role" if collection == "agents" else "name"
    body = {"activity": ACTIVITY} if collection == "schedules" else AGENT
    answer = ready.call("PUT", f"/v1/{collection}/{odd}", body)
    assert answer.status == 422
    assert answer.fields[0] == field
    assert NAME_PATTERN in answer.json["errors"][0]["message"]
