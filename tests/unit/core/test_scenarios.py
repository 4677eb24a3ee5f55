"""Whole activities in compressed time: the real state machine's routes over the use cases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentruns.definitions import ActivityRequest, Schedule
from agentruns.errors import StartUnknown, UpstreamUnavailable
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.polling import PollPolicy, worst_case
from agentruns.refusals import CredentialsRejected
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi, Timeline
from tests.fakes.world import REQUEST, ROLE, TENANT, World
from tests.unit.core.invariants import check_invariants

DAY = 86_400
RUNS_FOR_EVER: Timeline = ((0.0, "in_progress"),)


def world_with(*timelines: Timeline, **agent) -> World:
    return World(leena=lambda clock: TimedLeenaApi(clock, *timelines), **agent)


def run_through(world: World, *, seconds: float = 40 * DAY) -> tuple[Driver, str]:
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.run(seconds=seconds)
    check_invariants(world, activity_id)
    return driver, activity_id


def test_a_run_of_a_minute_is_done_and_noticed_within_a_quarter_of_its_age():
    world = world_with(((0.0, "in_progress"), (60.0, "completed")))
    driver, activity_id = run_through(world)
    record = world.record(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert {"SUCCEEDED"} == set(driver.ended.values())
    assert record.activity.ended_at - NOON <= timedelta(seconds=60 * 1.25 + 6)
    assert 1 == len(world.leena.executes)


@pytest.mark.parametrize(
    ("word", "run_status"), [("failed", RunStatus.FAILED), ("aborted", RunStatus.ABORTED)]
)
def test_what_the_provider_ends_badly_fails_the_activity(word, run_status):
    world = world_with(((0.0, "in_progress"), (60.0, word)))
    driver, activity_id = run_through(world)
    record = world.record(activity_id)
    assert (ActivityStatus.FAILED, run_status) == (
        record.activity.status,
        record.current_run.status,
    )
    assert ["FAILED"] == list(driver.ended.values())


def test_a_pause_of_thirty_days_costs_a_row_and_a_handful_of_transitions():
    paused = ((0.0, "in_progress"), (30.0, "paused"), (29.0 * DAY, "completed"))
    short = ((0.0, "in_progress"), (30.0, "paused"), (3600.0, "completed"))
    transitions = {}
    for name, timeline in (("long", paused), ("short", short)):
        world = world_with(timeline, timeout_seconds=30 * DAY)
        driver = Driver(world)
        activity_id = world.accept().activity_id
        driver.run(seconds=29.5 * DAY)
        assert ActivityStatus.DONE is world.record(activity_id).activity.status
        check_invariants(world, activity_id)
        (visited,) = driver.visits.values()
        transitions[name] = len(visited)
    # they differ by their first offsets and by three looks of the parked execution for itself
    assert transitions["long"] <= transitions["short"] + 3 * 3 + 6 <= 50


def test_an_upstream_that_is_down_for_a_month_ends_in_a_typed_timeout_at_the_deadline():
    world = world_with(RUNS_FOR_EVER, timeout_seconds=30 * DAY)
    world.leena.down_until = NOON + timedelta(days=60)
    driver, activity_id = run_through(world)
    record = world.record(activity_id)
    assert ActivityStatus.FAILED is record.activity.status
    assert "deadline_passed" == record.activity.error.code
    assert "last problem: connection refused" in record.activity.error.message
    assert record.activity.ended_at - record.activity.deadline_at <= timedelta(seconds=61)
    assert [] == world.leena.executes
    (visited,) = driver.visits.values()
    assert visited.count("ExecuteAop") <= 400


def test_an_upstream_that_goes_down_while_it_runs_times_out_with_the_last_problem():
    world = world_with(RUNS_FOR_EVER, timeout_seconds=DAY)
    driver = Driver(world)
    activity_id = world.accept().activity_id

    def go_down():
        world.leena.down_until = NOON + timedelta(days=60)

    driver.at(600, go_down)
    driver.run()
    check_invariants(world, activity_id)
    record = world.record(activity_id)
    assert RunStatus.TIMEOUT is record.current_run.status
    assert "connection refused" in record.activity.error.message
    assert 1 == len(world.leena.executes)


def test_an_unknown_status_is_followed_until_a_known_one_ends_it():
    world = world_with(((0.0, "hibernating"), (600.0, "completed")))
    _, activity_id = run_through(world)
    assert ActivityStatus.DONE is world.record(activity_id).activity.status


def test_a_failed_run_is_retried_after_the_backoff_and_the_second_one_counts():
    failing, working = ((0.0, "failed"),), ((0.0, "completed"),)
    world = world_with(failing, working, retry=RetryPolicy(max_attempts=2, backoff_seconds=30))
    _, activity_id = run_through(world)
    record = world.record(activity_id)
    assert [RunStatus.FAILED, RunStatus.COMPLETED] == [run.status for run in record.runs]
    assert ActivityStatus.DONE is record.activity.status
    waited = record.runs[1].started_at - record.runs[0].ended_at
    assert timedelta(seconds=30) <= waited < timedelta(seconds=32)


def test_wrong_credentials_end_the_activity_and_are_not_tried_again():
    world = World()
    world.tokens.fail_next(CredentialsRejected("hr", 401, "bad password"))
    _driver, activity_id = run_through(world)
    record = world.record(activity_id)
    assert "credentials_rejected" == record.activity.error.code
    assert "agentruns connect leena hr" in record.activity.error.message
    assert [] == world.leena.executes


def test_an_unknown_start_waits_for_a_person_until_the_deadline():
    world = World(timeout_seconds=3600)
    world.leena.on_execute(StartUnknown("read timed out"))
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.run(seconds=3000)
    assert ActivityStatus.BLOCKED is world.record(activity_id).activity.status
    assert [] == list(world.store.list_due_runs(world.clock(), 10))
    driver.run()
    check_invariants(world, activity_id)
    record = world.record(activity_id)
    assert (ActivityStatus.FAILED, RunStatus.TIMEOUT) == (
        record.activity.status,
        record.current_run.status,
    )
    assert 1 == len(world.leena.executes)


@pytest.mark.parametrize("policy", [OnStartUnknown.FAIL, OnStartUnknown.RETRY])
def test_an_unknown_start_follows_the_policy(policy):
    world = world_with(
        ((0.0, "completed"),),
        on_start_unknown=policy,
        retry=RetryPolicy(max_attempts=2, backoff_seconds=5),
    )
    world.leena.on_execute(StartUnknown("read timed out"))
    _, activity_id = run_through(world)
    record = world.record(activity_id)
    expected = {
        OnStartUnknown.FAIL: (ActivityStatus.FAILED, [RunStatus.FAILED], 1),
        OnStartUnknown.RETRY: (
            ActivityStatus.DONE,
            [RunStatus.FAILED, RunStatus.COMPLETED],
            2,
        ),
    }[policy]
    assert expected == (
        record.activity.status,
        [run.status for run in record.runs],
        len(world.leena.executes),
    )


def test_a_start_that_was_refused_for_a_while_is_sent_once_it_can_be():
    world = World(leena=lambda clock: TimedLeenaApi(clock, ((0.0, "completed"),)))
    world.leena.on_execute(UpstreamUnavailable("429", retry_after_seconds=90))
    _, activity_id = run_through(world)
    assert 2 == len(world.leena.executes)
    started_at = world.record(activity_id).current_run.started_at
    assert timedelta(seconds=90) <= started_at - NOON <= timedelta(seconds=92)


@pytest.mark.parametrize("lost_after_seconds", [0.5, 3, 50, 400, 5000])
def test_a_lost_execution_is_replaced_and_nothing_is_started_twice(lost_after_seconds):
    world = world_with(((0.0, "in_progress"), (7200.0, "completed")))
    driver = Driver(world)
    activity_id = world.accept().activity_id
    first = world.executions.arn_of(f"{activity_id}-1")
    driver.at(lost_after_seconds, lambda: driver.lose(first))
    driver.run()
    check_invariants(world, activity_id)
    record = world.record(activity_id)
    assert (ActivityStatus.DONE, 2) == (record.activity.status, record.activity.generation)
    assert 1 == len(world.leena.executes)


def test_a_cancelled_activity_ends_its_execution_and_keeps_the_ids():
    world = world_with(RUNS_FOR_EVER)
    driver = Driver(world)
    activity_id = world.accept().activity_id
    driver.at(400, lambda: world.cancel_activity(TENANT, activity_id, "not needed"))
    driver.run()
    check_invariants(world, activity_id)
    record = world.record(activity_id)
    assert (ActivityStatus.CANCELLED, "item-1") == (
        record.activity.status,
        record.current_run.remote_id,
    )
    assert ["ABORTED"] == list(driver.ended.values())


def test_a_schedule_that_fires_twice_for_one_occurrence_runs_once():
    world = world_with(((0.0, "completed"),))
    world.schedules.put(
        Schedule(
            tenant=TENANT,
            name="nightly",
            request=ActivityRequest(agent_role=ROLE),
            created_at=NOON,
            updated_at=NOON,
        )
    )
    driver = Driver(world)
    for name in ("first", "second"):
        driver.start(name, {"tenant": TENANT, "schedule": "nightly", "occurrence": "e-1"})
    driver.run()
    assert 1 == len(world.leena.executes)
    ends = {arn.rsplit(":", 1)[1]: visited[-1] for arn, visited in driver.visits.items()}
    assert {"first": "ActivityDone", "second": "ExecutionSuperseded"} == ends


@pytest.mark.parametrize(
    "deadline_seconds",
    [30, 600, 3600, DAY, pytest.param(7 * DAY, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("policy", [PollPolicy(), PollPolicy(floor_seconds=1, cap_seconds=20)])
def test_the_printed_worst_case_is_what_a_run_until_the_deadline_costs(deadline_seconds, policy):
    world = world_with(RUNS_FOR_EVER, policy=policy, timeout_seconds=deadline_seconds)
    driver, activity_id = run_through(world)
    worst = worst_case(policy, deadline_seconds)
    (visited,) = driver.visits.values()
    run = world.record(activity_id).current_run
    in_loop = visited.count("CheckRun")
    assert worst.polls_in_loop - 1 <= in_loop <= worst.polls_in_loop + worst.looks_by_itself
    assert run.polls <= worst.polls_in_loop + worst.polls_parked + worst.looks_by_itself
    if not worst.polls_parked:
        assert worst.polls_in_loop - 1 <= run.polls
    assert len(visited) <= worst.transitions


def test_the_message_and_the_context_reach_the_provider_with_our_run_id():
    world = world_with(((0.0, "completed"),))
    _, activity_id = run_through(world)
    (call,) = world.leena.executes
    assert REQUEST.message == call.message_to_start
    assert {"ticket": "INC1", "agentruns_run_id": f"run_{activity_id[4:]}_1"} == call.context
