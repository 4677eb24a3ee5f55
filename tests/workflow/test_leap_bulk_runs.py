"""Bulk runs on the stack: a workflow over a CSV, from the API's request to the output's URL."""

import pytest

from agentruns.model import ActivityRecord
from agentruns.statuses import ActivityStatus, RunStatus
from local.leap_emulator import LeapEmulator, StartEntry
from tests.deployment import Deployment, is_parked
from tests.e2e.canaries import find_leaks, written_places_of
from tests.workflow.leap_scenarios import GOES_ON, connection_of, starts_of

pytestmark = pytest.mark.stack

SIGNATURE = "CANARY5f1d0c7a9e3b"
CSV = f"https://files.example/input.csv?X-Amz-Signature={SIGNATURE}"
ROWS = 7


def start_bulk(deployment: Deployment, leap: LeapEmulator, name: str, **fault: object) -> str:
    """The id of the activity. Its workflow goes on until it is ended by hand."""
    workflow_id = f"wkf_bulk_{name}"
    phases = [{"status": status} for status, _ in GOES_ON]
    leap.define_workflow(workflow_id, phases, row_count=ROWS)
    if fault:
        leap.add_fault(workflow_id=workflow_id, times=1, **fault)
    return deployment.start_workflow(workflow_id, connection_of("runs"), input_csv_url=CSV)


def end_bulk(leap: LeapEmulator, record: ActivityRecord) -> StartEntry:
    (entry,) = starts_of(leap, record)
    leap.set_run_status(entry.run.run_id, "completed")
    return entry


def require_completed(leap: LeapEmulator, record: ActivityRecord, source: str) -> None:
    run = record.current_run
    url = f"{leap.url}/_emulator/files/{run.remote_id}.csv"
    assert (ActivityStatus.DONE, RunStatus.COMPLETED) == (record.activity.status, run.status)
    assert ({"output_csv_url": url, "row_count": ROWS}, ROWS) == (run.output, run.row_count)
    assert [source] == [seen.source.value for seen in run.evidence]
    assert [("start_bulk", CSV)] == [
        (entry.operation.value, entry.run.request.input_csv_url)
        for entry in starts_of(leap, record)
    ]


def test_a_bulk_run_shows_its_rows_and_ends_by_its_webhook(
    deployment: Deployment, leap: LeapEmulator
):
    activity_id = start_bulk(deployment, leap, "webhook")
    parked = deployment.wait_for(activity_id, is_parked)
    shown = deployment.call("GET", f"/v1/activities/{activity_id}")
    assert (CSV, ROWS) == (shown["input_csv_url"], shown["runs"][0]["row_count"])

    entry = end_bulk(leap, parked)
    record = deployment.wait_for_end(activity_id)

    require_completed(leap, record, "webhook")
    assert entry.run.run_id == record.current_run.remote_id
    assert "SUCCEEDED" == deployment.execution(deployment.execution_arn(activity_id)).status


def test_the_csv_s_url_is_written_down_in_the_input_alone(
    deployment: Deployment, leap: LeapEmulator
):
    activity_id = start_bulk(deployment, leap, "signed", operation="start_bulk", kind="reset")
    deployment.wait_for(activity_id, lambda each: each.activity.status is ActivityStatus.BLOCKED)

    places = find_leaks({"CSV": SIGNATURE}, written_places_of(deployment))

    assert any(activity_id in place for place in places)
    assert all(place.startswith("CSV in row ") and place.endswith(" INPUT") for place in places)


def test_a_lost_webhook_is_made_up_for_by_a_bulk_look(deployment: Deployment, leap: LeapEmulator):
    lost = {"operation": "webhook", "kind": "lost"}
    activity_id = start_bulk(deployment, leap, "lost", **lost)
    end_bulk(leap, deployment.wait_for(activity_id, is_parked))

    deployment.let_time_pass(activity_id)
    deployment.sweep()

    require_completed(leap, deployment.wait_for_end(activity_id), "poll")


def test_a_start_whose_answer_was_lost_is_resolved_by_its_webhook(
    deployment: Deployment, leap: LeapEmulator
):
    lost = {"operation": "start_bulk", "kind": "drop_after_accept"}
    activity_id = start_bulk(deployment, leap, "unanswered", **lost)
    blocked = deployment.wait_for(
        activity_id, lambda record: record.activity.status is ActivityStatus.BLOCKED
    )
    assert RunStatus.START_UNKNOWN is blocked.current_run.status

    end_bulk(leap, blocked)

    require_completed(leap, deployment.wait_for_end(activity_id), "webhook")


def test_a_start_whose_answer_was_lost_is_bound_by_hand_to_what_leap_knows(
    deployment: Deployment, leap: LeapEmulator
):
    lost = {"operation": "start_bulk", "kind": "drop_after_accept"}
    activity_id = start_bulk(deployment, leap, "by-hand", **lost)
    blocked = deployment.wait_for(
        activity_id, lambda record: record.activity.status is ActivityStatus.BLOCKED
    )
    (entry,) = starts_of(leap, blocked)
    run_id = blocked.current_run.run_id

    refused = deployment.agentruns("resolve", run_id, "--workflow-run", "bulk_of_nobody")
    bound = deployment.agentruns("resolve", run_id, "--workflow-run", entry.run.run_id)

    assert (2, 0) == (refused.exit_code, bound.exit_code), (refused, bound)
    assert "bind.workflow_run_id" in refused.stderr
    end_bulk(leap, blocked)
    require_completed(leap, deployment.wait_for_end(activity_id), "webhook")
