"""Bulk runs: one activity over the rows of a CSV, started, told and looked at as any other run."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from agentruns.errors import (
    ActivityNotRedrivable,
    InvalidRequest,
    StartUnknown,
    UpstreamUnavailable,
)
from agentruns.event_types import EventType
from agentruns.model import RetryPolicy
from agentruns.providers import LeapDialect
from agentruns.redriving import Redrive
from agentruns.refusals import ApiKeyRejected, WorkflowRunNotFound
from agentruns.request_errors import HookRefused
from agentruns.resolving import CheckFound, Found, ResolveRun
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.steps import NextStep
from tests.fakes.driver import Driver
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import LEAP_CONNECTION, TENANT, World
from tests.unit.core.hooked import (
    BULK_REQUEST,
    INPUT_CSV_URL,
    OUTPUT,
    a_body,
    bulk,
    hook_of,
    leap_world,
    parked_workflow,
)
from tests.unit.core.invariants import check_invariants


@pytest.fixture
def world() -> World:
    return leap_world(LeapDialect.RUNS)


def parked_bulk(world: World) -> Any:
    return parked_workflow(world, request=BULK_REQUEST)


def ended(world: World, status: str = "completed", **fields: Any) -> bytes:
    """The provider's bulk run has ended; what its webhook sends."""
    outcome = {"output": OUTPUT, "row_count": 3} if status == "completed" else {}
    return body_of(world.leap.ends("bulk_1", status, **(outcome | fields)))


def body_of(run: Any, **fields: Any) -> bytes:
    return json.dumps(bulk(run, **fields)).encode()


def test_a_start_has_the_csv_and_no_inputs(world):
    task = world.opened(BULK_REQUEST)

    step = world.start_leap_workflow(task)

    (call,) = world.leap.calls
    assert (NextStep.PARK, RunStatus.RUNNING) == (step.next_step, step.run_status)
    assert (INPUT_CSV_URL, {}) == (call.input_csv.reveal(), call.inputs)
    assert ("wkf_1", "bulk_1") == (call.workflow_id, world.run(task).remote_id)
    assert call.webhook_url.reveal().startswith(f"https://hooks.example/hooks/leap/{task.run_id}.")


def test_how_many_rows_there_are_is_shown_as_soon_as_the_provider_says_it(world):
    world.leap.on_start(a_workflow_run("bulk_1", row_count=7))
    assert 7 == world.run(parked_bulk(world)).row_count

    later = leap_world(LeapDialect.RUNS)
    task = parked_bulk(later)
    assert later.run(task).row_count is None
    later.accept_hook(hook_of(later, task.run_id), body_of(later.leap.ends("bulk_1", "running")))
    assert later.run(task).row_count is None
    told = later.leap.ends("bulk_1", "running", row_count=0)
    later.accept_hook(hook_of(later, task.run_id), body_of(told))
    assert (RunStatus.RUNNING, 0) == (later.run(task).status, later.run(task).row_count)
    later.leap.ends("bulk_1", "running", row_count=9)
    later.check_run(task)
    assert 9 == later.run(task).row_count
    later.leap.ends("bulk_1", "running", row_count=None)
    later.check_run(task)
    assert 9 == later.run(task).row_count
    check_invariants(later, task.activity_id)


@pytest.mark.parametrize(
    ("word", "status", "output"),
    [
        ("completed", RunStatus.COMPLETED, OUTPUT),
        ("failed", RunStatus.FAILED, None),
        ("cancelled", RunStatus.ABORTED, None),
    ],
)
def test_its_webhook_ends_it_with_the_output_csv_and_the_rows(world, word, status, output):
    task = parked_bulk(world)

    world.accept_hook(hook_of(world, task.run_id), ended(world, word))

    run = world.run(task)
    assert (status, output) == (run.status, run.output)
    ((token, step),) = world.executions.woken
    assert ("callback-1", NextStep.SETTLE) == (token, step["next_step"])
    assert all(call.is_bulk for call in world.leap.calls)


def test_a_lost_webhook_is_made_up_for_by_a_bulk_look(world):
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.at(600, lambda: ended(world))

    driver.run()

    record = world.record(accepted.activity_id)
    assert (ActivityStatus.DONE, OUTPUT) == (record.activity.status, record.current_run.output)
    assert 3 == record.current_run.row_count
    reads = world.leap.calls_of("read_run")
    assert 0 < len(reads) < 10
    assert all(call.is_bulk for call in reads)
    check_invariants(world, accepted.activity_id)


def test_an_early_webhook_ends_it_before_the_starts_answer(world):
    task = world.opened(BULK_REQUEST)
    world.leap.before_answer = lambda *_: world.accept_hook(
        hook_of(world, task.run_id), ended(world)
    )

    step = world.start_leap_workflow(task)

    run = world.run(task)
    assert (NextStep.SETTLE, RunStatus.COMPLETED, OUTPUT) == (
        step.next_step,
        run.status,
        run.output,
    )
    assert 3 == run.row_count
    world.settle_run(task)
    check_invariants(world, task.activity_id)


def test_a_webhook_before_the_callback_token_is_stored(world):
    task = world.opened(BULK_REQUEST)
    world.start_leap_workflow(task)
    world.accept_hook(hook_of(world, task.run_id), ended(world))

    world.executions.wait_on("callback-1")
    world.park_run(task, "callback-1")

    ((token, step),) = world.executions.woken
    assert ("callback-1", NextStep.SETTLE) == (token, step["next_step"])


def test_deliveries_in_any_order_and_number_count_once():
    running = {"status": "running"}
    for order in itertools.product((running, {"status": "completed"}), repeat=4):
        world = leap_world(LeapDialect.RUNS)
        task = parked_bulk(world)
        shown = world.leap.ends("bulk_1", "completed", output=OUTPUT, row_count=3)
        for fields in order:
            world.accept_hook(hook_of(world, task.run_id), body_of(shown, **fields))
        run = world.run(task)
        assert (RunStatus.COMPLETED, 1) == (run.status, len(run.evidence))
        assert 1 == world.event_types(task.activity_id).count("RunCompleted")
        assert 1 == len(world.executions.woken)


def test_a_late_word_is_kept_as_evidence_and_changes_nothing():
    world = leap_world(LeapDialect.RUNS, timeout_seconds=3600)
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.run()
    timed_out = world.record(accepted.activity_id)
    assert RunStatus.TIMEOUT == timed_out.current_run.status

    for _ in range(3):
        world.accept_hook(hook_of(world, accepted.run_id), ended(world))

    run = world.record(accepted.activity_id).current_run
    assert RunStatus.TIMEOUT == run.status
    assert [True, False] == [each.decided for each in run.evidence]
    check_invariants(world, accepted.activity_id)


def test_what_is_sent_is_a_hint_and_the_providers_word_counts(world):
    task = parked_bulk(world)
    forged = a_workflow_run("bulk_1", status="completed", output=OUTPUT)

    world.accept_hook(hook_of(world, task.run_id), body_of(forged))

    assert RunStatus.RUNNING == world.run(task).status


def test_which_object_it_is_is_said_by_what_was_started_and_not_by_the_object(world):
    single, many = parked_workflow(world), parked_bulk(world)
    assert ("rnp_1", "bulk_2") == (world.run(single).remote_id, world.run(many).remote_id)
    world.leap.ends("rnp_1", output={"one": 1})
    world.leap.ends("bulk_2", output=OUTPUT)
    before = world.record(single.activity_id), world.record(many.activity_id)

    crossed = [
        (many, a_body(world.leap.runs["rnp_1"])),
        (many, body_of(world.leap.runs["rnp_1"])),
        (single, body_of(world.leap.runs["bulk_2"])),
        (single, a_body(world.leap.runs["bulk_2"])),
    ]
    for task, body in crossed:
        with pytest.raises(HookRefused):
            world.accept_hook(hook_of(world, task.run_id), body)

    assert before == (world.record(single.activity_id), world.record(many.activity_id))
    world.accept_hook(hook_of(world, many.run_id), body_of(world.leap.runs["bulk_2"]))
    assert (RunStatus.COMPLETED, RunStatus.RUNNING) == (
        world.run(many).status,
        world.run(single).status,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"workflow_id": "wkf_2"},
        {"workflowId": "wkf_2"},
        {"id": "bulk_9"},
        {"id": "../x"},
        {"id": None},
        {"status": None},
        {"status": 1},
        {"row_count": 1, "rowCount": 2},
    ],
)
def test_a_forged_or_mangled_call_changes_nothing(world, fields):
    task = parked_bulk(world)
    run = world.leap.ends("bulk_1", "completed", output=OUTPUT)
    before = world.record(task.activity_id), world.events(task.activity_id)

    with pytest.raises(HookRefused):
        world.accept_hook(hook_of(world, task.run_id), body_of(run, **fields))

    assert before == (world.record(task.activity_id), world.events(task.activity_id))


def test_a_second_id_on_the_same_hook_is_a_duplicate_start(world):
    task = parked_bulk(world)
    world.leap.runs["bulk_2"] = a_workflow_run("bulk_2", status="completed", output=OUTPUT)

    for _ in range(2):
        world.accept_hook(hook_of(world, task.run_id), body_of(world.leap.runs["bulk_2"]))

    run = world.run(task)
    assert (RunStatus.RUNNING, ("bulk_2",)) == (run.status, run.other_remote_ids)
    assert 1 == world.event_types(task.activity_id).count(EventType.DUPLICATE_START_DETECTED)


def test_a_start_of_unknown_outcome_is_sent_once_and_resolved_by_its_webhook(world):
    world.leap.on_start(StartUnknown("no trustworthy answer"))
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.run(seconds=60)
    assert ActivityStatus.BLOCKED == world.record(accepted.activity_id).activity.status

    driver.at(60, lambda: world.accept_hook(hook_of(world, accepted.run_id), ended(world)))
    driver.run()

    record = world.record(accepted.activity_id)
    assert (ActivityStatus.DONE, OUTPUT, 3) == (
        record.activity.status,
        record.current_run.output,
        record.current_run.row_count,
    )
    assert 1 == len(world.leap.calls_of("start"))
    check_invariants(world, accepted.activity_id)


def test_a_start_of_unknown_outcome_is_bound_by_hand_to_a_bulk_run_alone(world):
    world.leap.on_start(StartUnknown("no trustworthy answer"))
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.run(seconds=60)
    world.leap.runs["rnp_7"] = a_workflow_run("rnp_7")
    find = world.accept_hook.look.find
    check_found = CheckFound(activities=world.store, find_workflow_run=find)

    with pytest.raises(InvalidRequest):
        check_found(TENANT, accepted.run_id, found("rnp_7"))
    check_found(TENANT, accepted.run_id, found("bulk_1"))
    ResolveRun(
        activities=world.store,
        wake_execution=world.wake_execution,
        clock=world.clock,
    )(TENANT, accepted.run_id, "bulk_1")
    ended(world)
    driver.run()

    assert OUTPUT == world.record(accepted.activity_id).current_run.output
    check_invariants(world, accepted.activity_id)


def found(remote_id: str) -> Found:
    return Found(adapter_type="leap_workflow", remote_id=remote_id)


@pytest.mark.parametrize("error", [UpstreamUnavailable("down"), ApiKeyRejected("flows", 401, "no")])
def test_a_failed_look_ends_nothing(world, error):
    task = parked_bulk(world)
    world.leap.on_read_run(error)

    assert NextStep.PARK == world.check_run(task).next_step
    assert RunStatus.RUNNING == world.run(task).status


def test_a_run_that_leap_does_not_know_any_more_is_refused(world):
    task = parked_bulk(world)
    del world.leap.runs["bulk_1"]

    with pytest.raises(WorkflowRunNotFound):
        world.check_run(task)


def test_a_connection_that_has_no_bulk_runs_by_now_is_said_and_nothing_is_sent(world):
    accepted = world.accept(BULK_REQUEST)
    world.connections.put(replace(LEAP_CONNECTION, dialect=LeapDialect.WORKFLOWS))

    Driver(world).run()

    activity = world.record(accepted.activity_id).activity
    assert (ActivityStatus.FAILED, "invalid_request") == (activity.status, activity.error.code)
    assert "connection 'flows' speaks the dialect workflows" in activity.error.message
    assert [] == world.leap.calls
    check_invariants(world, accepted.activity_id)


def test_where_it_is_tried_again_the_same_csv_is_sent_again():
    retry = RetryPolicy(max_attempts=2, backoff_seconds=0)
    world = leap_world(LeapDialect.RUNS, retry=retry)
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.at(60, lambda: ended(world, "failed", error="row 2"))
    driver.at(3600, lambda: world.leap.ends("bulk_2", output=OUTPUT))

    driver.run()

    starts = world.leap.calls_of("start")
    assert [INPUT_CSV_URL] * 2 == [call.input_csv and call.input_csv.reveal() for call in starts]
    assert ActivityStatus.DONE == world.record(accepted.activity_id).activity.status


def failed_bulk(world: World) -> str:
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.at(60, lambda: ended(world, "failed", error="row 2"))
    driver.run()
    assert ActivityStatus.FAILED == world.record(accepted.activity_id).activity.status
    return accepted.activity_id


def test_a_redrive_keeps_the_csv(world):
    activity_id = failed_bulk(world)

    redriven = world.redrive_activity(TENANT, activity_id, Redrive(reason="again"), None)
    Driver(world).run(seconds=30)

    assert INPUT_CSV_URL == world.store.read_input(TENANT, redriven.activity_id).input_csv_url
    assert INPUT_CSV_URL == world.leap.calls_of("start")[-1].input_csv.reveal()


@pytest.mark.parametrize(
    ("redrive", "field"),
    [
        (Redrive(reason="again", message="other"), "message"),
        (Redrive(reason="again", context={"a": 1}), "context"),
    ],
)
def test_a_redrive_with_inputs_is_refused(world, redrive, field):
    with pytest.raises(InvalidRequest) as refused:
        world.redrive_activity(TENANT, failed_bulk(world), redrive, None)

    assert [field] == [name for name, _ in refused.value.problems]


def test_a_redrive_over_a_connection_without_bulk_runs_is_refused(world):
    activity_id = failed_bulk(world)
    world.connections.put(replace(LEAP_CONNECTION, dialect=LeapDialect.WORKFLOWS))

    with pytest.raises(ActivityNotRedrivable, match="has no bulk runs"):
        world.redrive_activity(TENANT, activity_id, Redrive(reason="again"), None)


def test_the_csvs_url_stands_in_the_input_alone(world, caplog):
    caplog.set_level("DEBUG")
    world.leap.on_start(UpstreamUnavailable("busy", retry_after_seconds=1))
    accepted = world.accept(BULK_REQUEST)
    driver = Driver(world)
    driver.at(60, lambda: world.leap.ends("bulk_2", output=OUTPUT))
    driver.run()

    record = world.record(accepted.activity_id)
    assert ActivityStatus.DONE == record.activity.status
    said = [record, world.events(accepted.activity_id), world.executions.woken, driver.visits]
    said += [vars(entry) for entry in caplog.records]
    assert "CANARY" not in repr(said)
    assert "CANARY" in world.store.read_input(TENANT, accepted.activity_id).input_csv_url
