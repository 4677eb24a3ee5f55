"""Leap workflows as an operator uses them: connection, agent, start, and the end by webhook."""

import pytest
import requests

from agentruns.statuses import ActivityStatus
from tests.deployment import Deployment

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
