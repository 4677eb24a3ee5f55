"""Starts that Leap refuses or puts off: what is wrong ends the run, what passes is sat out."""

import pytest

from agentruns.refusals import ApiKeyRejected, WorkflowNotFound, WorkflowRejected
from agentruns.statuses import ActivityStatus
from local.leap_emulator import LeapEmulator
from tests.deployment import Deployment
from tests.workflow.leap_scenarios import (
    DIALECTS,
    LeapScenario,
    connection_of,
    start,
    starts_of,
)

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_key_ends_the_run_and_says_what_to_check(
    deployment: Deployment, leap: LeapEmulator, dialect: str
):
    name = f"leap-mistyped-{dialect}"
    deployment.connect_leap(name, leap.url, dialect, api_key="not-the-key")

    record = deployment.wait_for_end(deployment.start_workflow("wkf_completes", name))

    activity = record.activity
    assert ActivityStatus.FAILED is activity.status
    assert activity.error is not None
    assert ApiKeyRejected.code == activity.error.code
    assert name in activity.error.message
    assert "not-the-key" not in activity.error.message
    assert [] == starts_of(leap, record)
    execution = deployment.execution(deployment.execution_arn(activity.activity_id))
    assert (ApiKeyRejected.code, activity.error.message) == (execution.error, execution.cause)
    assert 1 == execution.states.count("StartLeapWorkflow")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("workflow_id", "refusal"),
    [("wkf_is_not_there", WorkflowNotFound), ("wkf_cannot_be_run", WorkflowRejected)],
)
def test_a_workflow_that_cannot_be_started_ends_the_run(
    deployment: Deployment,
    leap: LeapEmulator,
    workflow_id: str,
    refusal: type[WorkflowNotFound | WorkflowRejected],
    dialect: str,
):
    activity_id = deployment.start_workflow(workflow_id, connection_of(dialect))
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.FAILED is record.activity.status
    assert record.activity.error is not None
    assert refusal.code == record.activity.error.code
    assert workflow_id in record.activity.error.message
    assert [] == starts_of(leap, record)


@pytest.mark.parametrize("status", [429, 503])
def test_a_start_that_is_put_off_is_sent_again_later(
    deployment: Deployment, leap: LeapEmulator, status: int
):
    name = f"leap-busy-{status}"
    deployment.connect_leap(name, leap.url, "workflows")
    fault = {
        "operation": "start",
        "kind": "status",
        "status": status,
        "headers": {"Retry-After": "1"},
        "times": 1,
    }
    leap.define_workflow(f"wkf_busy_{status}", [{"status": "completed"}])
    leap.add_fault(workflow_id=f"wkf_busy_{status}", **fault)

    record = deployment.wait_for_end(deployment.start_workflow(f"wkf_busy_{status}", name))

    assert ActivityStatus.DONE is record.activity.status
    assert 1 == len(starts_of(leap, record))


def test_a_workflow_that_completes_with_its_start_s_answer_needs_no_webhook(
    deployment: Deployment, leap: LeapEmulator
):
    lost = {"operation": "webhook", "kind": "lost", "times": 1}
    scenario = LeapScenario(phases=[("completed", None)], faults=[lost])
    activity_id = start(deployment, leap, "at-once", "workflows", scenario)
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert ["start"] == [seen.source.value for seen in record.current_run.evidence]
