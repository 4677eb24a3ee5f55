"""Failed activities done again, over HTTP and by the command, to the end of their successors."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from agentruns.model import ActivityRecord
from agentruns.statuses import ActivityStatus
from tests.deployment import Deployment
from tests.e2e.test_operator_api import MISSING_ACTIVITY, require_problem

pytestmark = pytest.mark.stack

REASON = {"reason": "the AOP is repaired"}
BULK = "/v1/activities/redrive"
AT_ONCE = 6


@pytest.fixture
def aop(connected: Deployment) -> Callable[[str], str]:
    """An AOP of the test's own, and how its items end from now on."""
    name = f"aop-{uuid.uuid4().hex[:8]}"

    def ends(status: str) -> str:
        url = f"{connected.info.leena_emulator_url}/_emulator/aops/{name}"
        requests.put(url, json={"phases": [{"status": status}]}, timeout=10).raise_for_status()
        return name

    return ends


def failed(deployment: Deployment, aop: Callable[[str], str], **body: Any) -> str:
    """An activity whose AOP failed, and is repaired since."""
    activity_id = deployment.start(aop("failed"), "acme", message="Analyze", **body)
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.FAILED is record.activity.status
    aop("completed")
    return activity_id


def path_of(activity_id: str) -> str:
    return f"/v1/activities/{activity_id}/redrive"


def shown(deployment: Deployment, activity_id: str) -> dict[str, Any]:
    return dict(deployment.call("GET", f"/v1/activities/{activity_id}"))


def test_a_failed_activity_is_done_again_and_both_tell_of_it(connected, aop, emulator_starts):
    old = failed(connected, aop, context={"ticket": "INC1"}, tags=["vpn"], title="VPN")
    before = shown(connected, old)
    answer = connected.request("POST", path_of(old), REASON)
    assert 202 == answer.status_code, answer.text
    new = answer.json()["activity_id"]
    assert (old, "queued") == (answer.json()["redrive_of"], answer.json()["status"])
    assert f"/v1/activities/{new}" == answer.headers["Location"]
    connected.wait_for_end(new)

    after, successor = shown(connected, old), shown(connected, new)
    changed = {name for name in before if before[name] != after[name]}
    assert {"redriven_as", "updated_at"} == changed
    assert ("failed", new, None) == (after["status"], after["redriven_as"], after["redrive_of"])
    assert ("done", None, old, "redrive") == tuple(
        successor[name] for name in ("status", "redriven_as", "redrive_of", "trigger")
    )
    for name in ("adapter", "message", "context", "tags", "title", "priority"):
        assert before[name] == successor[name], name
    assert {1} == {emulator_starts(each["runs"][0]["run_id"]) for each in (after, successor)}
    (told,) = [event for event in connected.events(old) if event.type == "ActivityRedriven"]
    assert {"redriven_as": new, **REASON} == told.detail
    opened = connected.events(new)[0]
    assert (old, "redrive") == (opened.detail["redrive_of"], opened.detail["trigger"])
    execution = connected.execution(connected.execution_arn(new))
    assert "SUCCEEDED" == execution.status


def test_a_repeat_with_the_key_is_the_same_answer_and_without_it_names_the_successor(
    connected, aop
):
    old = failed(connected, aop)
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = connected.request("POST", path_of(old), REASON, headers=headers)
    again = connected.request("POST", path_of(old), REASON, headers=headers)
    assert (202, 202) == (first.status_code, again.status_code)
    assert first.json() == again.json()
    assert "true" == again.headers["Idempotent-Replayed"]
    other = connected.request("POST", path_of(old), {"reason": "another"}, headers=headers)
    require_problem(other, 422)
    refused = require_problem(connected.request("POST", path_of(old), REASON), 409)
    assert first.json()["activity_id"] in refused["detail"]
    new = first.json()["activity_id"]
    connected.wait_for_end(new)
    refused = require_problem(connected.request("POST", path_of(new), REASON), 409)
    assert "has ended done; only a failed one is redriven" in refused["detail"]


def test_of_many_at_once_there_is_one_successor(connected, aop, emulator_starts):
    old = failed(connected, aop)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(
            pool.map(lambda _: connected.request("POST", path_of(old), REASON), range(AT_ONCE))
        )
    assert [202] + [409] * (AT_ONCE - 1) == sorted(answer.status_code for answer in answers)
    (new,) = [answer.json()["activity_id"] for answer in answers if answer.ok]
    record = connected.wait_for_end(new)
    assert new == shown(connected, old)["redriven_as"]
    assert 1 == emulator_starts(record.current_run.run_id)


def test_while_it_runs_and_where_a_person_is_waited_for_it_is_refused(connected):
    running = connected.start("never_ends", "acme")
    connected.wait_for(running, lambda record: record.current_run.remote_id is not None)
    problem = require_problem(connected.request("POST", path_of(running), REASON), 409)
    assert "only a failed one is redriven" in problem["detail"]
    connected.call("POST", f"/v1/activities/{running}/cancel", {})
    problem = require_problem(connected.request("POST", path_of(running), REASON), 409)
    assert "has ended cancelled" in problem["detail"]

    blocked = unknown_start(connected, "hold", lambda seen: seen.activity.status == "blocked")
    run_id = connected.record(blocked).current_run.run_id
    for body in (REASON, {**REASON, "not_started": True}):
        problem = require_problem(connected.request("POST", path_of(blocked), body), 409)
        assert f"/v1/runs/{run_id}/resolve" in problem["detail"]
    connected.call("POST", f"/v1/activities/{blocked}/cancel", {})


def unknown_start(
    deployment: Deployment, policy: str, is_reached: Callable[[ActivityRecord], bool]
) -> str:
    """An activity whose start was taken and never answered."""
    fault = {
        "operation": "execute",
        "kind": "drop_after_accept",
        "aop_id": "completes_after_3_polls",
        "times": 1,
    }
    url = f"{deployment.info.leena_emulator_url}/_emulator/faults"
    requests.post(url, json=[fault], timeout=10).raise_for_status()
    activity_id = deployment.start("completes_after_3_polls", "acme", on_start_unknown=policy)
    deployment.wait_for(activity_id, is_reached)
    return activity_id


def test_a_failure_for_an_unknown_start_takes_a_persons_word(connected):
    old = unknown_start(connected, "fail", lambda seen: seen.activity.status.is_terminal)
    problem = require_problem(connected.request("POST", path_of(old), REASON), 409)
    assert connected.record(old).current_run.run_id in problem["detail"]
    accepted = connected.call("POST", path_of(old), {**REASON, "not_started": True})
    record = connected.wait_for_end(accepted["activity_id"])
    assert ActivityStatus.DONE is record.activity.status


def test_a_preview_changes_nothing_and_a_bulk_redrive_then_does(connected, aop):
    tag = f"t-{uuid.uuid4().hex[:8]}"
    olds = [failed(connected, aop, tags=[tag]) for _ in range(5)]
    newest_first = sorted(olds, reverse=True)
    body = {"filter": {"tag": tag, "error_code": "upstream_failed"}, **REASON, "limit": 3}
    before = {old: (shown(connected, old), connected.events(old)) for old in olds}

    preview = connected.call("POST", BULK, body)
    assert preview["dry_run"] is True
    assert newest_first[:3] == [item["activity_id"] for item in preview["items"]]
    assert {"would_redrive"} == {item["outcome"] for item in preview["items"]}
    assert before == {old: (shown(connected, old), connected.events(old)) for old in olds}
    listed = connected.call("GET", f"/v1/activities?tag={tag}")["items"]
    assert newest_first == [item["activity_id"] for item in listed]

    successors: dict[str, str] = {}
    cursor = None
    while len(successors) < len(olds):
        page = {**body, "dry_run": False, **({"cursor": cursor} if cursor else {})}
        done = connected.call("POST", BULK, page)
        assert {"redriven"} == {item["outcome"] for item in done["items"]}
        successors |= {item["activity_id"]: item["redriven_as"] for item in done["items"]}
        cursor = done["next_cursor"]
    assert set(olds) == set(successors)
    for old, new in successors.items():
        record = connected.wait_for_end(new)
        assert (ActivityStatus.DONE, old) == (record.activity.status, record.activity.redrive_of)

    again = connected.call("POST", BULK, {**body, "limit": 100, "dry_run": False})
    found = {item["activity_id"]: item["redriven_as"] for item in again["items"]}
    assert successors == found
    assert {"activity_already_redriven"} == {item["skipped"]["code"] for item in again["items"]}


def test_what_cannot_be_redriven_is_skipped_and_says_why(connected, aop):
    role = f"a-{uuid.uuid4().hex[:8]}"
    agent = {"adapter": {"type": "leena_aop", "connection": "acme", "aop_id": aop("failed")}}
    connected.call("PUT", f"/v1/agents/{role}", agent)
    old = connected.call("POST", "/v1/activities", {"agent_role": role})["activity_id"]
    connected.wait_for_end(old)
    wanted = {"filter": {"agent_role": role}, **REASON, "dry_run": False}

    connected.call("PUT", f"/v1/agents/{role}", {**agent, "enabled": False})
    (asleep,) = connected.call("POST", BULK, wanted)["items"]
    connected.call("DELETE", f"/v1/agents/{role}")
    (gone,) = connected.call("POST", BULK, wanted)["items"]
    assert ("agent_disabled", "activity_not_redrivable") == (
        asleep["skipped"]["code"],
        gone["skipped"]["code"],
    )
    assert role in gone["skipped"]["message"]
    require_problem(connected.request("POST", path_of(old), REASON), 409)

    connected.call(
        "PUT", f"/v1/agents/{role}", {"adapter": {**agent["adapter"], "aop_id": "aop-1"}}
    )
    (item,) = connected.call("POST", BULK, wanted)["items"]
    assert agent["adapter"] == shown(connected, item["redriven_as"])["adapter"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (path_of(MISSING_ACTIVITY), {}, "reason"),
        (path_of(MISSING_ACTIVITY), {"reason": ""}, "reason"),
        (path_of(MISSING_ACTIVITY), {"reason": "r", "context": []}, "context"),
        (path_of(MISSING_ACTIVITY), {"reason": "r", "not_started": "yes"}, "not_started"),
        (path_of(MISSING_ACTIVITY), {"reason": "r", "force": True}, "force"),
        (BULK, {"reason": "r"}, "filter"),
        (BULK, {"reason": "r", "filter": {"status": "done"}}, "filter.status"),
        (BULK, {"reason": "r", "filter": {"created_after": "noon"}}, "filter.created_after"),
        (BULK, {"reason": "r", "filter": {"error_code": "No!"}}, "filter.error_code"),
        (BULK, {"reason": "r", "filter": {}, "limit": 101}, "limit"),
        (BULK, {"reason": "r", "filter": {}, "dry_run": "no"}, "dry_run"),
        (BULK, {"reason": "r", "filter": {}, "cursor": "odd"}, "cursor"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(connected, path, body, field):
    require_problem(connected.request("POST", path, body), 422, field)


@pytest.mark.parametrize("activity_id", [MISSING_ACTIVITY, "act_x", "run_x_1", "%00"])
def test_what_is_not_there_is_not_found(connected, activity_id):
    require_problem(connected.request("POST", path_of(activity_id), REASON), 404)


def test_another_tenants_failures_are_neither_found_nor_redriven(connected, aop, foreign_key):
    old = failed(connected, aop)
    require_problem(connected.request("POST", path_of(old), REASON, key=foreign_key), 404)
    page = connected.call("POST", BULK, {"filter": {}, **REASON}, key=foreign_key)
    assert old not in {item["activity_id"] for item in page["items"]}
    assert shown(connected, old)["redriven_as"] is None


def test_the_command_redrives_one_and_watches_its_successor(connected, aop):
    old = failed(connected, aop)
    done = connected.agentruns("redrive", old, "--reason", "repaired", "--watch")
    assert 0 == done.exit_code, done
    new = shown(connected, old)["redriven_as"]
    assert f"Redriven as {new}." in done.stderr
    assert f"redriven as       {new}" in connected.agentruns("show", old).stdout
    assert f"redrive of        {old}" in connected.agentruns("show", new).stdout
    again = connected.agentruns("redrive", old, "--reason", "repaired")
    assert 6 == again.exit_code
    assert new in again.stderr


def test_the_command_previews_many_and_redrives_them_with_yes(connected, aop):
    tag = f"t-{uuid.uuid4().hex[:8]}"
    olds = {failed(connected, aop, tags=[tag]) for _ in range(2)}
    arguments = ("redrive", "--tag", tag, "--reason", "repaired")
    unasked = connected.agentruns(*arguments)
    assert (2, True) == (unasked.exit_code, "Nobody to ask" in unasked.stderr), unasked
    preview = connected.agentruns(*arguments, "--dry-run", "--quiet")
    assert olds == set(preview.stdout.split())
    assert {None} == {shown(connected, old)["redriven_as"] for old in olds}
    done = connected.agentruns(*arguments, "--yes", "--json")
    assert 0 == done.exit_code, done
    items = json.loads(done.stdout)["items"]
    assert {shown(connected, old)["redriven_as"] for old in olds} == {
        item["redriven_as"] for item in items
    }
    for item in items:
        record = connected.wait_for_end(item["redriven_as"])
        assert ActivityStatus.DONE is record.activity.status
