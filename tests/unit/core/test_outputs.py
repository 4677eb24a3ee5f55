"""Outputs of any size: the run's row stays a row, and what was sent comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agentruns.errors import OutputNotFound, StartUnknown, UpstreamUnreadable
from agentruns.hooks import BODY_LIMIT_BYTES
from agentruns.model import EvidenceSource
from agentruns.outputs import ROW_LIMIT_BYTES
from agentruns.providers import LeapDialect
from agentruns.redriving import CONTEXT_LIMIT_BYTES, Redrive
from agentruns.request_errors import RequestTooLarge
from agentruns.run_outputs import find_output, refs_of
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import TENANT, World
from tests.unit.core.hooked import a_body, hook_of, leap_world, parked_workflow
from tests.unit.core.invariants import check_invariants

KIB = 1024
SIZES = [300 * KIB, 300 * KIB + 1, 399 * KIB, 400 * KIB, 401 * KIB]


def text_of(size_bytes: int) -> str:
    """A JSON string whose text has that many bytes."""
    return "x" * (size_bytes - 2)


def kept(world: World, run: Any, sha256: str | None = None) -> Any:
    return json.loads(find_output(lambda: world.outputs, run, sha256).read_all())


def end_by_hook(size_bytes: int) -> tuple[World, Any]:
    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)
    world.accept_hook(hook_of(world, task.run_id), a_body(output=text_of(size_bytes)))
    return world, task


def end_by_look(size_bytes: int) -> tuple[World, Any]:
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    world.leap.ends("rnp_1", output=text_of(size_bytes))
    world.check_run(task)
    return world, task


def end_by_start(size_bytes: int) -> tuple[World, Any]:
    world = leap_world(LeapDialect.WORKFLOWS)
    task = world.opened()
    world.leap.on_start(a_workflow_run(status="completed", output=text_of(size_bytes)))
    world.start_leap_workflow(task)
    return world, task


@pytest.mark.parametrize("end", [end_by_hook, end_by_look, end_by_start])
@pytest.mark.parametrize("size_bytes", SIZES)
def test_an_output_of_any_size_ends_the_run_completed_and_comes_back(end, size_bytes):
    world, task = end(size_bytes)

    run = world.run(task)
    assert RunStatus.COMPLETED is run.status
    assert text_of(size_bytes) == kept(world, run)
    is_large = size_bytes > ROW_LIMIT_BYTES
    assert (is_large, int(is_large)) == (run.output is None, world.outputs.puts)
    assert [size_bytes] == [ref.size_bytes for ref in refs_of(run)]
    world.settle_run(task)
    check_invariants(world, task.activity_id)


@pytest.mark.parametrize("value", [0, False, "", [], {}, 1.5, "é\U0001f600\n", [None], {"a": {}}])
def test_an_output_of_any_type_comes_back(value):
    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)

    world.accept_hook(hook_of(world, task.run_id), a_body(output=value))

    assert value == world.run(task).output == kept(world, world.run(task))


def test_a_run_without_an_output_has_none_to_read():
    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)
    world.accept_hook(hook_of(world, task.run_id), a_body(output=None))

    with pytest.raises(OutputNotFound):
        find_output(lambda: world.outputs, world.run(task))


def test_where_the_output_cannot_be_stored_nothing_is_and_the_next_delivery_makes_up_for_it():
    class Broken:
        def put(self, *_: Any) -> None:
            raise OSError("the store is down")

    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)
    before, name = world.record(task.activity_id), hook_of(world, task.run_id)
    body = a_body(output=text_of(400 * KIB))
    world.store.outputs = Broken()  # type: ignore[assignment]  # nothing is read of it
    with pytest.raises(OSError, match="down"):
        world.accept_hook(name, body)
    assert before == world.record(task.activity_id)

    world.store.outputs = world.outputs
    world.accept_hook(name, body)

    assert text_of(400 * KIB) == kept(world, world.run(task))


def test_no_output_stands_in_an_event_or_a_step():
    world, task = end_by_hook(400 * KIB)

    assert "xxxx" not in str(world.events(task.activity_id))
    assert "xxxx" not in str(world.executions.woken)


# ---- what comes too late


@pytest.mark.parametrize("size_bytes", [10, 400 * KIB])
def test_a_completion_after_the_deadline_keeps_its_output_beside_the_run(size_bytes):
    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)
    world.clock.advance(100_000)
    world.check_run(task)
    assert RunStatus.TIMEOUT is world.run(task).status

    for _ in range(2):
        world.accept_hook(hook_of(world, task.run_id), a_body(output=text_of(size_bytes)))

    run = world.run(task)
    late = run.evidence[-1]
    assert (RunStatus.TIMEOUT, None, None) == (run.status, run.output, run.output_ref)
    assert (EvidenceSource.WEBHOOK, False) == (late.source, late.decided)
    assert size_bytes == late.output.size_bytes
    assert text_of(size_bytes) == kept(world, run, late.output.sha256)
    assert 1 == len(world.outputs.texts)


def test_a_later_word_of_the_same_output_is_stored_no_second_time():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    run = world.leap.ends("rnp_1", output=text_of(400 * KIB))
    world.check_run(task)
    world.accept_hook(hook_of(world, task.run_id), a_body(run))

    assert [EvidenceSource.POLL, EvidenceSource.WEBHOOK] == [
        each.source for each in world.run(task).evidence
    ]
    assert (1, 1) == (world.outputs.puts, len(refs_of(world.run(task))))


def test_a_rival_output_cannot_take_the_place_of_the_one_that_decided():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    world.leap.ends("rnp_1", output=text_of(400 * KIB))
    world.check_run(task)
    world.leap.ends("rnp_1", output=[text_of(400 * KIB)])
    world.accept_hook(hook_of(world, task.run_id), a_body())

    run = world.run(task)
    first, rival = refs_of(run)
    assert text_of(400 * KIB) == kept(world, run)
    assert [text_of(400 * KIB)] == kept(world, run, rival.sha256)
    assert run.output_ref == first


def test_only_what_the_run_names_is_found_by_its_hash():
    world, task = end_by_hook(10)
    other_world, other = end_by_hook(400 * KIB)
    (ref,) = refs_of(other_world.run(other))

    with pytest.raises(OutputNotFound):
        find_output(lambda: other_world.outputs, world.run(task), ref.sha256)


# ---- deliveries that are too large to be read


def oversized(world: World, task: Any) -> None:
    world.accept_hook(hook_of(world, task.run_id), b" " * (BODY_LIMIT_BYTES + 1))


def test_where_the_provider_can_be_asked_an_oversized_delivery_is_a_hint():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    world.leap.ends("rnp_1", output=text_of(2_000_000))

    oversized(world, task)

    assert RunStatus.COMPLETED is world.run(task).status
    assert text_of(2_000_000) == kept(world, world.run(task))
    assert 1 == len(world.executions.woken)


def test_where_it_cannot_the_run_remembers_once_why_and_the_deadline_says_so():
    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)
    for _ in range(2):
        with pytest.raises(RequestTooLarge):
            oversized(world, task)

    problem = world.run(task).last_problem
    assert "hook_too_large" == problem.code
    assert f"the body has {BODY_LIMIT_BYTES + 1} bytes" in problem.message
    world.clock.advance(100_000)
    world.check_run(task)
    assert problem.message in world.run(task).error.message


def test_a_start_that_nobody_knows_of_keeps_why_it_waits_for_a_person():
    world = leap_world(LeapDialect.WORKFLOWS)
    task = world.opened()
    world.leap.on_start(StartUnknown("the answer was lost"))
    world.start_leap_workflow(task)
    for _ in range(2):
        with pytest.raises(RequestTooLarge):
            oversized(world, task)

    run = world.run(task)
    assert (RunStatus.START_UNKNOWN, "start_unknown") == (run.status, run.last_problem.code)
    assert run.last_problem.message.startswith("the answer was lost; a webhook came")
    assert 1 == run.last_problem.message.count("a webhook came")


def test_an_oversized_delivery_after_the_end_changes_nothing():
    world, task = end_by_hook(10)
    before = world.record(task.activity_id)

    with pytest.raises(RequestTooLarge):
        oversized(world, task)

    assert before == world.record(task.activity_id)


def test_what_is_too_large_for_a_look_is_the_runs_last_problem():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    world.leap.on_read_run(UpstreamUnreadable("the body has more than 5242880 bytes"))

    world.check_run(task)

    assert "more than 5242880 bytes" in world.run(task).last_problem.message


# ---- redriving


def timed_out_with(size_bytes: int, **fields: Any) -> tuple[World, str]:
    """A failed activity whose run completed too late, with an output."""
    world = leap_world(LeapDialect.WORKFLOWS, **fields)
    task = parked_workflow(world)
    world.clock.advance(100_000)
    world.check_run(task)
    world.settle_run(task)
    world.accept_hook(hook_of(world, task.run_id), a_body(output=text_of(size_bytes)))
    assert ActivityStatus.FAILED is world.record(task.activity_id).activity.status
    return world, task.activity_id


def successors_context(world: World, activity_id: str, **redrive: Any) -> dict[str, Any]:
    wanted = Redrive(reason="again", **redrive)
    accepted = world.redrive_activity(TENANT, activity_id, wanted, None)
    return dict(world.store.read_input(TENANT, accepted.activity_id).context)


def test_a_redrive_hands_on_an_output_that_fits_its_context():
    world, activity_id = timed_out_with(1000)

    context = successors_context(world, activity_id)

    assert {"ticket": "INC1", "agentruns_prior_output": text_of(1000)} == context


@pytest.mark.parametrize("size_bytes", [CONTEXT_LIMIT_BYTES, 400 * KIB])
def test_a_redrive_says_where_a_larger_one_stands(size_bytes):
    world, activity_id = timed_out_with(size_bytes)
    (run,) = world.record(activity_id).runs
    (ref,) = refs_of(run)

    context = successors_context(world, activity_id)

    assert {
        "ticket": "INC1",
        "agentruns_prior_output_ref": {
            "path": f"/v1/runs/{run.run_id}/output?sha256={ref.sha256}",
            "bytes": size_bytes,
            "sha256": ref.sha256,
        },
    } == context


def test_with_an_output_the_context_is_no_larger_than_a_new_activitys_may_be():
    for extra in range(0, 60, 3):
        world, activity_id = timed_out_with(100 * KIB)
        context = {"a": text_of(100 * KIB - 60 + extra)}
        handed_on = successors_context(world, activity_id, context=context)
        size = len(json.dumps(handed_on, ensure_ascii=False, separators=(",", ":")).encode())
        assert size <= CONTEXT_LIMIT_BYTES or "agentruns_prior_output_ref" in handed_on


def test_an_activity_has_one_run_with_an_output_in_its_row_at_most():
    """So that an activity of ten attempts still fits into one answer."""
    world, task = end_by_hook(ROW_LIMIT_BYTES)
    record = world.record(task.activity_id)
    world.settle_run(task)

    assert world.record(task.activity_id).activity.status.is_terminal
    assert replace(record.current_run, output=None).output is None
    assert 1 == sum(run.output is not None for run in world.record(task.activity_id).runs)
