"""`agentruns` against a deployed stack: what it says, and the exit codes that scripts branch on."""

import json
import signal
import time
import uuid

import pytest
import requests

from agentruns.statuses import ActivityStatus
from tests.deployment import DEMO_CREDENTIALS, Deployment

pytestmark = pytest.mark.stack

WATCHED = {
    "completes_at_once": 0,
    "fails_at_once": 1,
    "aborts": 3,
    "null_run_id": 7,
}
"""AOPs and how a watcher ends with each; the start of the last one is made to be unknown."""


@pytest.fixture(scope="module")
def ended(connected: Deployment):
    """`start --watch` of all of them at once."""
    fault = {
        "operation": "execute",
        "kind": "drop_after_accept",
        "aop_id": "null_run_id",
        "times": 1,
    }
    url = f"{connected.info.leena_emulator_url}/_emulator/faults"
    requests.post(url, json=[fault], timeout=10).raise_for_status()
    started = {
        aop: connected.begin("start", "--aop", aop, "--connection", "acme", "--watch")
        for aop in WATCHED
    }
    return {aop: connected.end(process) for aop, process in started.items()}


@pytest.mark.parametrize("aop", WATCHED)
def test_start_and_watch_ends_with_the_activitys_exit_code(ended, aop: str):
    assert WATCHED[aop] == ended[aop].exit_code, ended[aop]
    assert "act_" in ended[aop].stdout + ended[aop].stderr
    assert "Traceback" not in ended[aop].stderr


def test_ctrl_c_leaves_the_activity_running_and_says_how_to_return(connected: Deployment):
    tag = f"t-{uuid.uuid4().hex}"
    process = connected.begin(
        *("start", "--aop", "never_ends", "--connection", "acme", "--tag", tag),
        *("--watch", "--interval", "0.2"),
    )
    give_up_at = time.monotonic() + 30
    while not (running := _running(connected, tag)):
        assert time.monotonic() < give_up_at
        time.sleep(0.2)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    interrupted = connected.end(process)
    (activity_id,) = running
    assert 130 == interrupted.exit_code, interrupted
    assert f"agentruns watch {activity_id}" in interrupted.stderr
    assert ActivityStatus.IN_PROGRESS is connected.record(activity_id).activity.status

    waited = connected.agentruns("watch", activity_id, "--wait-timeout", "1")
    assert 124 == waited.exit_code, waited
    cancelled = connected.agentruns("cancel", activity_id, "--reason", "enough")
    assert 0 == cancelled.exit_code
    assert "cancel_unsupported" in cancelled.stderr
    assert 3 == connected.agentruns("watch", activity_id).exit_code


def _running(deployment: Deployment, tag: str) -> list[str]:
    page = deployment.call("GET", f"/v1/activities?tag={tag}")
    ids = [item["activity_id"] for item in page["items"]]
    return [each for each in ids if deployment.record(each).current_run.remote_id]


def test_json_is_what_the_api_answers(connected: Deployment):
    started = connected.agentruns("start", "it_support", "-m", "as JSON", "-c", "n:=1", "--json")
    accepted = json.loads(started.stdout)
    activity_id = accepted["activity_id"]
    connected.wait_for_end(activity_id)
    shown = json.loads(connected.agentruns("show", activity_id, "--json").stdout)
    assert connected.call("GET", f"/v1/activities/{activity_id}") == shown
    assert {"n": 1} == shown["context"]
    listed = json.loads(connected.agentruns("list", "--json", "--limit", "100").stdout)
    assert activity_id in {item["activity_id"] for item in listed["items"]}
    events = json.loads(connected.agentruns("events", activity_id, "--json").stdout)
    assert "ActivityCompleted" == events["items"][-1]["type"]


def test_connect_takes_credentials_from_standard_input_and_checks_them(connected: Deployment):
    url = connected.info.leena_emulator_url
    document = {"region": "us-east-1", "base_urls": {"auth": url, "api": url}, **DEMO_CREDENTIALS}
    good = connected.agentruns(
        "connect", "leena", "cli", "--from-stdin", stdin=json.dumps(document)
    )
    assert 0 == good.exit_code, good
    wrong = {**document, "password": "mistyped-by-hand"}
    bad = connected.agentruns("connect", "leena", "cli", "--from-stdin", stdin=json.dumps(wrong))
    assert bad.exit_code != 0
    assert "password" in bad.stdout + bad.stderr
    assert "mistyped-by-hand" not in bad.stdout + bad.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("show", "act_01J9Z3M7QK8W5T2X4Y6A8B0C1D"), 5),
        (("start",), 2),
        (("start", "nobody"), 2),
        (("list", "--status", "odd"), 2),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(connected: Deployment, arguments, exit_code):
    ended = connected.agentruns(*arguments)
    assert exit_code == ended.exit_code, ended
    assert ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_operator_key_has_its_exit_code(connected: Deployment):
    ended = connected.agentruns(
        "list",
        AGENTRUNS_API_URL=connected.info.api_url,
        AGENTRUNS_OPERATOR_KEY="not-the-key",
    )
    assert 4 == ended.exit_code, ended
    assert "not-the-key" not in ended.stdout + ended.stderr
