"""Executions that die, come twice or never came: the row decides, nothing is started again."""

from datetime import UTC, datetime, timedelta

import pytest

from agentruns import lifecycle
from agentruns.event_types import EventType
from agentruns.ids import new_activity_id
from agentruns.model import Activity, ActivityInput, ActivityRecord
from agentruns.statuses import ActivityStatus, RunStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import TENANT, Deployment, end_item, is_parked, starts_of
from tests.workflow.scenarios import GOES_ON, Scenario, start_all
from tests.workflow.test_parking import ASKS_FOR_TWO_MINUTES

pytestmark = pytest.mark.stack

SCENARIOS = {
    "stopped-in-the-loop": Scenario(phases=GOES_ON),
    "stopped-while-parked": Scenario(
        phases=[("in_progress", 2), ("completed", None)], faults=[ASKS_FOR_TWO_MINUTES]
    ),
    "started-twice": Scenario(phases=GOES_ON),
    "cancelled-under-way": Scenario(phases=GOES_ON),
    "stored-only": Scenario(),
}


@pytest.fixture(scope="module")
def activity_ids(deployment: Deployment, leena: LeenaEmulator) -> dict[str, str]:
    return start_all(deployment, leena, SCENARIOS)


def is_running(record: ActivityRecord) -> bool:
    return record.current_run.status is RunStatus.RUNNING


def start_execution(deployment: Deployment, activity_id: str, generation: int, name: str) -> str:
    """By hand, as a duplicate delivery would."""
    body = f'{{"tenant": "{TENANT}", "activity_id": "{activity_id}", "generation": {generation}}}'
    started = deployment.aws("stepfunctions").start_execution(
        stateMachineArn=deployment.info.state_machine_arn, name=name, input=body
    )
    return str(started["executionArn"])


def require_resumed(deployment: Deployment, leena: LeenaEmulator, activity_id: str) -> None:
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert 2 == record.activity.generation
    assert [record.current_run.run_id] == starts_of(leena, record), "resumed, not started again"
    resumed = deployment.execution(deployment.execution_arn(activity_id, generation=2))
    assert "SUCCEEDED" == resumed.status
    assert "ExecuteAop" not in resumed.states
    events = deployment.events(activity_id)
    assert list(range(1, len(events) + 1)) == [event.sequence for event in events]
    assert 1 == [event.type for event in events].count(EventType.ACTIVITY_RESUMED)


def test_a_parked_execution_stopped_behind_our_back_is_replaced(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    activity_id = activity_ids["stopped-while-parked"]
    deployment.wait_for(activity_id, is_parked)
    arn = deployment.execution_arn(activity_id)
    deployment.aws("stepfunctions").stop_execution(executionArn=arn)
    # two ticks: the emulator still takes a callback for an execution that was stopped, AWS does not
    for _ in range(2):
        deployment.let_time_pass(activity_id)
        deployment.sweep()
    require_resumed(deployment, leena, activity_id)


def test_an_execution_stopped_behind_our_back_is_replaced(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    activity_id = activity_ids["stopped-in-the-loop"]
    deployment.wait_for(activity_id, is_running)
    arn = deployment.execution_arn(activity_id)
    deployment.aws("stepfunctions").stop_execution(executionArn=arn)
    assert "ABORTED" == deployment.execution(arn).status
    deployment.let_time_pass(activity_id)
    assert 1 <= deployment.sweep()["resumed"]
    end_item(leena, deployment.record(activity_id))
    require_resumed(deployment, leena, activity_id)


def test_a_late_but_living_execution_is_left_alone(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    activity_id = activity_ids["cancelled-under-way"]
    deployment.wait_for(activity_id, is_running)
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    assert 1 == deployment.record(activity_id).activity.generation


def test_a_second_execution_of_the_same_generation_is_superseded(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    activity_id = activity_ids["started-twice"]
    deployment.wait_for(activity_id, is_running)
    duplicate = start_execution(deployment, activity_id, 1, f"{activity_id}-again")
    execution = deployment.execution(duplicate)
    assert "SUCCEEDED" == execution.status
    assert ["OpenRun", "ChooseNextStep", "ExecutionSuperseded"] == execution.states
    end_item(leena, deployment.record(activity_id))
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert 1 == len(starts_of(leena, record))
    late = start_execution(deployment, activity_id, 1, f"{activity_id}-late")
    assert "ExecutionSuperseded" == deployment.execution(late).states[-1]


def test_cancelling_under_way_ends_the_execution_and_says_that_the_provider_goes_on(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    activity_id = activity_ids["cancelled-under-way"]
    before = deployment.wait_for(activity_id, is_running)
    body = {"reason": "no longer needed"}
    answer = deployment.call("POST", f"/v1/activities/{activity_id}/cancel", body)
    assert answer["provider_stopped"] is False
    assert str(before.current_run.remote_id) in answer["detail"]
    assert "ABORTED" == deployment.execution(deployment.execution_arn(activity_id)).status
    record = deployment.record(activity_id)
    assert (ActivityStatus.CANCELLED, RunStatus.ABORTED) == (
        record.activity.status,
        record.current_run.status,
    )
    events = [event.type for event in deployment.events(activity_id)]
    assert EventType.ACTIVITY_CANCELLED is events[-1]
    repeated = deployment.call("POST", f"/v1/activities/{activity_id}/cancel", body)
    assert answer == repeated
    assert len(events) == len(deployment.events(activity_id))


def test_an_activity_whose_execution_was_never_started_is_started_by_the_sweeper(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]
):
    """A crash between storing and starting leaves just this behind."""
    like = deployment.record(activity_ids["stored-only"]).activity
    now = datetime.now(UTC)
    activity = Activity(
        tenant=TENANT,
        activity_id=new_activity_id(now),
        agent_role=None,
        adapter=like.adapter,
        trigger=like.trigger,
        status=ActivityStatus.QUEUED,
        created_at=now,
        updated_at=now,
        deadline_at=now + timedelta(hours=1),
    )
    run = lifecycle.first_run(activity)
    told = ActivityInput(message="", context={})
    deployment.store.create(activity, told, run, (lifecycle.opened(activity, run),), None)
    deployment.let_time_pass(activity.activity_id)
    assert 1 <= deployment.sweep()["resumed"]
    record = deployment.wait_for_end(activity.activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert 1 == len(starts_of(leena, record))
