"""How the end of a workflow comes to its hook, through API Gateway, and what is made of it."""

import json
import secrets
import time
from datetime import UTC, datetime

import pytest

from agentruns.event_types import EventType
from agentruns.lifecycle import DEADLINE_PASSED, UPSTREAM_ABORTED, UPSTREAM_FAILED
from agentruns.model import ActivityRecord, EvidenceSource
from agentruns.statuses import ActivityStatus, RunStatus
from local.leap_emulator import LeapEmulator
from tests.deployment import Deployment, is_parked
from tests.workflow.leap_scenarios import (
    DIALECTS,
    GOES_ON,
    LeapScenario,
    start,
    start_all,
    starts_of,
    webhooks_of,
)

pytestmark = pytest.mark.stack


def webhook(kind: str, **fields: object) -> dict[str, object]:
    return {"operation": "webhook", "kind": kind, "times": 1, **fields}


OUTPUT = {"text": "an output that no history has"}
ANSWERS_LOST = {
    "answer-lost": LeapScenario(
        faults=[{"operation": "start", "kind": "drop_after_accept", "times": 1}]
    ),
    "answer-500": LeapScenario(
        faults=[{"operation": "start", "kind": "status", "status": 500, "accept": True, "times": 1}]
    ),
}
COMPLETE_BY_THEMSELVES = ANSWERS_LOST | {
    "completes": LeapScenario(workflow={"output": OUTPUT}),
    "queues": LeapScenario(phases=[("queued", 0.5), ("running", 0.5), ("completed", None)]),
    "early": LeapScenario(faults=[{"operation": "start", "kind": "early", "times": 1}]),
    "twice": LeapScenario(faults=[webhook("twice", seconds=0.5)]),
    "outdated": LeapScenario(faults=[webhook("outdated", seconds=0.5)]),
    "forged": LeapScenario(faults=[webhook("forged", seconds=0.5)]),
    "mangled": LeapScenario(faults=[webhook("mangled", seconds=0.5)]),
}
END_BADLY = {
    "fails": LeapScenario(
        phases=[("running", 1), ("failed", None)], workflow={"error": "the model said no"}
    ),
    "is-cancelled": LeapScenario(phases=[("running", 1), ("cancelled", None)]),
}
FORGED_OUTCOME = {"forged-outcome": LeapScenario(faults=[webhook("forged_outcome", seconds=0.5)])}

WEBHOOKS_SENT = {"twice": 2, "outdated": 2, "forged": 2, "mangled": 2}
FIRST_ANSWERS = {("forged", "runs"): 404, ("mangled", "workflows"): 404, ("mangled", "runs"): 404}
"""Of those that are not answered 200: what cannot be read, and a run that the provider denies."""


@pytest.fixture(scope="module")
def activity_ids(deployment: Deployment, leap: LeapEmulator) -> dict[tuple[str, str], str]:
    return start_all(deployment, leap, COMPLETE_BY_THEMSELVES | END_BADLY | FORGED_OUTCOME)


def event_types(deployment: Deployment, record: ActivityRecord) -> list[EventType]:
    """In order, without a gap."""
    events = deployment.events(record.activity.activity_id)
    assert list(range(1, len(events) + 1)) == [event.sequence for event in events]
    assert record.activity.last_sequence == len(events)
    return [event.type for event in events]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scenario", COMPLETE_BY_THEMSELVES)
def test_what_completes_is_done_with_nobody_looking(
    deployment: Deployment,
    leap: LeapEmulator,
    activity_ids: dict[tuple[str, str], str],
    scenario: str,
    dialect: str,
):
    activity_id = activity_ids[scenario, dialect]
    record = deployment.wait_for_end(activity_id)
    run = record.current_run
    assert (ActivityStatus.DONE, RunStatus.COMPLETED) == (record.activity.status, run.status)
    assert (0, None) == (run.polls, run.due_at)
    (started,) = starts_of(leap, record)
    assert started.run.run_id == run.remote_id

    sent = webhooks_of(leap, record, WEBHOOKS_SENT.get(scenario, 1))

    assert FIRST_ANSWERS.get((scenario, dialect), 200) == sent[0].response_status
    assert 200 == sent[-1].response_status
    settled = deployment.record(activity_id)
    assert [(EvidenceSource.WEBHOOK, RunStatus.COMPLETED, True)] == [
        (seen.source, seen.status, seen.decided) for seen in settled.current_run.evidence
    ]
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert ("SUCCEEDED", "ActivityDone") == (execution.status, execution.states[-1])
    assert 1 == execution.states.count("StartLeapWorkflow")
    types = event_types(deployment, settled)
    assert 1 == types.count(EventType.RUN_COMPLETED) == types.count(EventType.ACTIVITY_COMPLETED)
    is_doubted = (scenario, dialect) == ("forged", "workflows")
    assert is_doubted == (EventType.DUPLICATE_START_DETECTED in types)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_inputs_go_out_and_the_output_is_kept(
    deployment: Deployment,
    leap: LeapEmulator,
    activity_ids: dict[tuple[str, str], str],
    dialect: str,
):
    activity_id = activity_ids["completes", dialect]
    record = deployment.wait_for_end(activity_id)
    (started,) = starts_of(leap, record)
    assert {"topic": "completes", "message": "Write"} == started.run.request.inputs
    shown = deployment.call("GET", f"/v1/activities/{activity_id}")["runs"][-1]
    assert (started.run.run_id, OUTPUT) == (shown["workflow_run_id"], shown["output"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_state_carries_ids_only(
    deployment: Deployment,
    leap: LeapEmulator,
    activity_ids: dict[tuple[str, str], str],
    dialect: str,
):
    activity_id = activity_ids["completes", dialect]
    record = deployment.wait_for_end(activity_id)
    (started,) = starts_of(leap, record)
    assert started.webhook_url is not None
    mac = started.webhook_url.rpartition(".")[2]
    history = json.dumps(
        deployment.execution(deployment.execution_arn(activity_id)).events, default=str
    )
    assert record.current_run.run_id in history
    for private in (mac, "/hooks/leap", OUTPUT["text"], '"topic"', "Write", "X-Api-Key"):
        assert private not in history


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("scenario", "run_status", "code"),
    [
        ("fails", RunStatus.FAILED, UPSTREAM_FAILED),
        ("is-cancelled", RunStatus.ABORTED, UPSTREAM_ABORTED),
    ],
)
def test_what_ends_badly_fails_the_activity(
    deployment: Deployment,
    leap: LeapEmulator,
    activity_ids: dict[tuple[str, str], str],
    scenario: str,
    run_status: RunStatus,
    code: str,
    dialect: str,
):
    activity_id = activity_ids[scenario, dialect]
    record = deployment.wait_for_end(activity_id)
    activity = record.activity
    assert (ActivityStatus.FAILED, run_status) == (activity.status, record.current_run.status)
    assert activity.error is not None
    assert code == activity.error.code
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert ("FAILED", code, activity.error.message) == (
        execution.status,
        execution.error,
        execution.cause,
    )
    assert 1 == len(starts_of(leap, record))


def test_an_outcome_that_only_the_hook_tells_is_not_believed_where_the_run_can_be_read(
    deployment: Deployment, leap: LeapEmulator, activity_ids: dict[tuple[str, str], str]
):
    record = deployment.wait_for_end(activity_ids["forged-outcome", "runs"])
    assert ActivityStatus.DONE is record.activity.status
    assert [200, 200] == [each.response_status for each in webhooks_of(leap, record, 2)]
    assert EventType.RUN_CONTRADICTED not in event_types(
        deployment, deployment.record(record.activity.activity_id)
    )


def test_where_it_cannot_be_read_the_first_word_counts_and_the_second_is_kept(
    deployment: Deployment, leap: LeapEmulator, activity_ids: dict[tuple[str, str], str]
):
    record = deployment.wait_for_end(activity_ids["forged-outcome", "workflows"])
    assert ActivityStatus.FAILED is record.activity.status
    assert [200, 200] == [each.response_status for each in webhooks_of(leap, record, 2)]
    settled = deployment.record(record.activity.activity_id)
    assert RunStatus.FAILED is settled.current_run.status
    assert [(RunStatus.FAILED, True), (RunStatus.COMPLETED, False)] == [
        (seen.status, seen.decided) for seen in settled.current_run.evidence
    ]
    assert 1 == event_types(deployment, settled).count(EventType.RUN_CONTRADICTED)


def test_a_lost_webhook_is_made_up_for_by_the_sweeper(deployment: Deployment, leap: LeapEmulator):
    scenario = LeapScenario(faults=[webhook("lost")])
    activity_id = start(deployment, leap, "lost", "runs", scenario)
    record = deployment.wait_for(activity_id, is_parked)
    assert ["lost"] == [each.kind for each in webhooks_of(leap, record, 1)]

    deployment.let_time_pass(activity_id)
    deployment.sweep()

    record = deployment.wait_for_end(activity_id)
    run = record.current_run
    assert (ActivityStatus.DONE, 1) == (record.activity.status, run.polls)
    assert [(EvidenceSource.POLL, True)] == [(seen.source, seen.decided) for seen in run.evidence]
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert ("SUCCEEDED", 1) == (execution.status, execution.states.count("StartLeapWorkflow"))


def test_a_webhook_comes_after_the_hooks_secret_was_changed(
    deployment: Deployment, leap: LeapEmulator
):
    scenario = LeapScenario(phases=GOES_ON)
    activity_id = start(deployment, leap, "secret-changed", "workflows", scenario)
    record = deployment.wait_for(activity_id, is_parked)
    deployment.aws("secretsmanager").put_secret_value(
        SecretId=f"agentruns/{deployment.info.stack_name}/hook-key",
        SecretString=json.dumps({"key": secrets.token_urlsafe(48)}),
    )

    leap.set_run_status(str(record.current_run.remote_id), "completed", output=OUTPUT)

    assert [200] == [each.response_status for each in webhooks_of(leap, record, 1)]
    assert ActivityStatus.DONE is deployment.wait_for_end(activity_id).activity.status


def test_a_webhook_after_the_deadline_is_kept_and_changes_nothing(
    deployment: Deployment, leap: LeapEmulator
):
    scenario = LeapScenario(phases=GOES_ON, activity={"timeout_seconds": 8})
    activity_id = start(deployment, leap, "late", "workflows", scenario)
    record = deployment.wait_for(activity_id, is_parked)
    left = (record.activity.deadline_at - datetime.now(UTC)).total_seconds()
    time.sleep(max(0.0, left) + 0.2)
    deployment.sweep()
    record = deployment.wait_for_end(activity_id)
    assert record.activity.error is not None
    assert (RunStatus.TIMEOUT, DEADLINE_PASSED) == (
        record.current_run.status,
        record.activity.error.code,
    )

    leap.set_run_status(str(record.current_run.remote_id), "completed", output=OUTPUT)

    assert 200 == webhooks_of(leap, record, 1)[0].response_status
    settled = deployment.record(activity_id)
    assert (ActivityStatus.FAILED, RunStatus.TIMEOUT) == (
        settled.activity.status,
        settled.current_run.status,
    )
    assert [
        (EvidenceSource.DEADLINE, RunStatus.TIMEOUT, True),
        (EvidenceSource.WEBHOOK, RunStatus.COMPLETED, False),
    ] == [(seen.source, seen.status, seen.decided) for seen in settled.current_run.evidence]
    assert EventType.RUN_CONTRADICTED is event_types(deployment, settled)[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("scenario", ANSWERS_LOST)
def test_a_start_of_unknown_outcome_waits_for_its_webhook_and_is_not_sent_again(
    deployment: Deployment, leap: LeapEmulator, scenario: str, dialect: str
):
    (fault,) = ANSWERS_LOST[scenario].faults
    held = LeapScenario(phases=GOES_ON, faults=[fault])
    activity_id = start(deployment, leap, f"held-{scenario}", dialect, held)
    record = deployment.wait_for(activity_id, is_parked)
    assert ActivityStatus.BLOCKED is record.activity.status
    assert RunStatus.START_UNKNOWN is record.current_run.status
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    assert is_parked(deployment.record(activity_id))
    (started,) = starts_of(leap, record)

    leap.set_run_status(started.run.run_id, "completed", output=OUTPUT)

    record = deployment.wait_for_end(activity_id)
    assert (ActivityStatus.DONE, started.run.run_id) == (
        record.activity.status,
        record.current_run.remote_id,
    )
    assert 1 == len(starts_of(leap, record)), "nobody sent it again"
    types = event_types(deployment, record)
    assert [
        EventType.RUN_START_UNKNOWN,
        EventType.ACTIVITY_BLOCKED,
        EventType.RUN_STARTED,
        EventType.RUN_COMPLETED,
        EventType.ACTIVITY_COMPLETED,
    ] == [each for each in types[3:] if each is not EventType.ACTIVITY_RESUMED]
