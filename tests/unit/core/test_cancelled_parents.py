"""What becomes of subtasks whose parent ends: what nobody waits for any more is not worked on."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.model import Change
from agentruns.statuses import RunStatus
from agentruns.wait import LONGEST_WAIT
from tests.fakes.world import ROLE, TENANT, WRITER_ADAPTER
from tests.unit.core.asking import EDITOR, Desk, world_with_an_editor
from tests.unit.core.invariants import check_invariants

MINUTE = 60


@pytest.fixture
def desk():
    desk = Desk(world_with_an_editor())
    yield desk
    for _, activity_id in list(desk.world.store._entries):
        check_invariants(desk.world, activity_id)


def subtask(desk: Desk, role: str = EDITOR, *, is_blocking: bool = True) -> str:
    return str(desk.subtask(role, is_blocking=is_blocking).subtask_activity_id)


def cancel(desk: Desk) -> Any:
    return desk.world.cancel_activity(TENANT, desk.activity_id, "a wrong brief")


def status_of(desk: Desk, activity_id: str) -> str:
    return str(desk.world.record(activity_id).activity.status.value)


def statuses(cancelled: Any) -> dict[str, str]:
    return {
        each.record.activity.activity_id: each.record.activity.status.value
        for each in cancelled.subtasks
    }


def test_cancelling_a_parent_cancels_its_subtasks_whether_they_block_or_not(desk):
    children = [subtask(desk), subtask(desk, is_blocking=False)]

    cancelled = cancel(desk)

    assert statuses(cancelled) == dict.fromkeys(children, "cancelled")
    assert desk.status == "cancelled"
    for child_id in children:
        record = desk.world.record(child_id)
        assert record.current_run.status is RunStatus.ABORTED
        assert record.activity.error.message == (
            f"subtask of {desk.activity_id}, which is cancelled: a wrong brief"
        )
        assert record.activity.execution_arn in dict(desk.world.executions.stopped)
    told = desk.world.events(desk.activity_id)[-1].detail
    assert told["subtask_activity_ids"] == children
    desk.settle(600)
    desk.stream(desk.activity_id, *children)
    assert desk.status == "cancelled"
    assert desk.world.store.list_due_runs(desk.world.clock() + LONGEST_WAIT, 100) == ()


def test_it_says_of_each_whether_its_provider_could_be_stopped(desk):
    at_an_agent, at_leena = subtask(desk), subtask(desk, ROLE)
    waiting = subtask(desk, is_blocking=False)
    desk.result("all found", activity_id=waiting)  # and its execution has not settled it yet

    answers = {each.record.activity.activity_id: each for each in cancel(desk).subtasks}

    assert not answers[at_leena].provider_stopped
    assert "cancel_unsupported: Leena AI has no call" in answers[at_leena].detail
    assert not answers[at_an_agent].provider_stopped
    assert "cancel_unsupported: an agent is not told" in answers[at_an_agent].detail
    assert (answers[waiting].provider_stopped, answers[waiting].detail) == (
        True,
        "its run had ended",
    )


def test_cancelling_again_answers_the_same_and_changes_nothing(desk):
    child_id = subtask(desk)
    first = cancel(desk)
    stored = desk.world.record(child_id), desk.record

    again = cancel(desk)

    assert statuses(again) == statuses(first)
    assert [each.detail for each in again.subtasks] == [each.detail for each in first.subtasks]
    assert (desk.world.record(child_id), desk.record) == stored


def test_one_that_has_ended_by_then_stays_as_it_is(desk):
    child_id = subtask(desk)
    desk.result("found out", activity_id=child_id)
    desk.settle()

    assert cancel(desk).subtasks == ()
    assert status_of(desk, child_id) == "done"


def test_one_that_was_given_on_is_cancelled_where_it_is_now(desk):
    child_id = subtask(desk)
    parent_id, desk.activity_id = desk.activity_id, child_id
    given_on = desk.reassign(to_user_id="ada").new_activity_id
    desk.settle()
    desk.activity_id = parent_id

    cancelled = cancel(desk)

    assert statuses(cancelled) == {given_on: "cancelled"}
    assert cancelled.subtasks[0].provider_stopped
    assert desk.inbox() == []


@pytest.mark.parametrize("calls", [0, 1])
def test_the_sweeper_finishes_what_a_dead_function_left(desk, monkeypatch, calls):
    """It dies before the child's row is written, or before the parent's says that it was."""
    child_id = subtask(desk)
    apply, done = desk.world.store.apply, list[Change]()

    def dying(change: Change) -> Any:
        if change.activity.status.value == "cancelled":
            if len(done) > calls:
                raise OSError("killed")
            done.append(change)
        return apply(change)

    monkeypatch.setattr(desk.world.store, "apply", dying)
    with pytest.raises(OSError, match="killed"):
        cancel(desk)
    monkeypatch.undo()
    assert desk.status == "cancelled"

    desk.settle(2 * MINUTE)

    assert status_of(desk, child_id) == "cancelled"
    assert desk.world.store.list_due_runs(desk.world.clock() + LONGEST_WAIT, 100) == ()


def failed_parent(desk: Desk) -> tuple[str, str]:
    """Whose approval nobody decides, while two subtasks go on."""
    waited_for, beside = subtask(desk), subtask(desk, is_blocking=False)
    desk.approval()
    desk.result("so far")
    desk.settle(25 * 3600)
    assert desk.status == "failed"
    return waited_for, beside


def test_a_parent_that_fails_takes_along_what_it_waited_for_and_nothing_else(desk):
    desk.world.put_agent(role=EDITOR, adapter=WRITER_ADAPTER, timeout_seconds=5 * 86_400)
    waited_for, beside = failed_parent(desk)
    desk.settle(2 * MINUTE)

    assert status_of(desk, waited_for) == "cancelled"
    assert "which is failed" in desk.world.record(waited_for).activity.error.message
    (evidence,) = desk.world.record(waited_for).current_run.evidence
    assert evidence.source.value == "workflow"
    assert status_of(desk, beside) == "in_progress"


def test_a_parent_that_is_given_on_takes_along_what_it_waited_for(desk):
    waited_for, beside = subtask(desk), subtask(desk, is_blocking=False)
    desk.reassign(to_user_id="ada")
    desk.settle(2 * MINUTE)
    assert status_of(desk, waited_for) == "cancelled"
    assert status_of(desk, beside) == "in_progress"


def test_a_parent_that_is_done_leaves_what_does_not_block(desk):
    beside = subtask(desk, is_blocking=False)
    desk.result()
    desk.settle(2 * MINUTE)
    assert (desk.status, status_of(desk, beside)) == ("done", "in_progress")
