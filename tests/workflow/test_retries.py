"""An agent's retry policy: the next run of the same activity, in the same execution."""

from datetime import timedelta

import pytest

from agentruns.event_types import EventType
from agentruns.statuses import ActivityStatus, RunStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, starts_of
from tests.workflow.scenarios import COMPLETES, Phases, Scenario, start_all

pytestmark = pytest.mark.stack

FAILS: Phases = [("in_progress", 1), ("failed", None)]


def start_with_retries(
    deployment: Deployment, leena: LeenaEmulator, role: str, **retry: int
) -> str:
    start_all_of_role = {
        "adapter": {"type": "leena_aop", "connection": "leena", "aop_id": role},
        "retry": retry,
    }
    deployment.call("PUT", f"/v1/agents/{role}", start_all_of_role)
    accepted = deployment.call("POST", "/v1/activities", {"agent_role": role})
    return str(accepted["activity_id"])


def phases(*wanted: tuple[str, int | None]) -> list[dict]:
    return [
        {"status": status} | ({} if polls is None else {"polls": polls}) for status, polls in wanted
    ]


def test_a_failed_run_is_followed_by_another_after_the_backoff(
    deployment: Deployment, leena: LeenaEmulator
):
    leena.define_aop("retried", phases(*FAILS))
    activity_id = start_with_retries(
        deployment, leena, "retried", max_attempts=3, backoff_seconds=10
    )
    deployment.wait_for(activity_id, lambda record: len(record.runs) == 2)
    leena.define_aop("retried", phases(*COMPLETES))  # the first run's item keeps its phases

    record = deployment.wait_for_end(activity_id)

    assert ActivityStatus.DONE is record.activity.status
    assert record.activity.error is None
    first, second = record.runs
    assert [RunStatus.FAILED, RunStatus.COMPLETED] == [first.status, second.status]
    assert [1, 2] == [first.attempt, second.attempt]
    assert first.run_id.removesuffix("_1") == second.run_id.removesuffix("_2")
    assert [first.run_id, second.run_id] == starts_of(leena, record), "one start for each run"
    assert first.remote_id != second.remote_id
    # the stored backoff is real; the wait takes a tenth of it here (SFN_WAIT_SCALE)
    assert second.started_at is not None
    assert first.ended_at is not None
    assert second.started_at - first.ended_at >= timedelta(seconds=1)
    events = deployment.events(activity_id)
    (retried,) = (event for event in events if event.type is EventType.RUN_RETRIED)
    assert (first.run_id, second.run_id) == (retried.run_id, retried.detail["next_run_id"])
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert ("SUCCEEDED", 1) == (execution.status, execution.states.count("WaitBeforeRetry"))
    assert 2 == execution.states.count("OpenRun")


def test_attempts_end(deployment: Deployment, leena: LeenaEmulator):
    leena.define_aop("never-better", phases(*FAILS))
    activity_id = start_with_retries(
        deployment, leena, "never-better", max_attempts=2, backoff_seconds=1
    )
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.FAILED is record.activity.status
    assert [RunStatus.FAILED, RunStatus.FAILED] == [run.status for run in record.runs]
    assert 2 == len(starts_of(leena, record))


def test_a_refusal_is_not_tried_again(deployment: Deployment, leena: LeenaEmulator):
    scenario = Scenario(aop={"executable": False})
    start_all(deployment, leena, {"refused-for-good": scenario})
    activity_id = start_with_retries(
        deployment, leena, "refused-for-good", max_attempts=3, backoff_seconds=1
    )
    record = deployment.wait_for_end(activity_id)
    assert (ActivityStatus.FAILED, 1) == (record.activity.status, len(record.runs))
