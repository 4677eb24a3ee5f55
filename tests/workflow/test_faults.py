"""A provider that misbehaves: what passes is sat out, what does not ends the run, never twice."""

import pytest

from agentruns.errors import StartUnknown
from agentruns.event_types import EventType
from agentruns.model import ActivityRecord
from agentruns.refusals import AopNotFound, AopRejected, CredentialsRejected, ScopeMissing
from agentruns.statuses import ActivityStatus, RunStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, is_parked, starts_of
from tests.workflow.scenarios import Scenario, start_all

pytestmark = pytest.mark.stack

PASSING = {
    "fault-execute-429": Scenario(
        faults=[
            {
                "operation": "execute",
                "kind": "status",
                "status": 429,
                "headers": {"Retry-After": "3"},
                "times": 2,
            }
        ]
    ),
    "fault-execute-503": Scenario(
        faults=[
            {
                "operation": "execute",
                "kind": "status",
                "status": 503,
                "headers": {"Retry-After": "1"},
                "times": 1,
            }
        ]
    ),
    "fault-status-5xx": Scenario(
        faults=[{"operation": "status", "kind": "status", "status": 502, "times": 2}]
    ),
    "fault-status-hang": Scenario(
        faults=[{"operation": "status", "kind": "hang", "seconds": 1, "times": 1}]
    ),
    "fault-status-html": Scenario(faults=[{"operation": "status", "kind": "html", "times": 1}]),
    "fault-status-broken-json": Scenario(
        faults=[{"operation": "status", "kind": "broken_json", "times": 1}]
    ),
    "fault-status-wrong-types": Scenario(
        faults=[{"operation": "status", "kind": "wrong_types", "times": 1}]
    ),
    "fault-status-reset": Scenario(faults=[{"operation": "status", "kind": "reset", "times": 1}]),
}
REFUSED = {
    "refused-400": Scenario(aop={"executable": False}),
    "refused-403": Scenario(faults=[{"operation": "execute", "kind": "status", "status": 403}]),
    "refused-422": Scenario(faults=[{"operation": "execute", "kind": "status", "status": 422}]),
}
UNKNOWN = {
    "unknown-drop": Scenario(
        faults=[{"operation": "execute", "kind": "drop_after_accept", "times": 1}]
    ),
    "unknown-500": Scenario(
        faults=[
            {"operation": "execute", "kind": "status", "status": 500, "accept": True, "times": 1}
        ]
    ),
    "unknown-html": Scenario(
        faults=[{"operation": "execute", "kind": "html", "accept": True, "times": 1}]
    ),
    "unknown-fail": Scenario(
        faults=[{"operation": "execute", "kind": "drop_after_accept", "times": 1}],
        activity={"on_start_unknown": "fail"},
    ),
}


@pytest.fixture(scope="module")
def activity_ids(deployment: Deployment, leena: LeenaEmulator) -> dict[str, str]:
    return start_all(deployment, leena, PASSING | REFUSED | UNKNOWN)


def require_gapless_log(deployment: Deployment, record: ActivityRecord) -> list[EventType]:
    events = deployment.events(record.activity.activity_id)
    assert list(range(1, len(events) + 1)) == [event.sequence for event in events]
    assert record.activity.last_sequence == len(events)
    return [event.type for event in events]


@pytest.mark.parametrize("scenario", REFUSED)
def test_a_refused_start_ends_the_run_and_is_not_repeated(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str], scenario: str
):
    activity_id = activity_ids[scenario]
    record = deployment.wait_for_end(activity_id)
    expected = ScopeMissing if scenario == "refused-403" else AopRejected
    assert record.activity.error is not None
    assert ActivityStatus.FAILED is record.activity.status
    assert expected.code == record.activity.error.code
    subject = repr(scenario)
    assert subject in record.activity.error.message
    assert [] == starts_of(leena, record)
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert ("FAILED", expected.code) == (execution.status, execution.error)
    assert record.activity.error.message == execution.cause
    assert 1 == execution.states.count("ExecuteAop")
    require_gapless_log(deployment, record)


def test_an_aop_that_is_not_there_ends_the_run(deployment: Deployment, leena: LeenaEmulator):
    activity_id = deployment.start("refused-404", "leena")
    record = deployment.wait_for_end(activity_id)
    assert record.activity.error is not None
    assert AopNotFound.code == record.activity.error.code
    assert "AOP 'refused-404'" in record.activity.error.message
    assert "Identifier" in record.activity.error.message
    assert [] == starts_of(leena, record)


@pytest.mark.parametrize("scenario", PASSING)
def test_what_passes_is_sat_out(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str], scenario: str
):
    activity_id = activity_ids[scenario]
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status, record.activity.error
    assert RunStatus.COMPLETED is record.current_run.status
    assert record.current_run.last_problem is None
    assert [record.current_run.run_id] == starts_of(leena, record)
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert "SUCCEEDED" == execution.status
    faults = {rule["aop_id"]: rule for rule in leena.faults.as_documents() if "aop_id" in rule}
    assert faults[scenario]["times"] == faults[scenario]["fired"]
    if scenario.startswith("fault-execute"):
        refusals = int(faults[scenario]["times"])
        # a start that the closed gate held back is a start more: waits are shorter here than there
        assert refusals + 1 <= execution.states.count("ExecuteAop")
        assert refusals <= execution.states.count("WaitBeforeStart")
    require_gapless_log(deployment, record)


@pytest.mark.parametrize("scenario", ["unknown-drop", "unknown-500", "unknown-html"])
def test_a_start_of_unknown_outcome_waits_for_a_person_and_is_never_sent_again(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str], scenario: str
):
    activity_id = activity_ids[scenario]
    record = deployment.wait_for(activity_id, is_parked)
    assert ActivityStatus.BLOCKED is record.activity.status
    assert RunStatus.START_UNKNOWN is record.current_run.status
    arn = deployment.execution_arn(activity_id)
    assert "ParkRun" == deployment.wait_for_state(arn, "ParkRun").states[-1]
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    assert is_parked(deployment.record(activity_id))

    answer = deployment.call("POST", f"/v1/activities/{activity_id}/cancel", {"reason": "found it"})

    assert answer["provider_stopped"] is False
    assert record.current_run.run_id in answer["detail"]
    ended = deployment.wait_for_end(activity_id)
    assert ActivityStatus.CANCELLED is ended.activity.status
    assert RunStatus.ABORTED is ended.current_run.status
    assert "ABORTED" == deployment.execution(arn).status
    assert 1 == len(starts_of(leena, ended))
    assert EventType.ACTIVITY_BLOCKED in require_gapless_log(deployment, ended)


def test_the_policy_fail_ends_a_start_of_unknown_outcome(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    record = deployment.wait_for_end(activity_ids["unknown-fail"])
    assert ActivityStatus.FAILED is record.activity.status
    assert record.activity.error is not None
    assert StartUnknown.code == record.activity.error.code
    assert 1 == len(starts_of(leena, record))


def test_an_operator_binds_what_an_unknown_start_became(
    deployment: Deployment, leena: LeenaEmulator
):
    (activity_id,) = start_all(
        deployment,
        leena,
        {"unknown-bound": Scenario(faults=UNKNOWN["unknown-drop"].faults)},
    ).values()
    record = deployment.wait_for(activity_id, is_parked)
    run_id = record.current_run.run_id
    (accepted,) = leena.ledger.executes(run_id)

    bound = {"bind": {"aop_item_id": accepted.aop_item_id}}
    deployment.call("POST", f"/v1/runs/{run_id}/resolve", bound)

    ended = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is ended.activity.status
    assert accepted.aop_item_id == ended.current_run.remote_id
    assert 1 == len(starts_of(leena, ended))
    assert "SUCCEEDED" == deployment.execution(deployment.execution_arn(activity_id)).status


def test_an_operator_declares_that_nothing_was_started(
    deployment: Deployment, leena: LeenaEmulator
):
    faults = [{"operation": "execute", "kind": "status", "status": 500, "times": 1}]
    (activity_id,) = start_all(
        deployment, leena, {"unknown-not-started": Scenario(faults=faults)}
    ).values()
    record = deployment.wait_for(activity_id, is_parked)
    first_run = record.current_run.run_id
    assert [] == starts_of(leena, record)

    deployment.call("POST", f"/v1/runs/{first_run}/resolve", {"not_started": True})

    ended = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is ended.activity.status
    assert [RunStatus.FAILED, RunStatus.COMPLETED] == [run.status for run in ended.runs]
    assert [ended.current_run.run_id] == starts_of(leena, ended)
    assert "SUCCEEDED" == deployment.execution(deployment.execution_arn(activity_id)).status
    require_gapless_log(deployment, ended)


def test_wrong_credentials_end_the_run_and_say_which_connection_and_what_to_check(
    deployment: Deployment,
):
    with LeenaEmulator() as other:
        deployment.connect("mistyped", other.url, password="not-the-password")
        record = deployment.wait_for_end(deployment.start("aop-1", "mistyped"))
        assert 0 == len(other.ledger.mints())
        assert [] == starts_of(other, record)
    activity = record.activity
    assert ActivityStatus.FAILED is activity.status
    assert activity.error is not None
    assert CredentialsRejected.code == activity.error.code
    for word in ("'mistyped'", "client_id", "client_secret", "username", "password", "region"):
        assert word in activity.error.message
    execution = deployment.execution(deployment.execution_arn(activity.activity_id))
    assert (CredentialsRejected.code, activity.error.message) == (execution.error, execution.cause)
    assert 1 == execution.states.count("MintToken")
    assert 1 == execution.tasks - execution.states.count("OpenRun") - 1  # tried once, then settled


def test_a_token_endpoint_that_is_down_for_a_while_is_sat_out(deployment: Deployment):
    with LeenaEmulator() as other:
        other.add_fault(operation="token", kind="status", status=503, times=1)
        other.add_fault(operation="token", kind="html", times=1)
        deployment.connect("down-for-a-while", other.url)
        record = deployment.wait_for_end(deployment.start("aop-1", "down-for-a-while"))
        assert (1, 1) == (len(other.ledger.mints()), len(starts_of(other, record)))
    assert ActivityStatus.DONE is record.activity.status


def test_a_token_that_is_revoked_under_way_is_minted_once_more(deployment: Deployment):
    with LeenaEmulator() as other:
        other.define_aop(
            "revoked-under-way", [{"status": "in_progress", "polls": 4}, {"status": "completed"}]
        )
        deployment.connect("revoked", other.url)
        activity_id = deployment.start("revoked-under-way", "revoked")
        deployment.wait_for(activity_id, lambda record: record.current_run.polls > 0)
        other.tokens.revoke_all()
        record = deployment.wait_for_end(activity_id)
        assert (2, 1) == (len(other.ledger.mints()), len(starts_of(other, record)))
    assert ActivityStatus.DONE is record.activity.status
    assert 5 == record.current_run.polls, "the 401 is answered within the check that met it"


def test_an_upstream_that_is_down_all_the_time_ends_typed_at_the_deadline(deployment: Deployment):
    with LeenaEmulator() as other:
        deployment.connect("gone", other.url)
    # its port is closed from here on: connection refused
    activity_id = deployment.start("aop-1", "gone", timeout_seconds=8)
    record = deployment.wait_for_end(activity_id)
    assert (ActivityStatus.FAILED, RunStatus.TIMEOUT) == (
        record.activity.status,
        record.current_run.status,
    )
    assert record.activity.error is not None
    assert "deadline_passed" == record.activity.error.code
    assert "last problem: connection 'gone'" in record.activity.error.message
