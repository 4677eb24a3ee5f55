from __future__ import annotations

import pytest

from agentruns.definitions import ActivityRequest, Schedule
from agentruns.errors import ActivityNotFound, InvalidRequest, ScheduleNotFound
from agentruns.statuses import ActivityStatus
from tests.fakes.clock import NOON
from tests.fakes.world import REQUEST, TENANT


def open_run(world, activity_id, execution_arn="arn-1", generation=1):
    return world.open_run(
        {
            "tenant": TENANT,
            "activity_id": activity_id,
            "generation": generation,
            "execution_arn": execution_arn,
        }
    )


def scheduled(world, occurrence="e-1", execution_arn="arn-1", schedule="nightly"):
    return world.open_run(
        {
            "tenant": TENANT,
            "schedule": schedule,
            "occurrence": occurrence,
            "execution_arn": execution_arn,
        }
    )


def put_schedule(world, request=REQUEST):
    world.schedules.put(
        Schedule(tenant=TENANT, name="nightly", request=request, created_at=NOON, updated_at=NOON)
    )


def test_a_fresh_activity_is_taken_and_starts(world):
    activity_id = world.accept().activity_id
    step = open_run(world, activity_id)
    activity = world.record(activity_id).activity
    assert ("start", 0, "leena_aop") == (step.next_step, step.wait_seconds, step.adapter)
    assert (ActivityStatus.IN_PROGRESS, "arn-1") == (activity.status, activity.execution_arn)
    assert ["ActivityOpened", "ActivityStarted"] == world.event_types(activity_id)


def test_opening_twice_changes_nothing(world):
    activity_id = world.accept().activity_id
    open_run(world, activity_id)
    version = world.record(activity_id).activity.version
    assert "start" == open_run(world, activity_id).next_step
    assert version == world.record(activity_id).activity.version


def test_another_execution_of_the_same_generation_is_a_duplicate(world):
    activity_id = world.accept().activity_id
    open_run(world, activity_id)
    assert "end_duplicate" == open_run(world, activity_id, "arn-2").next_step
    assert "arn-1" == world.record(activity_id).activity.execution_arn


@pytest.mark.parametrize("generation", [0, 2])
def test_another_generation_is_a_duplicate(world, generation):
    activity_id = world.accept().activity_id
    assert "end_duplicate" == open_run(world, activity_id, generation=generation).next_step
    assert ActivityStatus.QUEUED is world.record(activity_id).activity.status


def test_an_ended_activity_is_not_opened(world):
    activity_id = world.accept().activity_id
    world.cancel_activity(TENANT, activity_id, "")
    assert "end_cancelled" == open_run(world, activity_id).next_step
    assert ActivityStatus.CANCELLED is world.record(activity_id).activity.status


def test_an_unknown_activity_is_not_found(world):
    with pytest.raises(ActivityNotFound):
        open_run(world, "act_01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_a_schedule_opens_one_activity_per_occurrence(world):
    put_schedule(world)
    first = scheduled(world)
    assert first.activity_id == scheduled(world).activity_id
    assert "start" == scheduled(world).next_step
    assert "end_duplicate" == scheduled(world, execution_arn="arn-2").next_step
    assert first.activity_id != scheduled(world, "e-2", "arn-3").activity_id
    assert [] == world.executions.started


def test_an_unknown_schedule_is_not_found(world):
    with pytest.raises(ScheduleNotFound):
        scheduled(world, schedule="weekly")


def test_a_schedule_whose_agent_is_gone_says_so(world):
    put_schedule(world, ActivityRequest(agent_role="gone"))
    with pytest.raises(InvalidRequest, match="gone"):
        scheduled(world)
