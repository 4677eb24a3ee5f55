"""A connection that takes one AOP at a time, on the deployed stack."""

from __future__ import annotations

from itertools import pairwise

import pytest

from agentruns.model import Admission
from agentruns.statuses import ActivityStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, is_parked, starts_of

pytestmark = pytest.mark.stack


def test_they_run_one_after_the_other_by_priority_and_are_parked_meanwhile(
    deployment: Deployment,
):
    with LeenaEmulator() as other:
        other.define_aop("waits-for-us", [{"status": "in_progress"}])
        other.define_aop("quick", [{"status": "completed"}])
        deployment.connect("one-at-a-time", other.url)
        limits = {"max_concurrent_runs": 1}
        deployment.call("PUT", "/v1/connections/one-at-a-time/limits", limits)

        holder = deployment.start("waits-for-us", "one-at-a-time")
        deployment.wait_for(holder, lambda record: record.current_run.started_at is not None)
        first = deployment.start("quick", "one-at-a-time")
        last = deployment.start("quick", "one-at-a-time")
        high = deployment.start("quick", "one-at-a-time", priority="high")
        for waiting in (first, last, high):
            record = deployment.wait_for(waiting, is_parked)
            assert ActivityStatus.QUEUED is record.activity.status
            assert Admission.WAITING is record.activity.admission
        assert 1 == len(other.ledger.executes())
        assert "1 of 1 taken; 3 waiting" in check_of(deployment)

        deployment.call("POST", f"/v1/activities/{holder}/cancel", {})
        records = {each: deployment.wait_for_end(each) for each in (first, last, high)}
        assert {ActivityStatus.DONE} == {each.activity.status for each in records.values()}
        assert [1, 1, 1] == [len(starts_of(other, record)) for record in records.values()]
        in_order = sorted(records, key=lambda each: records[each].activity.ended_at or 0)
        assert [high, first, last] == in_order
        for earlier, later in pairwise(in_order):
            started_at = records[later].current_run.started_at
            ended_at = records[earlier].activity.ended_at
            assert started_at is not None
            assert ended_at is not None
            assert ended_at <= started_at
        for each in records.values():
            execution = deployment.execution(deployment.execution_arn(each.activity.activity_id))
            parked = ["OpenRun", "ChooseNextStep", "ParkRun", "ChooseNextStep", "MintToken"]
            assert parked == execution.states[:5]
        assert "0 of 1 taken; 0 waiting" in check_of(deployment)


def check_of(deployment: Deployment) -> str:
    answer = deployment.call("POST", "/v1/connections/one-at-a-time/check", {})
    return str({check["name"]: check["detail"] for check in answer["checks"]}["slots"])
