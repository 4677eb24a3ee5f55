from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns.errors import StartUnknown, StoreContention, UpstreamUnavailable
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.provider_ports import AopAccepted
from agentruns.refusals import (
    AopNotFound,
    AopRejected,
    CredentialsRejected,
    ScopeMissing,
    TokenRejected,
)
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.world import TENANT, World
from tests.unit.core.invariants import check_invariants
from tests.unit.core.test_accept_activity import Wrapped

ACCEPTED = AopAccepted(aop_item_id="item-9", request_id="request-9", provider_run_id=None)


def during_execute(world: World, action) -> None:
    """Something happens elsewhere while the provider is asked to start."""
    answer = world.leena.execute

    def execute(*args, **kwargs):
        action()
        return answer(*args, **kwargs)

    world.leena.execute = execute


def test_an_accepted_start_runs_with_the_providers_ids_also_without_a_run_id(world):
    task = world.opened()
    world.leena.on_execute(ACCEPTED)
    step = world.execute_aop(task)
    run = world.run(task)
    assert ("check", RunStatus.RUNNING) == (step.next_step, run.status)
    assert ("item-9", "request-9", None) == (
        run.remote_id,
        run.provider_request_id,
        run.provider_run_id,
    )
    assert "RunStarted" == world.event_types(task.activity_id)[-1]


def test_a_second_invocation_after_success_sends_nothing(world):
    task = world.started()
    assert "check" == world.execute_aop(task).next_step
    assert 1 == len(world.leena.executes)


@pytest.mark.parametrize(
    "refusal",
    [AopRejected("a", "bad"), AopNotFound("a", "gone"), ScopeMissing("hr", "scope")],
    ids=lambda refusal: refusal.code,
)
def test_a_refusal_ends_the_run_with_its_code_and_is_not_retried(refusal):
    world = World(retry=RetryPolicy(max_attempts=3))
    task = world.opened()
    world.leena.on_execute(refusal)
    with pytest.raises(type(refusal)):
        world.execute_aop(task)
    step = world.settle_run(task, error=type(refusal).__name__, cause=str(refusal))
    run = world.run(task)
    assert ("end_failed", refusal.code) == (step.next_step, step.to_json()["error"])
    assert (RunStatus.FAILED, ["start"]) == (run.status, [e.source for e in run.evidence])
    assert str(refusal) == run.error.message
    check_invariants(world, task.activity_id)


def test_what_was_provably_not_taken_is_pending_again_until_retry_after(world):
    task = world.opened()
    world.leena.on_execute(UpstreamUnavailable("429", retry_after_seconds=42))
    step = world.execute_aop(task)
    run = world.run(task)
    assert ("start", 42, RunStatus.PENDING) == (step.next_step, step.wait_seconds, run.status)
    assert "upstream_unavailable" == run.last_problem.code
    world.clock.advance(42)
    assert "check" == world.execute_aop(task).next_step
    assert (None, 0) == (world.run(task).last_problem, world.run(task).failed_checks)


def test_a_start_without_a_trustworthy_answer_is_unknown_and_never_sent_again(world):
    task = world.opened()
    world.leena.on_execute(StartUnknown("reset"))
    assert "settle" == world.execute_aop(task).next_step
    assert RunStatus.START_UNKNOWN is world.run(task).status
    world.execute_aop(task)
    assert 1 == len(world.leena.executes)


def test_row_2_a_worker_that_finds_the_run_dispatching_does_not_send_it_again(world):
    task = world.opened()
    during_execute(world, lambda: world.execute_aop(task))
    world.leena.on_execute(ACCEPTED)
    step = world.execute_aop(task)
    assert 1 == len(world.leena.executes)
    assert ("check", RunStatus.RUNNING) == (step.next_step, world.run(task).status)
    assert "RunStartUnknown" in world.event_types(task.activity_id)
    check_invariants(world, task.activity_id)


def test_a_dispatching_run_is_unknown_before_any_other_thing_can_fail(world):
    task = world.opened()
    world.leena.on_execute("no answer of the port")  # the worker fails after it was sent
    with pytest.raises(AttributeError):
        world.execute_aop(task)
    assert RunStatus.DISPATCHING is world.run(task).status
    world.connections.delete(TENANT, "hr")
    world.tokens.fail_next(CredentialsRejected("hr", 401, "changed"))
    assert "start" == world.mint_token(task).next_step
    assert "settle" == world.execute_aop(task).next_step
    assert RunStatus.START_UNKNOWN is world.run(task).status


def test_one_401_is_answered_with_a_fresh_token(world):
    task = world.opened()
    world.leena.on_execute(TokenRejected("hr"))
    assert "check" == world.execute_aop(task).next_step
    assert ["hr-token-1", "hr-token-2"] == [c.token.reveal() for c in world.leena.executes]
    assert ["version-1"] == world.tokens.rejected


def test_a_second_401_ends_the_run(world):
    task = world.opened()
    world.leena.on_execute(TokenRejected("hr"), TokenRejected("hr"))
    with pytest.raises(TokenRejected):
        world.execute_aop(task)
    assert "end_failed" == world.settle_run(task, error="TokenRejected").next_step
    assert 2 == len(world.leena.executes)


def test_a_mint_that_fails_after_a_401_leaves_the_run_pending(world):
    task = world.opened()
    world.leena.on_execute(TokenRejected("hr"))
    during_execute(
        world, lambda: world.tokens.fail_next(UpstreamUnavailable("token endpoint down"))
    )
    with pytest.raises(UpstreamUnavailable):
        world.execute_aop(task)
    assert RunStatus.PENDING is world.run(task).status


def test_a_run_cancelled_during_the_call_keeps_its_end_and_gains_the_ids(world):
    task = world.opened()
    during_execute(world, lambda: world.cancel_activity(TENANT, task.activity_id, ""))
    assert "end_cancelled" == world.execute_aop(task).next_step
    record = world.record(task.activity_id)
    assert (ActivityStatus.CANCELLED, RunStatus.ABORTED, "item-1") == (
        record.activity.status,
        record.current_run.status,
        record.current_run.remote_id,
    )
    assert record.current_run.due_at is None
    check_invariants(world, task.activity_id)


def test_an_answer_that_comes_after_the_next_run_was_opened_lands_on_its_own_run():
    world = World(
        on_start_unknown=OnStartUnknown.RETRY,
        retry=RetryPolicy(max_attempts=2, backoff_seconds=10),
    )
    task = world.opened()

    def give_up():
        world.execute_aop(task)
        world.settle_run(task)

    during_execute(world, give_up)
    step = world.execute_aop(task)
    first, second = world.record(task.activity_id).runs
    assert ("item-1", RunStatus.FAILED) == (first.remote_id, first.status)
    assert (None, RunStatus.PENDING) == (second.remote_id, second.status)
    assert ("start", 10) == (step.next_step, step.wait_seconds)
    check_invariants(world, task.activity_id)


def test_a_late_answer_takes_the_activity_out_of_blocked(world):
    task = world.opened()

    def give_up():
        world.execute_aop(task)
        world.settle_run(task)

    during_execute(world, give_up)
    world.execute_aop(task)
    assert ActivityStatus.IN_PROGRESS is world.record(task.activity_id).activity.status
    assert ["ActivityBlocked", "RunStarted", "ActivityResumed"] == world.event_types(
        task.activity_id
    )[-3:]
    check_invariants(world, task.activity_id)


def test_a_deadline_that_has_passed_ends_the_run_and_nothing_is_sent(world):
    task = world.opened()
    world.clock.advance(timedelta(days=1).total_seconds())
    assert "settle" == world.execute_aop(task).next_step
    run = world.run(task)
    assert (RunStatus.TIMEOUT, "deadline_passed") == (run.status, run.error.code)
    assert [] == world.leena.executes


def test_a_store_that_keeps_conflicting_stops_before_anything_is_sent():
    def wrap(name, port):
        if name != "activities":
            return port

        def apply(change):
            other = replace(change.activity, version=change.activity.version - 1)
            return port.apply(replace(change, activity=other))

        return Wrapped(port, apply=apply)

    world = World(wrap=wrap)
    task = world.task(world.accept().activity_id)
    with pytest.raises(StoreContention):
        world.execute_aop(task)
    assert [] == world.leena.executes


def test_an_earlier_refusal_does_not_make_an_unknown_start_due_every_minute(world):
    task = world.opened()
    world.leena.on_execute(UpstreamUnavailable("429"), StartUnknown("reset"))
    world.execute_aop(task)
    world.execute_aop(task)
    world.settle_run(task)
    world.executions.wait_on("callback-1")
    world.park_run(task, "callback-1")
    record = world.record(task.activity_id)
    assert record.activity.deadline_at == record.current_run.due_at
