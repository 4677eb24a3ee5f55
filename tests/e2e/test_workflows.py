"""Leap workflows as an operator uses them: connection, agent, start, and the end by webhook."""

import uuid
from datetime import UTC, datetime

import pytest
import requests

from agentruns.ids import new_activity_id
from agentruns.statuses import ActivityStatus
from tests.deployment import Deployment, is_parked

pytestmark = pytest.mark.stack

DIALECTS = ("workflows", "runs")


@pytest.fixture(scope="module")
def leap_url(deployment: Deployment) -> str:
    """Of the stack's own Leap emulator; connections `acme-workflows` and `acme-runs` use it."""
    for dialect in DIALECTS:
        deployment.connect_leap(f"acme-{dialect}", deployment.info.leap_emulator_url, dialect)
    return deployment.info.leap_emulator_url


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_connection_is_stored_shown_without_its_key_and_checked(
    deployment: Deployment, leap_url: str, dialect: str
):
    shown = deployment.request("GET", f"/v1/connections/acme-{dialect}")
    assert ("leap", dialect, leap_url) == tuple(
        shown.json()[name] for name in ("provider", "dialect", "base_url")
    )
    assert deployment.info.leap_emulator_api_key not in shown.text
    checked = deployment.call("POST", f"/v1/connections/acme-{dialect}/check", {})
    assert checked["ok"] is True, checked
    assert all(check["detail"] for check in checked["checks"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_role_is_given_to_a_workflow_and_its_end_comes_by_webhook(
    deployment: Deployment, leap_url: str, dialect: str
):
    role = f"writer-{dialect}"
    adapter = {
        "type": "leap_workflow",
        "connection": f"acme-{dialect}",
        "workflow_id": "wkf_completes",
    }
    deployment.call("PUT", f"/v1/agents/{role}", {"adapter": adapter})
    body = {"agent_role": role, "context": {"topic": dialect}, "message": "Write"}
    activity_id = deployment.call("POST", "/v1/activities", body)["activity_id"]

    record = deployment.wait_for_end(activity_id)

    assert ActivityStatus.DONE is record.activity.status
    assert 0 == record.current_run.polls, "nobody had to look"
    shown = deployment.call("GET", f"/v1/activities/{activity_id}")["runs"][-1]
    assert ["webhook"] == [evidence["source"] for evidence in shown["evidence"]]
    assert {"answer": "42", "steps": [{"name": "think", "tokens": 7}]} == shown["output"]
    query = {"run_id": shown["workflow_run_id"]}
    ledger = requests.get(f"{leap_url}/_emulator/ledger", params=query, timeout=10).json()
    (start,) = ledger["starts"]
    assert "wkf_completes" == start["workflow_id"]
    assert {"topic": dialect, "message": "Write"} == start["inputs"]


def hook_of(leap_url: str, run_id: str) -> str:
    """The URL that went out with the start of the run."""
    query = {"webhook": run_id}
    (start,) = requests.get(f"{leap_url}/_emulator/ledger", params=query, timeout=10).json()[
        "starts"
    ]
    return str(start["webhook_url"])


def test_a_hook_that_is_none_is_refused_as_one_of_no_run_at_all(
    deployment: Deployment, leap_url: str
):
    activity_id = deployment.start_workflow("wkf_never_ends", "acme-workflows")
    before = deployment.wait_for(activity_id, is_parked)
    run = before.current_run
    genuine = hook_of(leap_url, run.run_id)
    base, _, name = genuine.rpartition("/")
    run_id, tenant, mac = name.split(".")
    flipped = mac[:-2] + ("A" if mac[-2] != "A" else "B") + mac[-1]
    missing = f"run_{new_activity_id(datetime.now(UTC)).removeprefix('act_')}_1"
    told = {"id": run.remote_id, "workflowId": "wkf_never_ends", "status": "completed"}
    of_another_workflow = {**told, "workflowId": "wkf_completes"}

    answers = [
        requests.post(url, json=body, timeout=30)
        for url, body in (
            (f"{base}/{run_id}.{tenant}.{flipped}", told),
            (f"{base}/{missing}.{tenant}.{mac}", told),
            (f"{base}/{run_id}.rival.{mac}", told),
            (f"{base}/{run_id}.{tenant}", told),
            (f"{base}/{uuid.uuid4()}", told),
            (genuine, {"status": "completed"}),
            (genuine, of_another_workflow),
            (genuine, []),
        )
    ]
    answers.append(requests.post(genuine, data=b'{"id": "rnp_1", "status', timeout=30))

    assert {404} == {answer.status_code for answer in answers}
    assert 1 == len({answer.content for answer in answers}), "nobody learns which run there is"
    assert run.run_id not in answers[0].text
    assert before == deployment.record(activity_id)
    assert 200 == requests.post(genuine, json=told, timeout=30).status_code
    assert ActivityStatus.DONE is deployment.wait_for_end(activity_id).activity.status
