"""Workflows of Leap: started at most once, followed by webhook, looked at where that can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns.errors import ConnectionOfOtherProvider, StartUnknown, UpstreamUnavailable
from agentruns.model import OnStartUnknown
from agentruns.providers import LeapDialect
from agentruns.refusals import ApiKeyRejected, WorkflowNotFound
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.steps import NextStep
from tests.fakes.driver import Driver
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import CONNECTION, TENANT
from tests.unit.core.hooked import a_body, hook_of, leap_world, parked_workflow
from tests.unit.core.invariants import check_invariants


def test_a_start_names_the_hook_and_has_message_and_context_as_inputs():
    world = leap_world()
    task = world.opened()

    step = world.start_leap_workflow(task)

    (call,) = world.leap.calls
    assert (NextStep.PARK, RunStatus.RUNNING) == (step.next_step, step.run_status)
    assert {"message": "reset my VPN", "ticket": "INC1"} == call.inputs
    assert "wkf_1" == call.workflow_id
    assert "key-1" == call.api_key.reveal()
    assert call.webhook_url is not None
    assert call.webhook_url.reveal().startswith(f"https://hooks.example/hooks/leap/{task.run_id}.")
    assert "rnp_1" == world.run(task).remote_id


def test_a_worker_that_finds_the_run_dispatching_does_not_send_it_again():
    world = leap_world()
    task = world.opened()
    world.leap.on_start("no answer of the port")  # the worker dies
    with pytest.raises(AttributeError):
        world.start_leap_workflow(task)

    step = world.start_leap_workflow(task)

    assert (RunStatus.START_UNKNOWN, NextStep.SETTLE) == (step.run_status, step.next_step)
    assert 1 == len(world.leap.calls)


def test_a_start_that_was_not_taken_is_tried_again():
    world = leap_world()
    task = world.opened()
    world.leap.on_start(UpstreamUnavailable("busy", retry_after_seconds=7))

    step = world.start_leap_workflow(task)

    assert (NextStep.START, 7) == (step.next_step, step.wait_seconds)
    assert RunStatus.RUNNING == world.start_leap_workflow(task).run_status


@pytest.mark.parametrize(
    "refusal", [ApiKeyRejected("flows", 401, "no"), WorkflowNotFound("wkf_1", "no")]
)
def test_a_refused_start_fails_the_activity(refusal):
    world = leap_world()
    world.leap.on_start(refusal)
    accepted = world.accept()

    Driver(world).run()

    activity = world.record(accepted.activity_id).activity
    assert (ActivityStatus.FAILED, refusal.code) == (activity.status, activity.error.code)
    check_invariants(world, accepted.activity_id)


def test_a_start_that_is_answered_with_an_end_has_ended():
    world = leap_world()
    world.leap.on_start(a_workflow_run(status="failed", error="no credits"))
    accepted = world.accept()

    Driver(world).run()

    activity = world.record(accepted.activity_id).activity
    assert "workflow run 'rnp_1' failed in Leap: no credits" == activity.error.message
    check_invariants(world, accepted.activity_id)


def test_a_webhook_ends_the_run_and_wakes_the_execution():
    world = leap_world()
    accepted = world.accept()
    driver = Driver(world)
    body = a_body(output={"answer": 42})
    driver.at(90, lambda: world.accept_hook(hook_of(world, accepted.run_id), body))

    driver.run()

    record = world.record(accepted.activity_id)
    assert ActivityStatus.DONE == record.activity.status
    assert {"answer": 42} == record.current_run.output
    assert [("webhook", True)] == [
        (each.source.value, each.decided) for each in record.current_run.evidence
    ]
    assert timedelta(seconds=90) >= record.activity.ended_at - record.activity.created_at
    assert 0 == driver.ticks
    (visits,) = driver.visits.values()
    assert len(visits) < 12
    check_invariants(world, accepted.activity_id)


def test_a_lost_webhook_is_made_up_for_by_a_look_where_the_dialect_has_one():
    world = leap_world(LeapDialect.RUNS)
    accepted = world.accept()
    driver = Driver(world)
    driver.at(600, lambda: world.leap.ends("rnp_1", output="done"))

    driver.run()

    record = world.record(accepted.activity_id)
    late = record.activity.ended_at - record.activity.created_at - timedelta(seconds=600)
    assert (ActivityStatus.DONE, "done") == (record.activity.status, record.current_run.output)
    assert timedelta(0) <= late <= timedelta(seconds=60 + 0.25 * 600 + 60)
    assert len(world.leap.calls_of("read_run")) < 10
    check_invariants(world, accepted.activity_id)


def test_a_lost_webhook_ends_at_the_deadline_where_nobody_can_be_asked():
    world = leap_world(timeout_seconds=3600)
    accepted = world.accept()
    driver = Driver(world)

    driver.run()

    record = world.record(accepted.activity_id)
    assert (ActivityStatus.FAILED, RunStatus.TIMEOUT) == (
        record.activity.status,
        record.current_run.status,
    )
    assert [] == world.leap.calls_of("read_run")
    world.accept_hook(hook_of(world, accepted.run_id), a_body())
    after = world.record(accepted.activity_id)
    assert RunStatus.TIMEOUT == after.current_run.status
    assert [True, False] == [each.decided for each in after.current_run.evidence]
    check_invariants(world, accepted.activity_id)


@pytest.mark.parametrize("dialect", LeapDialect)
def test_a_check_is_planned_where_the_dialect_has_one(dialect):
    world = leap_world(dialect)
    task = parked_workflow(world)
    run, activity = world.run(task), world.record(task.activity_id).activity

    assert dialect.can_be_asked is (run.next_check_at is not None)
    assert dialect.can_be_asked is (run.due_at < activity.deadline_at)


def test_a_start_bound_by_its_webhook_has_no_check_where_nobody_can_be_asked():
    world = leap_world(LeapDialect.WORKFLOWS)
    world.leap.on_start(StartUnknown("no answer"))
    task = world.opened()
    world.start_leap_workflow(task)

    world.accept_hook(hook_of(world, task.run_id), a_body(status="running"))

    assert (RunStatus.RUNNING, None) == (world.run(task).status, world.run(task).next_check_at)


def test_a_failed_look_ends_nothing():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    world.leap.on_read_run(UpstreamUnavailable("down"), ApiKeyRejected("flows", 401, "no"))

    steps = [world.check_run(task), world.check_run(task)]

    assert [NextStep.PARK, NextStep.PARK] == [step.next_step for step in steps]
    assert (2, "api_key_rejected") == (
        world.run(task).failed_checks,
        world.run(task).last_problem.code,
    )


def test_a_start_of_unknown_outcome_is_resolved_by_its_webhook():
    world = leap_world(on_start_unknown=OnStartUnknown.HOLD)
    world.leap.on_start(StartUnknown("no trustworthy answer"))
    accepted = world.accept()
    driver = Driver(world)
    driver.run(seconds=60)
    assert ActivityStatus.BLOCKED == world.record(accepted.activity_id).activity.status

    driver.at(60, lambda: world.accept_hook(hook_of(world, accepted.run_id), a_body()))
    driver.run()

    record = world.record(accepted.activity_id)
    assert (ActivityStatus.DONE, "rnp_1") == (record.activity.status, record.current_run.remote_id)
    assert 1 == len(world.leap.calls)
    check_invariants(world, accepted.activity_id)


def test_a_webhook_that_says_running_binds_an_unknown_start():
    world = leap_world()
    world.leap.on_start(StartUnknown("no trustworthy answer"))
    accepted = world.accept()
    driver = Driver(world)
    driver.run(seconds=60)

    world.accept_hook(hook_of(world, accepted.run_id), a_body(status="running"))
    driver.at(60, lambda: world.accept_hook(hook_of(world, accepted.run_id), a_body()))
    driver.run()

    assert ActivityStatus.DONE == world.record(accepted.activity_id).activity.status
    check_invariants(world, accepted.activity_id)


def test_a_connection_of_another_provider_carries_no_workflow():
    world = leap_world()
    task = world.opened()
    world.connections.put(replace(CONNECTION, name="flows", tenant=TENANT))

    with pytest.raises(ConnectionOfOtherProvider):
        world.start_leap_workflow(task)
    assert [] == world.leap.calls
