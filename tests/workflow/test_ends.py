"""How the provider ends a run, and what becomes of the activity."""

from dataclasses import dataclass

import pytest

from agentruns.event_types import EventType
from agentruns.lifecycle import DEADLINE_PASSED, UPSTREAM_ABORTED, UPSTREAM_FAILED
from agentruns.model import ActivityRecord, EvidenceSource
from agentruns.statuses import ActivityStatus, RunStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, Execution, starts_of
from tests.workflow.scenarios import COMPLETES, GOES_ON, Scenario, start_all

pytestmark = pytest.mark.stack

SCENARIOS = {
    "ends-completed": Scenario(),
    "ends-completed-at-once": Scenario(phases=[("completed", None)]),
    "ends-failed": Scenario(phases=[("in_progress", 1), ("failed", None)]),
    "ends-aborted": Scenario(phases=[("in_progress", 1), ("aborted", None)]),
    "ends-paused": Scenario(
        phases=[("in_progress", 1), ("paused", 2), ("in_progress", 1), ("completed", None)]
    ),
    "ends-unknown": Scenario(
        phases=[("in_progress", 1), ("awaiting_reassignment", 2), ("completed", None)]
    ),
    "ends-null-run-id": Scenario(phases=COMPLETES, aop={"null_run_id": True}),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    record: ActivityRecord
    execution: Execution
    events: list[EventType]
    starts: list[str]


@pytest.fixture(scope="module")
def activity_ids(deployment: Deployment, leena: LeenaEmulator) -> dict[str, str]:
    return start_all(deployment, leena, SCENARIOS)


@pytest.fixture
def outcome_of(deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str]):
    def outcome_of(scenario: str) -> Outcome:
        """Once it has ended. What holds for each of them is held here."""
        activity_id = activity_ids[scenario]
        record = deployment.wait_for_end(activity_id)
        events = deployment.events(activity_id)
        starts = starts_of(leena, record)
        assert list(range(1, len(events) + 1)) == [event.sequence for event in events]
        assert record.activity.last_sequence == len(events)
        assert [record.current_run.run_id] == starts
        assert record.current_run.due_at is None, "an ended run is nobody's business"
        return Outcome(
            record=record,
            execution=deployment.execution(deployment.execution_arn(activity_id)),
            events=[event.type for event in events],
            starts=starts,
        )

    return outcome_of


def test_completed(outcome_of):
    outcome = outcome_of("ends-completed")
    run = outcome.record.current_run
    assert ActivityStatus.DONE is outcome.record.activity.status
    assert RunStatus.COMPLETED is run.status
    assert (3, "completed") == (run.polls, run.provider_status)
    assert run.reference_id
    assert run.initiated_at is not None
    assert run.completed_at is not None
    assert run.initiated_at <= run.completed_at
    assert run.provider_run_id
    assert [(EvidenceSource.POLL, True)] == [(seen.source, seen.decided) for seen in run.evidence]
    assert ("SUCCEEDED", "ActivityDone") == (outcome.execution.status, outcome.execution.states[-1])
    assert [
        EventType.ACTIVITY_OPENED,
        EventType.ACTIVITY_STARTED,
        EventType.RUN_STATUS_CHANGED,  # dispatching
        EventType.RUN_STARTED,
        EventType.RUN_COMPLETED,
        EventType.ACTIVITY_COMPLETED,
    ] == outcome.events


def test_completed_at_the_first_look(outcome_of):
    outcome = outcome_of("ends-completed-at-once")
    assert ActivityStatus.DONE is outcome.record.activity.status
    assert 1 == outcome.record.current_run.polls


def test_failed(outcome_of):
    outcome = outcome_of("ends-failed")
    activity, run = outcome.record.activity, outcome.record.current_run
    assert (ActivityStatus.FAILED, RunStatus.FAILED) == (activity.status, run.status)
    assert activity.error is not None
    assert UPSTREAM_FAILED == activity.error.code
    assert str(run.remote_id) in activity.error.message
    assert "FAILED" == outcome.execution.status
    assert (UPSTREAM_FAILED, activity.error.message) == (
        outcome.execution.error,
        outcome.execution.cause,
    )
    assert [EventType.RUN_FAILED, EventType.ACTIVITY_FAILED] == outcome.events[-2:]


def test_aborted(outcome_of):
    outcome = outcome_of("ends-aborted")
    activity, run = outcome.record.activity, outcome.record.current_run
    assert (ActivityStatus.FAILED, RunStatus.ABORTED) == (activity.status, run.status)
    assert activity.error is not None
    assert UPSTREAM_ABORTED == activity.error.code == outcome.execution.error


def test_paused_then_completed(outcome_of):
    outcome = outcome_of("ends-paused")
    assert ActivityStatus.DONE is outcome.record.activity.status
    assert 5 == outcome.record.current_run.polls
    assert 3 == outcome.events.count(EventType.RUN_STATUS_CHANGED)  # dispatching, paused, running


def test_an_unknown_status_neither_ends_a_run_nor_stops_following_it(outcome_of):
    outcome = outcome_of("ends-unknown")
    assert ActivityStatus.DONE is outcome.record.activity.status
    assert (4, "completed") == (
        outcome.record.current_run.polls,
        outcome.record.current_run.provider_status,
    )


def test_a_start_without_a_run_id_is_a_start(outcome_of):
    outcome = outcome_of("ends-null-run-id")
    assert ActivityStatus.DONE is outcome.record.activity.status
    assert outcome.record.current_run.provider_run_id is None


def test_a_run_that_does_not_end_is_ended_at_its_deadline(
    deployment: Deployment, leena: LeenaEmulator, activity_ids: dict[str, str], outcome_of
):
    """Started after the others: workers that are cold, all at once, would use the time up."""
    for activity_id in list(activity_ids.values()):
        deployment.wait_for_end(activity_id)
    late = {"ends-at-deadline": Scenario(phases=GOES_ON, activity={"timeout_seconds": 8})}
    activity_ids |= start_all(deployment, leena, late)
    outcome = outcome_of("ends-at-deadline")
    activity, run = outcome.record.activity, outcome.record.current_run
    assert (ActivityStatus.FAILED, RunStatus.TIMEOUT) == (activity.status, run.status)
    assert activity.error is not None
    assert (DEADLINE_PASSED, "not ended 8 s after the activity was opened") == (
        activity.error.code,
        activity.error.message,
    )
    assert [EvidenceSource.DEADLINE] == [seen.source for seen in run.evidence]
    assert DEADLINE_PASSED == outcome.execution.error
    assert activity.ended_at is not None
    late_seconds = (activity.ended_at - activity.deadline_at).total_seconds()
    assert 0 <= late_seconds < 10
