"""Activities that wait for each other: subtasks, approvals that others wait for, reassignment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentruns.errors import InvalidRequest
from agentruns.model import Priority
from agentruns.resolving import FOUND_FIELDS, CheckFound, Found
from agentruns.statuses import RunStatus
from agentruns.wait_errors import RunEnded
from agentruns.wake import briefing
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER
from tests.unit.core.asking import EDITOR, WRITE, Desk, world_with_an_editor
from tests.unit.core.invariants import check_invariants

DAY = 86_400


@pytest.fixture
def desk():
    desk = Desk(world_with_an_editor())
    yield desk
    for _, activity_id in list(desk.world.store._entries):
        check_invariants(desk.world, activity_id)


def status_of(desk: Desk, activity_id: str) -> str:
    return str(desk.world.record(activity_id).activity.status.value)


class TestSubtask:
    def test_its_output_wakes_the_parent(self, desk):
        wait = desk.subtask(EDITOR, priority=Priority.HIGH)
        child_id = str(wait.subtask_activity_id)
        assert "awaiting_subtask" == desk.status
        child = desk.world.record(child_id).activity
        assert (desk.activity_id, EDITOR, Priority.HIGH) == (
            child.parent_activity_id,
            child.agent_role,
            child.priority,
        )
        desk.result("so far")
        desk.settle()
        desk.result("found out", activity_id=child_id)
        desk.settle()
        desk.stream(child_id)
        assert ("in_progress", "subtask_completed") == (
            desk.status,
            desk.record.current_run.wake_reason.value,
        )
        assert ("found out", "so far") == (
            briefing(desk.record).subtask_output,
            briefing(desk.record).prior_output,
        )

    def test_the_stream_may_tell_it_again(self, desk):
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        desk.result("x", activity_id=child_id)
        desk.settle()
        desk.stream(child_id, child_id, desk.activity_id)
        assert 1 == desk.events.count("SubtaskEnded")

    def test_one_that_failed_says_why(self, desk):
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        desk.result("so far")
        desk.result(error="no luck", activity_id=child_id)
        desk.settle()
        desk.stream(child_id)
        assert "no luck" in str(briefing(desk.record).subtask_output)

    def test_the_sweeper_makes_up_for_a_lost_stream(self, desk):
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        desk.result("so far")
        desk.result("found out", activity_id=child_id)
        desk.settle(2 * 3600)
        assert 2 == len(desk.record.runs)

    def test_an_output_that_is_too_large_for_its_row_is_told_in_part(self, desk):
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        desk.result("so far")
        desk.result("x" * 400_000, activity_id=child_id)
        desk.settle()
        desk.stream(child_id)
        assert "x" * 64_000 == briefing(desk.record).subtask_output

    def test_the_same_request_gives_the_same_child(self, desk):
        first, second = desk.subtask(EDITOR), desk.subtask(EDITOR)
        assert first.subtask_activity_id == second.subtask_activity_id
        assert 1 == desk.events.count("SubtaskCreated")

    def test_one_that_does_not_block_leaves_the_parent_alone(self, desk):
        child_id = str(desk.subtask(EDITOR, is_blocking=False).subtask_activity_id)
        assert "in_progress" == desk.status
        desk.result()
        desk.settle()
        assert "done" == desk.status
        desk.result("late", activity_id=child_id)
        desk.settle()
        desk.stream(child_id)
        assert ("done", 1) == (desk.status, len(desk.record.runs))

    def test_a_subtask_has_none_of_its_own(self, desk):
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        desk.activity_id = child_id
        with pytest.raises(InvalidRequest):
            desk.subtask(WRITER)

    @pytest.mark.parametrize("role", ["nobody", "sleeping"])
    def test_an_agent_that_is_not_there_or_disabled_is_refused(self, desk, role):
        desk.world.put_agent(role="sleeping", adapter=WRITER_ADAPTER, enabled=False)
        with pytest.raises(InvalidRequest) as caught:
            desk.subtask(role)
        assert "agentRole" == caught.value.problems[0][0]
        assert "in_progress" == desk.status

    def test_a_crash_before_the_child_is_started_is_the_sweepers(self, desk):
        desk.world.executions.fail_next_start(OSError("gone"))
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        assert "queued" == status_of(desk, child_id)
        desk.settle(300)
        assert "in_progress" == status_of(desk, child_id)


class TestLinkedApproval:
    def other(self, desk: Desk) -> str:
        """An activity that is stored; its execution has not begun."""
        return str(desk.world.accept(WRITE).activity_id)

    def test_a_pending_run_does_not_start_until_it_is_approved(self, desk):
        linked = self.other(desk)
        asked = desk.approval(linked)
        sent = len(desk.world.agent.sent)
        desk.settle()
        assert ("awaiting_approval", sent) == (
            status_of(desk, linked),
            len(desk.world.agent.sent),
        )
        assert [("approval", desk.activity_id)] == desk.inbox()
        desk.decide(asked, "approved")
        desk.stream(desk.activity_id)
        assert ("in_progress", sent + 1) == (
            status_of(desk, linked),
            len(desk.world.agent.sent),
        )

    def test_an_ended_run_does_not_settle_until_it_is_approved(self, desk):
        linked = self.other(desk)
        desk.settle()
        asked = desk.approval(linked)
        desk.result("published", activity_id=linked)
        desk.settle(3600)
        record = desk.world.record(linked)
        assert (RunStatus.COMPLETED, "awaiting_approval") == (
            record.current_run.status,
            record.activity.status.value,
        )
        desk.decide(asked, "approved")
        desk.stream(desk.activity_id)
        assert "done" == status_of(desk, linked)

    @pytest.mark.parametrize("has_begun", [True, False])
    def test_where_it_is_rejected_it_fails_and_nothing_is_written(self, desk, has_begun):
        linked = self.other(desk)
        if has_begun:
            desk.settle()
        asked = desk.approval(linked)
        if has_begun:
            desk.result("published", activity_id=linked)
        desk.settle()
        desk.decide(asked, "rejected", "not now")
        desk.stream(desk.activity_id)
        activity = desk.world.record(linked).activity
        assert ("failed", "approval_rejected") == (activity.status.value, activity.error.code)
        assert "not now" in activity.error.message

    def test_it_waits_also_where_nobody_was_told(self, desk, monkeypatch):
        linked = self.other(desk)
        monkeypatch.setattr(desk.world.link_activities.__class__, "tell_linked", lambda *_: None)
        asked = desk.approval(linked)
        monkeypatch.undo()
        desk.stream(desk.activity_id)
        assert "awaiting_approval" == status_of(desk, linked)
        desk.decide(asked, "approved")
        desk.settle(2 * 3600)  # no stream: the sweeper looks
        assert "in_progress" == status_of(desk, linked)

    def test_the_end_of_who_asked_lets_nobody_through(self, desk):
        linked = self.other(desk)
        desk.approval(linked)
        desk.settle()
        desk.world.cancel_activity(TENANT, desk.activity_id, "")
        desk.stream(desk.activity_id)
        assert "failed" == status_of(desk, linked)

    def test_who_ends_well_may_leave_one_that_does_not_hold_it(self, desk):
        linked = self.other(desk)
        asked = desk.approval(linked, is_blocking=False)
        desk.result()
        desk.settle()
        assert ("done", "awaiting_approval") == (desk.status, status_of(desk, linked))
        desk.decide(asked, "approved")
        desk.stream(desk.activity_id)
        assert "in_progress" == status_of(desk, linked)

    @pytest.mark.parametrize("linked", ["", "act_x", "act_01ARZ3NDEKTSV4RRFFQ69G5FAV"])
    def test_one_that_is_not_there_is_refused(self, desk, linked):
        with pytest.raises(InvalidRequest) as caught:
            desk.approval(linked)
        assert "linkedActivityIds.0" == caught.value.problems[0][0]
        assert "in_progress" == desk.status

    def test_it_cannot_link_itself(self, desk):
        with pytest.raises(InvalidRequest):
            desk.approval(desk.activity_id)


class TestReassign:
    def test_another_agent_takes_over(self, desk):
        reassigned = desk.reassign(to_role="lead_editor")
        desk.settle()
        old = desk.record
        new = desk.world.record(reassigned.new_activity_id)
        assert ("reassigned", RunStatus.ABORTED) == (desk.status, old.current_run.status)
        assert (reassigned.new_activity_id, desk.activity_id) == (
            old.activity.reassigned_as,
            new.activity.reassigned_from,
        )
        assert "in_progress" == new.activity.status.value
        told = desk.world.store.read_input(TENANT, reassigned.new_activity_id)
        assert ("write", "not mine") == (told.message, told.context["agentruns_reassign_reason"])
        with pytest.raises(RunEnded):
            desk.reassign(to_role=EDITOR)

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"to_role": EDITOR, "to_user_id": "ada"},
            {"to_role": WRITER},
            {"to_role": "nobody"},
        ],
    )
    def test_it_is_to_one_and_to_somebody_else(self, desk, fields):
        with pytest.raises(InvalidRequest):
            desk.reassign(**fields)
        assert "in_progress" == desk.status

    def test_a_person_does_the_work_and_the_note_is_its_output(self, desk):
        reassigned = desk.reassign(to_user_id="ada")
        desk.settle()
        new_id = reassigned.new_activity_id
        assert [("human_task", new_id)] == desk.inbox()
        assert "blocked" == status_of(desk, new_id)
        (task,) = desk.world.record(new_id).waits
        assert "ada" == task.user_id
        desk.resolve(task, "written by hand")
        desk.settle()
        record: Any = desk.world.record(new_id)
        assert ("done", {"text": "written by hand"}) == (
            record.activity.status.value,
            record.current_run.output,
        )

    @pytest.mark.parametrize("note", ["", " \n"])
    def test_work_is_not_done_without_its_output(self, desk, note):
        new_id = desk.reassign(to_user_id="ada").new_activity_id
        (task,) = desk.world.record(new_id).waits
        with pytest.raises(InvalidRequest) as refused:
            desk.resolve(task, note)
        assert ["note"] == [field for field, _ in refused.value.problems]
        assert desk.world.record(new_id).waits[0].is_open

    def test_a_task_without_a_title_is_known_by_its_reason(self):
        desk = Desk(request=replace(WRITE, title=""))
        desk.reassign(to_user_id="ada")
        (item,) = desk.world.list_inbox(TENANT, 10, None).items
        assert "not mine" == item.title

    @pytest.mark.parametrize("adapter_type", list(FOUND_FIELDS))
    def test_nothing_found_at_a_provider_is_an_agents_or_a_persons_run(self, desk, adapter_type):
        world, run_id = desk.world, desk.run_id
        check_found = CheckFound(activities=world.store, find_workflow_run=lambda *_: None)
        task_id = world.record(desk.reassign(to_user_id="ada").new_activity_id).current_run.run_id
        found = Found(adapter_type=adapter_type, remote_id="0")
        for own, own_type in ((run_id, "webhook"), (task_id, "human")):
            with pytest.raises(InvalidRequest) as refused:
                check_found(TENANT, own, found)
            assert [FOUND_FIELDS[adapter_type]] == [field for field, _ in refused.value.problems]
            assert f"is of type {own_type}, whose runs have no id" in str(refused.value)

    def test_a_task_that_nobody_does_fails(self, desk):
        new_id = desk.reassign(to_user_id="ada").new_activity_id
        desk.settle(31 * DAY)
        assert "failed" == status_of(desk, new_id)

    def test_the_parent_waits_for_who_has_the_subtask_now(self, desk):
        child_id = str(desk.subtask(EDITOR).subtask_activity_id)
        desk.result("so far")
        desk.settle()
        parent_id, desk.activity_id = desk.activity_id, child_id
        new_id = desk.reassign(to_role=WRITER).new_activity_id
        desk.activity_id = parent_id
        desk.settle()
        desk.stream(child_id)
        assert "awaiting_subtask" == desk.status
        desk.result("by another", activity_id=new_id)
        desk.settle()
        desk.stream(new_id)
        assert "by another" == briefing(desk.record).subtask_output

    def test_what_held_it_holds_who_takes_over(self, desk):
        other = Desk.__new__(Desk)
        other.world, other.driver = desk.world, desk.driver
        other.activity_id = str(desk.world.accept(WRITE).activity_id)
        desk.settle()
        asked = desk.approval(other.activity_id)
        new_id = other.reassign(to_role=EDITOR).new_activity_id
        desk.settle()
        assert "awaiting_approval" == status_of(desk, new_id)
        desk.decide(asked, "approved")
        desk.stream(desk.activity_id)
        assert "in_progress" == status_of(desk, new_id)
