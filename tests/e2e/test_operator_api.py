"""Every route over HTTP, as an operator would use it, and what is refused, named and explained."""

import json
import uuid
from typing import Any

import pytest
import requests

from tests.deployment import DEMO_CREDENTIALS, Deployment

pytestmark = pytest.mark.stack

MISSING_ACTIVITY = "act_01J9Z3M7QK8W5T2X4Y6A8B0C1D"
MISSING_RUN = "run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"
MEBIBYTE = 1024 * 1024


def require_problem(answer: requests.Response, status: int, *fields: str) -> dict[str, Any]:
    """RFC 9457, with the fields that are wrong; nothing of our insides."""
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["Content-Type"]
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= problem.keys()
    assert status == problem["status"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["title"]
    assert problem["detail"]
    found = {error["field"] for error in problem.get("errors", [])}
    assert set(fields) <= found, found
    assert all(error["message"] for error in problem.get("errors", []))
    assert "Traceback" not in answer.text
    return dict(problem)


@pytest.fixture(scope="module")
def done(connected: Deployment) -> dict[str, Any]:
    """An activity that has ended, as the API shows it."""
    body = {
        "agent_role": "it_support",
        "message": "Analyze",
        "context": {"ticket_number": "INC0503407"},
        "title": "done",
        "tags": ["listed"],
        "priority": "high",
    }
    activity_id = connected.call("POST", "/v1/activities", body)["activity_id"]
    connected.wait_for_end(activity_id)
    return dict(connected.call("GET", f"/v1/activities/{activity_id}"))


def test_connections_are_stored_shown_checked_and_deleted(connected: Deployment):
    name = f"c-{uuid.uuid4().hex[:8]}"
    connected.connect(name, connected.info.leena_emulator_url)
    shown = connected.request("GET", f"/v1/connections/{name}")
    assert name == shown.json()["name"]
    for secret in DEMO_CREDENTIALS.values():
        assert secret not in shown.text
    assert name in {item["name"] for item in connected.call("GET", "/v1/connections")["items"]}
    checks = connected.call("POST", f"/v1/connections/{name}/check", {})
    assert checks["ok"] is True
    assert all(check["detail"] for check in checks["checks"])
    assert 204 == connected.request("DELETE", f"/v1/connections/{name}").status_code
    require_problem(connected.request("GET", f"/v1/connections/{name}"), 404)
    require_problem(connected.request("DELETE", f"/v1/connections/{name}"), 404)


def test_a_check_of_wrong_credentials_says_so(connected: Deployment):
    name = f"c-{uuid.uuid4().hex[:8]}"
    connected.connect(name, connected.info.leena_emulator_url, client_secret="wrong-one")
    answer = connected.request("POST", f"/v1/connections/{name}/check", {})
    assert answer.json()["ok"] is False
    assert "client_secret" in answer.text
    assert "wrong-one" not in answer.text


def test_agents_are_stored_shown_and_deleted(connected: Deployment):
    role = f"a-{uuid.uuid4().hex[:8]}"
    adapter = {"type": "leena_aop", "connection": "acme", "aop_id": "aop-1"}
    body = {"adapter": adapter, "retry": {"max_attempts": 3, "backoff_seconds": 5}}
    stored = connected.call("PUT", f"/v1/agents/{role}", body)
    assert (adapter, body["retry"]) == (stored["adapter"], stored["retry"])
    assert stored == connected.call("GET", f"/v1/agents/{role}")
    assert stored in connected.call("GET", "/v1/agents")["items"]
    in_use = connected.request("DELETE", "/v1/connections/acme")
    assert "it_support" in require_problem(in_use, 409)["detail"]
    assert 204 == connected.request("DELETE", f"/v1/agents/{role}").status_code
    require_problem(connected.request("GET", f"/v1/agents/{role}"), 404)


def test_a_disabled_agent_takes_no_work(connected: Deployment):
    adapter = {"type": "leena_aop", "connection": "acme", "aop_id": "aop-1"}
    connected.call("PUT", "/v1/agents/asleep", {"adapter": adapter, "enabled": False})
    answer = connected.request("POST", "/v1/activities", {"agent_role": "asleep"})
    assert "enable it" in require_problem(answer, 409)["detail"]


def test_schedules_are_stored_shown_and_deleted(connected: Deployment):
    body = {"activity": {"agent_role": "it_support", "message": "nightly"}}
    stored = connected.call("PUT", "/v1/schedules/e2e", body)
    assert "e2e" == json.loads(stored["scheduler_input"])["schedule"]
    assert stored == connected.call("GET", "/v1/schedules/e2e")
    assert stored in connected.call("GET", "/v1/schedules")["items"]
    assert 204 == connected.request("DELETE", "/v1/schedules/e2e").status_code
    require_problem(connected.request("GET", "/v1/schedules/e2e"), 404)


def test_operator_keys_are_issued_once_scoped_and_revoked(connected: Deployment):
    issued = connected.call("POST", "/v1/operator-keys", {"name": "reader", "scopes": ["read"]})
    key, key_id = issued["key"], issued["key_id"]
    assert 200 == connected.request("GET", "/v1/activities", key=key).status_code
    refused = connected.request("POST", "/v1/activities", {"agent_role": "it_support"}, key=key)
    assert "operate" in require_problem(refused, 403)["detail"]
    listed = connected.request("GET", "/v1/operator-keys")
    assert key_id in listed.text
    assert key not in listed.text
    assert 204 == connected.request("DELETE", f"/v1/operator-keys/{key_id}").status_code
    require_problem(connected.request("DELETE", f"/v1/operator-keys/{key_id}"), 404)


def test_an_activity_is_shown_with_its_run(connected: Deployment, done: dict[str, Any]):
    assert ("done", "high", ["listed"], "Analyze") == (
        done["status"],
        done["priority"],
        done["tags"],
        done["message"],
    )
    (run,) = done["runs"]
    assert ("completed", 1, None) == (run["status"], run["polls"], run["error"])
    assert run["aop_item_id"]
    assert run["reference_id"]
    assert run == connected.call("GET", f"/v1/runs/{run['run_id']}")
    assert "callback_token" not in run


def test_activities_are_listed_newest_first_filtered_and_in_pages(connected: Deployment):
    tag = f"t-{uuid.uuid4().hex[:8]}"
    body = {"agent_role": "it_support", "tags": [tag]}
    ids = [connected.call("POST", "/v1/activities", body)["activity_id"] for _ in range(5)]
    for activity_id in ids:
        connected.wait_for_end(activity_id)
    found: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        following = f"&cursor={cursor}" if cursor else ""
        page = connected.call("GET", f"/v1/activities?tag={tag}&limit=2{following}")
        found += [item["activity_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        pages += 1
        assert pages < 10
    assert sorted(ids, reverse=True) == found
    done = connected.call("GET", f"/v1/activities?tag={tag}&status=done&agent_role=it_support")
    assert 5 == len(done["items"])
    failed = connected.call("GET", f"/v1/activities?tag={tag}&status=failed")
    assert ([], None) == (failed["items"], failed["next_cursor"])


def test_events_come_as_pages_and_as_a_stream(connected: Deployment, done: dict[str, Any]):
    path = f"/v1/runs/{done['runs'][0]['run_id']}/events"
    events = connected.call("GET", path)["items"]
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert events[1:] == connected.call("GET", f"{path}?after={events[0]['sequence']}")["items"]
    stream = connected.request("GET", path, headers={"Accept": "text/event-stream"})
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    blocks = stream.text.strip().split("\n\n")
    assert "retry: 2000" == blocks[0]
    assert len(events) == len(blocks) - 1
    first, last = events[0]["sequence"], events[-1]["sequence"]
    assert f"id: {first}\nevent: {events[0]['type']}\ndata: " in blocks[1]
    resumed = connected.request(
        "GET", path, headers={"Accept": "text/event-stream", "Last-Event-ID": str(last - 1)}
    )
    assert [f"id: {last}"] == [
        line for line in resumed.text.splitlines() if line.startswith("id: ")
    ]


def test_an_ended_activity_cannot_be_cancelled_and_a_settled_run_not_resolved(
    connected: Deployment, done: dict[str, Any]
):
    cancel = connected.request("POST", f"/v1/activities/{done['activity_id']}/cancel", {})
    assert "done" in require_problem(cancel, 409)["detail"]
    path = f"/v1/runs/{done['runs'][0]['run_id']}/resolve"
    require_problem(connected.request("POST", path, {"not_started": True}), 409)
    both = {"not_started": True, "bind": {"aop_item_id": "69e90f247276b2fa8f2766e0"}}
    require_problem(connected.request("POST", path, both), 422, "bind", "not_started")


ADAPTER = {"type": "leena_aop", "connection": "acme", "aop_id": "aop-1"}
CONNECTION = {"provider": "leena", "region": "us-east-1", **DEMO_CREDENTIALS}


NO_CONNECTION = {"adapter": {**ADAPTER, "connection": "none"}}
WORK = {"agent_role": "it_support"}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/v1/connections/x", {**CONNECTION, "region": "mars-1"}, "region"),
        ("PUT", "/v1/connections/x", {**CONNECTION, "client_secret": None}, "client_secret"),
        ("PUT", "/v1/connections/x%20y", CONNECTION, "name"),
        ("PUT", "/v1/agents/x", NO_CONNECTION, "adapter.connection"),
        ("PUT", "/v1/agents/x", {"adapter": {**ADAPTER, "aop_id": "a b"}}, "adapter.aop_id"),
        ("POST", "/v1/activities", {"agent_role": "nobody"}, "agent_role"),
        ("POST", "/v1/activities", {}, "agent_role"),
        ("POST", "/v1/activities", NO_CONNECTION, "adapter.connection"),
        ("POST", "/v1/activities", {"agent_role": "it_support", "context": []}, "context"),
        ("POST", "/v1/activities", {"agent_role": "it_support", "context": "x"}, "context"),
        (
            "POST",
            "/v1/activities",
            {"agent_role": "it_support", "context": {"x": "y" * 200 * 1024}},
            "context",
        ),
        ("POST", "/v1/activities", {"agent_role": "it_support", "messages": "x"}, "messages"),
        ("POST", "/v1/activities", {**WORK, "timeout_seconds": 4}, "timeout_seconds"),
        ("POST", "/v1/activities", {"agent_role": "it_support", "status": "done"}, "status"),
        ("GET", "/v1/activities?limit=101", None, "limit"),
        ("GET", "/v1/activities?status=odd", None, "status"),
        ("PUT", "/v1/schedules/x", {"activity": {"agent_role": "nobody"}}, "activity.agent_role"),
        ("POST", "/v1/operator-keys", {"name": "x", "scopes": ["root"]}, "scopes.0"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(connected: Deployment, method, path, body, field):
    answer = connected.request(method, path, body)
    problem = require_problem(answer, 422, field)
    for secret in ("demo-secret", "demo-password"):
        assert secret not in json.dumps(problem)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/activities/{MISSING_ACTIVITY}",
        "/v1/activities/act_%2e%2e%2fMETA",
        "/v1/activities/%F0%9F%92%A9",
        "/v1/activities/" + "a" * 3000,
        "/v1/activities/act_01J9Z3M7QK8W5T2X4Y6A8B0C1D%23META",
        f"/v1/runs/{MISSING_RUN}",
        "/v1/runs/run_x_1",
        "/v1/runs/%00",
        f"/v1/runs/{MISSING_RUN}/events",
        "/v1/agents/a%0ab",
        "/v1/schedules/%20",
        "/v1/nothing/here",
    ],
)
def test_what_is_not_there_is_not_found_however_odd_its_name(connected: Deployment, path):
    require_problem(connected.request("GET", path), 404)


def test_a_wrong_method_is_named(connected: Deployment):
    answer = connected.request("DELETE", "/v1/activities")
    require_problem(answer, 405)
    assert "GET, POST" == answer.headers["Allow"]


@pytest.mark.parametrize("data", ["{", "nonsense", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000])
def test_what_is_no_json_is_malformed(connected: Deployment, data):
    require_problem(connected.request("POST", "/v1/activities", data=data), 400)


def test_a_body_that_is_no_object_is_refused(connected: Deployment):
    require_problem(connected.request("POST", "/v1/activities", data="[]"), 422, "body")


@pytest.mark.parametrize("size_bytes", [MEBIBYTE + 1, 10_000_000])
def test_a_large_body_is_too_large(connected: Deployment, size_bytes):
    body = json.dumps({"agent_role": "it_support", "message": "x" * size_bytes})
    answer = connected.request("POST", "/v1/activities", data=body)
    require_problem(answer, 413)


def test_another_media_type_is_unsupported(connected: Deployment):
    answer = connected.request(
        "POST", "/v1/activities", data="a=b", headers={"Content-Type": "text/plain"}
    )
    require_problem(answer, 415)


ROUTES = [
    ("GET", "/v1/connections"),
    ("PUT", "/v1/connections/acme"),
    ("GET", "/v1/connections/acme"),
    ("DELETE", "/v1/connections/acme"),
    ("POST", "/v1/connections/acme/check"),
    ("GET", "/v1/agents"),
    ("PUT", "/v1/agents/it_support"),
    ("GET", "/v1/agents/it_support"),
    ("DELETE", "/v1/agents/it_support"),
    ("GET", "/v1/schedules"),
    ("PUT", "/v1/schedules/nightly"),
    ("GET", "/v1/schedules/nightly"),
    ("DELETE", "/v1/schedules/nightly"),
    ("GET", "/v1/activities"),
    ("POST", "/v1/activities"),
    ("GET", "/v1/activities/{activity}"),
    ("POST", "/v1/activities/{activity}/cancel"),
    ("POST", "/v1/activities/{activity}/redrive"),
    ("POST", "/v1/activities/redrive"),
    ("GET", "/v1/runs/{run}"),
    ("GET", "/v1/runs/{run}/events"),
    ("POST", "/v1/runs/{run}/resolve"),
    ("GET", "/v1/operator-keys"),
    ("POST", "/v1/operator-keys"),
    ("DELETE", "/v1/operator-keys/{key}"),
    ("GET", "/v1/no/such/route"),
]


@pytest.mark.parametrize(
    "key",
    ["", "wrong", "ark_0123456789abcdef_" + "A" * 43, "\u00e9" * 43],
    ids=["none", "wrong", "well-formed", "not ASCII"],
)
def test_without_a_good_key_every_route_answers_the_same(connected: Deployment, key: str):
    details = set()
    for method, path in ROUTES if key in {"", "wrong"} else ROUTES[:3]:
        answer = connected.request(
            method, path, key=None if not key else "", headers=_authorization(key)
        )
        details.add(require_problem(answer, 401)["detail"])
        assert answer.headers["WWW-Authenticate"].startswith("ApiKey")
    assert 1 == len(details)


def _authorization(key: str) -> dict[str, Any]:
    return {"Authorization": f"ApiKey {key}".encode()} if key else {"Authorization": "ApiKey"}


def test_what_belongs_to_another_tenant_is_as_if_it_were_not_there(
    connected: Deployment, done: dict[str, Any], foreign_key: str
):
    activity_id, run_id = done["activity_id"], done["runs"][0]["run_id"]
    pairs = [
        ("GET", "/v1/activities/{}", activity_id, MISSING_ACTIVITY, None),
        ("POST", "/v1/activities/{}/cancel", activity_id, MISSING_ACTIVITY, {}),
        ("POST", "/v1/activities/{}/redrive", activity_id, MISSING_ACTIVITY, {"reason": "again"}),
        ("GET", "/v1/runs/{}", run_id, MISSING_RUN, None),
        ("GET", "/v1/runs/{}/events", run_id, MISSING_RUN, None),
        ("POST", "/v1/runs/{}/resolve", run_id, MISSING_RUN, {"not_started": True}),
        ("GET", "/v1/connections/{}", "acme", "none", None),
        ("POST", "/v1/connections/{}/check", "acme", "none", {}),
        ("DELETE", "/v1/connections/{}", "acme", "none", None),
        ("GET", "/v1/agents/{}", "it_support", "nobody", None),
        ("DELETE", "/v1/agents/{}", "it_support", "nobody", None),
        ("GET", "/v1/schedules/{}", "nightly", "nothing", None),
    ]
    for method, path, theirs, missing, body in pairs:
        answers = [
            require_problem(
                connected.request(method, path.format(name), body, key=foreign_key), 404
            )
            for name in (theirs, missing)
        ]
        told = [
            {
                **answer,
                "request_id": "",
                "instance": "",
                "detail": answer["detail"].replace(name, ""),
            }
            for answer, name in zip(answers, (theirs, missing), strict=True)
        ]
        assert told[0] == told[1], (method, path)
    for listing in ("activities", "connections", "agents", "schedules"):
        assert [] == connected.call("GET", f"/v1/{listing}", key=foreign_key)["items"]
    start = connected.request(
        "POST", "/v1/activities", {"agent_role": "it_support"}, key=foreign_key
    )
    require_problem(start, 422, "agent_role")
    assert 200 == connected.request("GET", f"/v1/activities/{activity_id}").status_code


def test_a_tenant_of_ones_own_works(connected: Deployment, foreign_key: str):
    connected.connect("acme", connected.info.leena_emulator_url, key=foreign_key)
    body = {"adapter": {**ADAPTER, "aop_id": "completes_at_once"}}
    accepted = connected.call("POST", "/v1/activities", body, key=foreign_key)
    assert 404 == connected.request("GET", accepted["links"]["self"]).status_code
    shown = connected.call("GET", accepted["links"]["self"], key=foreign_key)
    assert "rival" == shown["tenant"]
