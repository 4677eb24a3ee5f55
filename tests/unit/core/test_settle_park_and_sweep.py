from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agentruns.errors import StartUnknown, StoreConflict
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.refusals import AopItemNotFound
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.world import World
from tests.unit.core.invariants import check_invariants
from tests.unit.core.test_accept_activity import Wrapped


def cause_of(message: str) -> str:
    return json.dumps({"errorMessage": message, "errorType": "X", "stackTrace": ["  File ..."]})


def ended(world: World, word: str):
    task = world.started()
    world.leena.on_read_status(word)
    world.check_run(task)
    return task


def unknown(**agent):
    world = World(**agent)
    task = world.opened()
    world.leena.on_execute(StartUnknown("reset by peer"))
    world.execute_aop(task)
    return world, task


class TestSettle:
    @pytest.mark.parametrize(
        ("word", "status", "next_step", "code"),
        [
            ("completed", ActivityStatus.DONE, "end_done", ""),
            ("failed", ActivityStatus.FAILED, "end_failed", "upstream_failed"),
            ("aborted", ActivityStatus.FAILED, "end_failed", "upstream_aborted"),
        ],
    )
    def test_the_runs_end_is_the_activitys(self, world, word, status, next_step, code):
        task = ended(world, word)
        step = world.settle_run(task).to_json()
        record = world.record(task.activity_id)
        assert (next_step, code) == (step["next_step"], step["error"])
        assert (status, None) == (record.activity.status, record.current_run.due_at)
        check_invariants(world, task.activity_id)

    def test_settling_twice_changes_nothing(self, world):
        task = ended(world, "completed")
        world.settle_run(task)
        version = world.record(task.activity_id).activity.version
        assert "end_done" == world.settle_run(task).next_step
        assert version == world.record(task.activity_id).activity.version

    def test_an_ended_activity_is_counted_once(self, world, capsys):
        task = ended(world, "completed")
        world.settle_run(task)
        world.settle_run(task)
        assert 1 == capsys.readouterr().out.count('"ActivitiesEnded","Unit"')

    def test_a_failed_run_is_followed_by_the_next_after_the_backoff(self):
        world = World(retry=RetryPolicy(max_attempts=2, backoff_seconds=40))
        task = ended(world, "failed")
        step = world.settle_run(task)
        first, second = world.record(task.activity_id).runs
        assert ("retry", 40, second.run_id) == (step.next_step, step.wait_seconds, step.run_id)
        assert (RunStatus.FAILED, RunStatus.PENDING) == (first.status, second.status)
        (retried,) = (
            event for event in world.events(task.activity_id) if event.type == "RunRetried"
        )
        assert (first.run_id, second.run_id) == (retried.run_id, retried.detail["next_run_id"])
        assert ("start", 40) == (
            world.settle_run(task).next_step,
            world.settle_run(task).wait_seconds,
        )
        check_invariants(world, task.activity_id)

    @pytest.mark.parametrize(
        ("word", "agent"),
        [
            ("failed", {"retry": RetryPolicy(max_attempts=2, backoff_seconds=9999)}),
            ("aborted", {"retry": RetryPolicy(max_attempts=2)}),
        ],
    )
    def test_no_retry_after_the_deadline_or_an_abort(self, word, agent):
        world = World(timeout_seconds=3600, **agent)
        assert "end_failed" == world.settle_run(ended(world, word)).next_step

    def test_an_unknown_start_is_held_for_a_person(self):
        world, task = unknown()
        step = world.settle_run(task)
        assert ("park", 900) == (step.next_step, step.park_seconds)
        assert ActivityStatus.BLOCKED is world.record(task.activity_id).activity.status
        assert "park" == world.settle_run(task).next_step
        assert 1 == world.event_types(task.activity_id).count("ActivityBlocked")

    def test_an_unknown_start_fails_where_the_policy_says_so(self):
        world, task = unknown(on_start_unknown=OnStartUnknown.FAIL)
        step = world.settle_run(task)
        assert ("end_failed", "start_unknown") == (step.next_step, step.problem.code)
        check_invariants(world, task.activity_id)

    def test_an_unknown_start_is_sent_anew_where_the_policy_says_so(self):
        retry = RetryPolicy(max_attempts=2, backoff_seconds=3)
        world, task = unknown(on_start_unknown=OnStartUnknown.RETRY, retry=retry)
        assert ("retry", 3) == (
            (step := world.settle_run(task)).next_step,
            step.wait_seconds,
        )
        check_invariants(world, task.activity_id)


class TestWorkerErrors:
    def test_a_permanent_one_ends_the_run_with_the_message_in_the_cause(self, world):
        task = world.opened()
        step = world.settle_run(task, error="CredentialsRejected", cause=cause_of("wrong password"))
        assert ("end_failed", "credentials_rejected", "wrong password") == (
            step.next_step,
            step.problem.code,
            step.problem.message,
        )
        assert ["workflow"] == [evidence.source for evidence in world.run(task).evidence]

    @pytest.mark.parametrize(
        ("cause", "message"),
        [
            (cause_of('say "no"'), 'say "no"'),
            (cause_of('say "no"')[:-8], 'say "no"'),
            ('{"errorMessage": "cut off in the mid', '{"errorMessage": "cut off in the mid'),
            ("plain words", "plain words"),
            ('{"errorType": "X"}', "Sandbox.Timedout"),
            ("[1]", "[1]"),
            ("", "Sandbox.Timedout"),
            (cause_of("x" * 900), "x" * 500),
        ],
    )
    def test_the_cause_gives_the_message(self, world, cause, message):
        task = world.opened()
        world.settle_run(task, error="Sandbox.Timedout", cause=cause)
        assert message == world.run(task).last_problem.message

    def test_an_unknown_name_leaves_the_run_open_and_tries_more_slowly(self, world):
        task = world.opened()
        waits = []
        for _ in range(4):
            step = world.settle_run(task, error="Sandbox.Timedout", cause="")
            waits.append(step.wait_seconds)
            world.clock.advance(step.wait_seconds + 30)
        assert "start" == step.next_step
        assert sorted(set(waits)) == waits
        assert 4 == world.run(task).failed_checks

    def test_at_the_deadline_it_ends_the_run(self, world):
        task = world.opened()
        world.clock.advance(86_400)
        step = world.settle_run(task, error="MintInProgress", cause=cause_of("lease held"))
        assert ("end_failed", "deadline_passed") == (step.next_step, step.problem.code)
        assert "lease held" in step.problem.message

    @pytest.mark.parametrize("error", ["Sandbox.Timedout", "StoreContention", "InvalidTransition"])
    def test_while_dispatching_only_a_refusal_says_that_nothing_was_started(self, world, error):
        task = world.opened()
        world.leena.on_execute("no answer of the port")
        with pytest.raises(AttributeError):
            world.execute_aop(task)
        assert "park" == world.settle_run(task, error=error, cause="").next_step
        assert RunStatus.START_UNKNOWN is world.run(task).status

    def test_a_repetition_after_the_next_run_was_opened_blames_nobody(self):
        world = World(retry=RetryPolicy(max_attempts=2))
        task = ended(world, "failed")
        world.settle_run(task)
        world.settle_run(task, error="CredentialsRejected", cause="late")
        assert (RunStatus.PENDING, None) == (
            world.run(task).status,
            world.run(task).last_problem,
        )

    def test_why_a_start_is_unknown_is_not_overwritten(self):
        world, task = unknown()
        world.settle_run(task)
        assert "park" == world.settle_run(task, error="Sandbox.Timedout", cause="x").next_step
        assert "reset by peer" == world.run(task).last_problem.message


class TestPark:
    def test_the_callback_token_is_stored_and_the_sweeper_knows_when(self, world):
        task = world.parked("callback-1")
        run = world.run(task)
        assert ("callback-1", run.next_check_at) == (run.callback_token, run.due_at)
        assert [] == world.executions.woken

    def test_a_repetition_stores_the_later_token(self, world):
        task = world.parked("callback-1")
        world.park_run(task, "callback-2")
        assert "callback-2" == world.run(task).callback_token

    def test_a_run_that_moved_on_wakes_the_execution_at_once(self, world):
        task = ended(world, "completed")
        world.executions.wait_on("callback-1")
        world.park_run(task, "callback-1")
        ((token, output),) = world.executions.woken
        assert ("callback-1", "settle") == (token, output["next_step"])
        assert world.run(task).callback_token is None

    def test_an_end_between_the_reading_and_the_writing_wakes_it_too(self):
        conflicts: list[Any] = []

        def wrap(name, port):
            if name != "activities":
                return port

            def save_run(run):
                if run.callback_token and not conflicts:
                    conflicts.append(run)
                    world.leena.on_read_status("completed")
                    world.check_run(task)
                    raise StoreConflict("moved on")
                return port.save_run(run)

            return Wrapped(port, save_run=save_run)

        world = World(wrap=wrap)
        task = world.started()
        world.leena.on_read_status("paused")
        world.check_run(task)
        world.executions.wait_on("callback-1")
        world.park_run(task, "callback-1")
        assert ["settle"] == [output["next_step"] for _, output in world.executions.woken]


class TestSweep:
    def sweep_when_due(self, world, task):
        world.clock.set(world.run(task).due_at)
        return world.sweep(lambda: True)

    def test_a_parked_run_that_goes_on_stays_parked_and_nothing_is_written(self, world):
        task = world.parked()
        before = world.run(task)
        assert 1 == self.sweep_when_due(world, task).still_parked
        assert before == world.run(task)
        assert 0 == world.sweep(lambda: True).due
        shown = world.count_looks.with_next(world.record(task.activity_id)).current_run
        assert (before.polls + 1, world.clock()) == (shown.polls, shown.last_checked_at)
        assert shown.next_check_at > world.clock()
        world.clock.set(shown.next_check_at)
        assert 1 == world.sweep(lambda: True).still_parked

    @pytest.mark.parametrize(
        ("word", "next_step"), [("completed", "settle"), ("in_progress", "check")]
    )
    def test_a_run_that_ends_or_goes_on_wakes_its_execution(self, world, word, next_step):
        task = world.parked()
        world.leena.on_read_status(word)
        assert 1 == self.sweep_when_due(world, task).woken
        ((token, output),) = world.executions.woken
        assert ("callback-1", next_step) == (token, output["next_step"])
        assert world.run(task).callback_token is None

    def test_a_refusal_during_a_sweep_ends_the_activity(self, world):
        task = world.parked()
        self.sweep_when_due(world, task)  # past the first minute, in which a 404 is sat out
        world.leena.on_read_status(AopItemNotFound("item-1", 404, "gone"))
        world.clock.advance(120)
        assert 1 == world.sweep(lambda: True).woken
        assert "aop_item_not_found" == world.record(task.activity_id).activity.error.code
        assert "end_failed" == world.executions.woken[0][1]["next_step"]

    def test_a_dead_token_of_a_dead_execution_starts_the_next_generation(self, world):
        task = world.parked()
        world.executions.expire("callback-1")
        world.executions.end(task.execution_arn, "FAILED")
        world.leena.on_read_status("completed")
        assert 1 == self.sweep_when_due(world, task).resumed
        assert f"{task.activity_id}-2" == world.executions.started[-1].name
        assert 2 == world.record(task.activity_id).activity.generation
        check_invariants(world, task.activity_id)

    def test_a_dead_token_of_a_live_execution_is_left_alone(self, world):
        task = world.parked()
        world.executions.expire("callback-1")
        world.leena.on_read_status("completed")
        assert 1 == self.sweep_when_due(world, task).left_alone
        assert 1 == len(world.executions.started)

    def test_a_late_but_live_execution_is_left_alone(self, world):
        task = world.started()
        assert 1 == self.sweep_when_due(world, task).left_alone
        assert 300 == (world.run(task).due_at - world.clock()).total_seconds()

    def test_an_execution_that_step_functions_forgot_is_replaced(self, world):
        task = world.started()
        world.executions.forget(task.execution_arn)
        assert 1 == self.sweep_when_due(world, task).resumed
        assert 2 == len(world.executions.started)

    def test_an_execution_that_ended_before_it_took_its_activity_is_replaced(self, world):
        task = world.task(world.accept().activity_id)
        world.executions.end(task.execution_arn, "FAILED")
        assert 1 == self.sweep_when_due(world, task).resumed
        assert f"{task.activity_id}-2" == world.executions.started[-1].name

    def test_an_ended_activity_is_forgotten(self, world):
        task = ended(world, "completed")
        world.settle_run(task)
        world.store.save_run(_due(world.run(task), world.clock()))
        assert 1 == world.sweep(lambda: True).left_alone
        assert 0 == world.sweep(lambda: True).due

    def test_one_that_fails_does_not_keep_the_others(self, world):
        first, second = world.parked("callback-1"), world.parked("callback-2")
        world.leena.on_read_status(RuntimeError("a bug"), "completed")
        world.clock.set(max(world.run(first).due_at, world.run(second).due_at))
        swept = world.sweep(lambda: True)
        assert (2, 1, 1) == (swept.due, swept.failed, swept.woken)

    def test_what_there_is_no_time_for_is_the_next_ticks(self, world):
        task = world.parked()
        world.clock.set(world.run(task).due_at)
        assert (1, 0) == ((swept := world.sweep(lambda: False)).due, swept.still_parked)
        assert 1 == world.sweep(lambda: True).still_parked

    def test_two_at_once_wake_and_start_once(self, world):
        task = world.parked()
        world.clock.set(world.run(task).due_at)
        answer = world.leena.read_status
        looks: list[None] = []

        def read_status(*args):
            looks.append(None)
            if len(looks) == 1:
                world.sweep(lambda: True)
            return answer(*args)

        world.leena.read_status = read_status
        world.leena.on_read_status("completed")
        world.sweep(lambda: True)
        assert (1, 1) == (len(world.executions.woken), len(world.executions.started))
        check_invariants(world, task.activity_id)


def _due(run, now):

    return replace(run, due_at=now)
