"""A run whose next look is about a minute away: the execution waits on its callback token."""

import json
from functools import partial

import pytest

from agentruns.model import ActivityRecord
from agentruns.polling import (
    EVENTS_OUTSIDE_THE_LOOP,
    EVENTS_PER_POLL,
    TRANSITIONS_OUTSIDE_THE_LOOP,
    TRANSITIONS_PER_POLL,
    PollPolicy,
    worst_case,
)
from agentruns.statuses import ActivityStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, is_parked, starts_of
from tests.workflow.scenarios import Phases, Scenario, start_all

pytestmark = pytest.mark.stack

ASKS_FOR_TWO_MINUTES = {
    "operation": "status",
    "kind": "status",
    "status": 429,
    "headers": {"Retry-After": "120"},
    "times": 1,
}
"""The first look is answered with this, so that the next one is planned beyond the loop."""

POLICY_ON_AWS = PollPolicy()
DAY_SECONDS = 86_400.0
WORST = worst_case(POLICY_ON_AWS, DAY_SECONDS)

IN_PROGRESS_AT_THE_SWEEP: Phases = [("in_progress", 2), ("completed", None)]
SCENARIOS = {
    "parked-until-completed": Scenario(phases=[("completed", None)], faults=[ASKS_FOR_TWO_MINUTES]),
    "parked-then-looked-at-closely": Scenario(
        phases=IN_PROGRESS_AT_THE_SWEEP, faults=[ASKS_FOR_TWO_MINUTES]
    ),
    "parked-twice": Scenario(
        phases=[("completed", None)], faults=[{**ASKS_FOR_TWO_MINUTES, "times": 2}]
    ),
    "parked-and-forgotten": Scenario(
        phases=IN_PROGRESS_AT_THE_SWEEP, faults=[ASKS_FOR_TWO_MINUTES]
    ),
    "parked-and-cancelled": Scenario(phases=[("in_progress", None)], faults=[ASKS_FOR_TWO_MINUTES]),
    "parked-and-refused": Scenario(phases=[("completed", None)], faults=[ASKS_FOR_TWO_MINUTES]),
    "counted": Scenario(phases=[("in_progress", 3), ("completed", None)]),
    # the first look parks it, those that the parked execution takes by itself leave it there, the
    # sweeper's finds it in progress, the last one finds it completed
    "counted-at-worst": Scenario(
        phases=[("in_progress", WORST.polls_in_loop - 1), ("completed", None)],
        faults=[{**ASKS_FOR_TWO_MINUTES, "times": 1 + WORST.looks_by_itself}],
    ),
}


def is_parked_anew(record: ActivityRecord, before: str | None) -> bool:
    return record.current_run.callback_token not in {None, before}


def time_out_parking(deployment: Deployment, activity_id: str) -> None:
    """The task's own limit is a quarter of an hour at least: its error is sent here instead."""
    deployment.open_gates(activity_id)
    token = deployment.record(activity_id).current_run.callback_token
    deployment.aws("stepfunctions").send_task_failure(taskToken=token, error="States.Timeout")


@pytest.fixture(scope="module")
def activity_ids(deployment: Deployment, leena: LeenaEmulator) -> dict[str, str]:
    return start_all(deployment, leena, SCENARIOS)


@pytest.fixture
def parked(deployment: Deployment, activity_ids: dict[str, str]):
    def parked(scenario: str) -> tuple[str, str]:
        """The activity and its execution, which waits in ParkRun."""
        activity_id = activity_ids[scenario]
        record = deployment.wait_for(activity_id, is_parked)
        assert record.current_run.next_check_at is not None
        assert record.current_run.due_at == record.current_run.next_check_at
        arn = deployment.execution_arn(activity_id)
        deployment.wait_for_state(arn, "ParkRun")
        return activity_id, arn

    return parked


def test_the_sweeper_finds_the_end_and_wakes_the_execution(
    deployment: Deployment, leena: LeenaEmulator, parked
):
    activity_id, arn = parked("parked-until-completed")
    deployment.let_time_pass(activity_id)
    assert 1 <= deployment.sweep()["woken"]
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert (2, 1) == (record.current_run.polls, len(starts_of(leena, record)))
    execution = deployment.execution(arn)
    assert ["ParkRun", "ChooseNextStep", "SettleRun", "ChooseNextStep", "ActivityDone"] == (
        execution.states[-5:]
    )


def test_a_run_that_wants_a_closer_look_is_woken_into_the_loop(
    deployment: Deployment, leena: LeenaEmulator, parked
):
    activity_id, arn = parked("parked-then-looked-at-closely")
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    execution = deployment.execution(arn)
    after_parking = execution.states[execution.states.index("ParkRun") :]
    assert ["ParkRun", "ChooseNextStep", "WaitBeforeCheck", "CheckRun"] == after_parking[:4]


def test_a_look_that_changes_nothing_leaves_the_execution_parked(deployment: Deployment, parked):
    activity_id, arn = parked("parked-twice")
    transitions = len(deployment.execution(arn, ended=False).states)
    deployment.let_time_pass(activity_id)
    assert 1 <= deployment.sweep()["still_parked"]
    record = deployment.record(activity_id)
    assert is_parked(record)
    assert (2, 2) == (record.current_run.polls, record.current_run.failed_checks)
    assert transitions == len(deployment.execution(arn, ended=False).states)
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    assert ActivityStatus.DONE is deployment.wait_for_end(activity_id).activity.status


def test_an_execution_that_nobody_wakes_times_out_into_the_loop(
    deployment: Deployment, leena: LeenaEmulator, parked
):
    activity_id, arn = parked("parked-and-forgotten")
    time_out_parking(deployment, activity_id)
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert 1 == len(starts_of(leena, record))
    states = deployment.execution(arn).states
    assert "CheckRun" == states[states.index("ParkRun") + 1]


def test_a_parked_run_can_be_cancelled(deployment: Deployment, leena: LeenaEmulator, parked):
    activity_id, arn = parked("parked-and-cancelled")
    answer = deployment.call("POST", f"/v1/activities/{activity_id}/cancel", {})
    assert answer["provider_stopped"] is False
    assert "cancel_unsupported" in answer["detail"]
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.CANCELLED is record.activity.status
    assert record.current_run.callback_token is None
    assert "ABORTED" == deployment.execution(arn).status


def test_a_refusal_that_the_sweeper_meets_is_sat_out(
    deployment: Deployment, leena: LeenaEmulator, parked
):
    activity_id, arn = parked("parked-and-refused")
    leena.add_fault(
        operation="status", kind="status", status=403, times=1, aop_id="parked-and-refused"
    )
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert "SUCCEEDED" == deployment.execution(arn).status
    rules = [r for r in leena.faults.as_documents() if r.get("aop_id") == "parked-and-refused"]
    (refusal,) = [rule for rule in rules if rule.get("status") == 403]
    assert 1 == refusal["fired"]


def test_what_a_poll_costs_is_what_the_planner_says(deployment: Deployment, activity_ids):
    activity_id = activity_ids["counted"]
    polls = deployment.wait_for_end(activity_id).current_run.polls
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert 4 == polls == execution.states.count("CheckRun")
    assert TRANSITIONS_OUTSIDE_THE_LOOP + TRANSITIONS_PER_POLL * polls == len(execution.states)
    assert EVENTS_OUTSIDE_THE_LOOP + EVENTS_PER_POLL * polls == execution.history_events_on_aws


def test_the_worst_case_that_the_planner_prints_is_what_is_counted(
    deployment: Deployment, leena: LeenaEmulator, parked
):
    """As many looks in the loop as a day's run has on AWS, a parking, and as many looks that the
    parked execution takes by itself."""
    activity_id, arn = parked("counted-at-worst")
    assert WORST.looks_by_itself > 0
    for look in range(WORST.looks_by_itself):
        before = deployment.record(activity_id).current_run.callback_token
        time_out_parking(deployment, activity_id)
        parked_anew = partial(is_parked_anew, before=before)
        deployment.wait_for(activity_id, parked_anew)
        assert look + 2 == deployment.wait_for_state(arn, "ParkRun").states.count("ParkRun")
    deployment.let_time_pass(activity_id)
    deployment.sweep()
    deployment.wait_for_end(activity_id)
    execution = deployment.execution(arn)
    assert WORST.polls_in_loop + WORST.looks_by_itself == execution.states.count("CheckRun")
    assert WORST.transitions == len(execution.states)
    assert WORST.history_events == execution.history_events_on_aws


def test_a_run_of_a_month_costs_hardly_more_than_one_of_a_day():
    month = worst_case(POLICY_ON_AWS, 30 * DAY_SECONDS)
    assert month.polls_in_loop == WORST.polls_in_loop
    assert month.looks_by_itself == WORST.looks_by_itself + 1
    assert month.transitions <= 60
    assert month.history_events <= 250


def test_state_carries_ids_only(deployment: Deployment, activity_ids):
    execution = deployment.execution(deployment.execution_arn(activity_ids["counted"]))
    for event in execution.events:
        for details in event.values():
            if isinstance(details, dict) and "input" in details:
                assert len(details["input"]) <= 2048
                assert "message_to_start" not in json.dumps(details)
