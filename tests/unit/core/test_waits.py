"""What an activity waits for: asked, answered in any order, expired, and gone on from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentruns.errors import ActivityEnded, InvalidRequest
from agentruns.model import RetryPolicy
from agentruns.statuses import RunStatus
from agentruns.wait import LONGEST_WAIT, Answer, Decision, OnApprovalExpired
from agentruns.wait_errors import (
    AlreadyAnswered,
    AnswerTooLate,
    ApprovalNotFound,
    HumanTaskNotFound,
    OwnRequest,
    RunEnded,
)
from agentruns.waits import RESULT_GRACE
from agentruns.wake import briefing
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER, World
from tests.unit.core.asking import OPERATOR, Desk
from tests.unit.core.invariants import check_invariants

DAY = 86_400


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    check_invariants(desk.world, desk.activity_id)


def desk_with(**agent: Any) -> Desk:
    world = World()
    world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, **agent)
    return Desk(world)


def wake_reason(desk: Desk) -> str:
    return str(desk.record.current_run.wake_reason.value)


class TestReview:
    def test_a_rejection_comes_back_with_the_note_and_what_was_there(self, desk):
        asked = desk.review()
        assert "awaiting_review" == desk.status
        desk.result("a draft")
        desk.settle()
        assert ("awaiting_review", RunStatus.COMPLETED) == (
            desk.status,
            desk.record.current_run.status,
        )
        desk.decide(asked, "rejected", "too long")
        desk.settle()
        assert ("in_progress", "rejection") == (desk.status, wake_reason(desk))
        told = briefing(desk.record)
        assert ("a draft", "too long", "too long") == (
            told.prior_output,
            told.rejection_note,
            told.reviewer_feedback,
        )
        desk.result("shorter")
        desk.settle()
        assert "done" == desk.status
        assert {"SUCCEEDED"} == set(desk.driver.ended.values())

    @pytest.mark.parametrize(
        ("decision", "note", "expected"),
        [
            ("approved", "", "approval_decided"),
            ("approved", "well done", "review_feedback"),
            ("changes_requested", "shorter", "review_feedback"),
            ("rejected", "no", "rejection"),
        ],
    )
    def test_the_next_run_knows_why_it_was_opened(self, desk, decision, note, expected):
        asked = desk.review()
        desk.result()
        desk.settle()
        desk.decide(asked, decision, note)
        desk.settle()
        assert expected == wake_reason(desk)
        assert expected == desk.world.agent.sent[-1].document["wakeReason"]

    def test_an_answer_before_the_run_ended_is_kept_and_taken_then(self, desk):
        asked = desk.review()
        desk.decide(asked, "rejected", "no")
        desk.settle()
        assert (1, "in_progress") == (len(desk.record.runs), desk.status)
        desk.result()
        desk.settle()
        assert (2, "rejection") == (len(desk.record.runs), wake_reason(desk))

    def test_a_run_that_falls_silent_after_the_answer_is_not_waited_for_a_day(self, desk):
        desk.decide(desk.review(), "rejected", "no")
        desk.settle(RESULT_GRACE.total_seconds() + 120)
        first, second = desk.record.runs
        assert (RunStatus.TIMEOUT, "rejection") == (first.status, second.wake_reason.value)

    def test_the_same_request_of_a_run_is_one_review(self, desk):
        first, second = desk.review(), desk.review()
        assert first.wait == second.wait
        assert 1 == desk.events.count("ReviewRequested")

    def test_the_wait_does_not_use_up_the_time_of_the_work(self, desk):
        asked = desk.review()
        desk.result()
        desk.settle()
        assert asked.wait.expires_at == desk.record.activity.deadline_at
        desk.world.clock.advance(2 * DAY)
        desk.decide(asked, "rejected", "no")
        desk.settle()
        left = desk.record.activity.deadline_at - desk.world.clock()
        assert timedelta(seconds=DAY) == left

    def test_of_several_answers_the_one_that_asks_most_wakes(self, desk):
        approval, review = desk.approval(), desk.review()
        assert "awaiting_review" == desk.status
        desk.result()
        desk.settle()
        desk.decide(approval, "rejected", "not this week")
        desk.settle()
        assert (1, "awaiting_review") == (len(desk.record.runs), desk.status)
        desk.decide(review, "approved", "nice")
        desk.settle()
        assert "rejection" == wake_reason(desk)
        assert "not this week" == briefing(desk.record).rejection_note
        assert "not this week\n\nnice" == briefing(desk.record).reviewer_feedback


class TestAnswering:
    def test_the_same_decision_once_more_changes_nothing(self, desk):
        asked = desk.review()
        desk.decide(asked, "approved")
        before = len(desk.events)
        desk.decide(asked, "approved")
        assert before == len(desk.events)

    def test_another_decision_is_refused(self, desk):
        asked = desk.review()
        desk.decide(asked, "approved")
        with pytest.raises(AlreadyAnswered):
            desk.decide(asked, "rejected", "no")

    def test_who_asked_does_not_decide(self, desk):
        asked = desk.review()
        with pytest.raises(OwnRequest):
            desk.decide(asked, "approved", answered_by=f"agent:{WRITER}")

    @pytest.mark.parametrize("decision", ["rejected", "changes_requested"])
    def test_a_rejection_needs_a_note(self, desk, decision):
        asked = desk.review()
        with pytest.raises(InvalidRequest) as caught:
            desk.decide(asked, decision, "  ")
        assert "note" == caught.value.problems[0][0]

    def test_an_option_is_one_of_those_that_were_given(self, desk):
        asked = desk.approval(options=("red", "blue"))
        with pytest.raises(InvalidRequest):
            desk.decide(asked, "approved", option="green")
        desk.decide(asked, "approved", option="blue")
        desk.result()
        desk.settle()
        assert "Chosen option: blue" == briefing(desk.record).reviewer_feedback

    def test_after_its_expiry_it_is_too_late(self, desk):
        asked = desk.review()
        desk.world.clock.advance(3 * DAY)
        with pytest.raises(AnswerTooLate):
            desk.decide(asked, "approved")

    def test_an_activity_that_has_ended_waits_for_nothing(self, desk):
        asked = desk.review()
        desk.world.cancel_activity(TENANT, desk.activity_id, "")
        assert [] == desk.inbox()
        with pytest.raises(ActivityEnded):
            desk.decide(asked, "approved")

    @pytest.mark.parametrize("name", ["", "wait_x", "wait_01ARZ3NDEKTSV4RRFFQ69G5FAV_1"])
    def test_what_is_not_there_is_not_found(self, desk, name):
        answer = Answer(decision=Decision.APPROVED, answered_by=OPERATOR)
        with pytest.raises(ApprovalNotFound):
            desk.world.decide_approval(TENANT, name, answer)
        with pytest.raises(HumanTaskNotFound):
            desk.world.resolve_human_task(TENANT, name, "", OPERATOR)

    def test_another_tenants_is_not_found(self, desk):
        asked = desk.review()
        answer = Answer(decision=Decision.APPROVED, answered_by=OPERATOR)
        with pytest.raises(ApprovalNotFound):
            desk.world.decide_approval("other", asked.wait.wait_id, answer)

    def test_a_blocker_is_not_decided_and_a_review_not_resolved(self, desk):
        blocker, review = desk.blocker(), desk.review()
        with pytest.raises(ApprovalNotFound):
            desk.decide(blocker, "approved")
        with pytest.raises(HumanTaskNotFound):
            desk.resolve(review.wait)


class TestBlocker:
    def test_it_is_resolved_with_a_note(self, desk):
        asked = desk.blocker()
        assert "blocked" == desk.status
        assert [("blocker", desk.activity_id)] == desk.inbox()
        desk.result("as far as I came")
        desk.settle()
        desk.resolve(asked.wait, "the data is there now")
        desk.settle()
        assert "blocker_resolved" == wake_reason(desk)
        assert "the data is there now" == briefing(desk.record).reviewer_feedback

    def test_what_is_said_later_is_refused_and_not_passed_over(self, desk):
        asked = desk.blocker()
        desk.resolve(asked.wait, "the data is there now")
        for repeated in ("", "the data is there now"):
            desk.resolve(asked.wait, repeated)
        with pytest.raises(AlreadyAnswered, match=r"resolved by operator:k1; this one is not kept"):
            desk.resolve(asked.wait, "take the other data")

    def test_a_run_that_failed_for_it_is_not_a_failed_attempt(self, desk):
        asked = desk.blocker()
        desk.result(error="no data")
        desk.settle()
        assert "blocked" == desk.status
        desk.resolve(asked.wait)
        desk.settle()
        assert (2, "blocker_resolved") == (len(desk.record.runs), wake_reason(desk))
        desk.result()
        desk.settle()
        assert "done" == desk.status

    def test_a_late_answer_to_the_dispatch_does_not_unblock(self):
        world = World()

        def ask(sent: Any) -> None:
            from agentruns.secret import Secret

            caller = world.task_tokens.read(Secret(sent.task_token))
            world.agent_runs.enter(caller, sent.dispatch_id)
            from agentruns.actions import Blocker
            from agentruns.wait import BlockerType

            blocker = Blocker(blocker_type=BlockerType.API_UNAVAILABLE, description="d")
            world.report_blocker(TENANT, sent.dispatch_id, blocker)

        world.agent.before_answer = ask
        desk = Desk(world)
        assert "blocked" == desk.status
        check_invariants(world, desk.activity_id)


class TestRetries:
    def test_the_policy_counts_runs_that_failed_and_no_others(self):
        desk = desk_with(retry=RetryPolicy(max_attempts=2, backoff_seconds=0))
        for _ in range(3):
            asked = desk.review(title=desk.run_id)
            desk.result()
            desk.settle()
            desk.decide(asked, "rejected", "no")
            desk.settle()
        desk.result(error="x")
        desk.settle()
        assert (5, "retry") == (len(desk.record.runs), wake_reason(desk))
        assert "done" == briefing(desk.record).prior_output
        assert "no" == briefing(desk.record).reviewer_feedback  # told again
        desk.result(error="x")
        desk.settle()
        assert "failed" == desk.status
        check_invariants(desk.world, desk.activity_id)

    def test_a_retry_of_a_rejection_has_the_note_where_the_rejection_had_it(self):
        """An agent reads `rejectionNote`, whichever of the two runs reached it."""
        desk = desk_with(retry=RetryPolicy(max_attempts=2, backoff_seconds=0))
        asked = desk.review()
        desk.result()
        desk.settle()
        desk.decide(asked, "rejected", "too long")
        desk.settle()
        desk.result(error="x")
        desk.settle()
        assert "retry" == wake_reason(desk)
        assert "too long" == briefing(desk.record).rejection_note

    def test_a_run_that_failed_while_it_waited_is_retried_after_the_answer(self):
        desk = desk_with(retry=RetryPolicy(max_attempts=2, backoff_seconds=5))
        asked = desk.review()
        desk.result(error="x")
        desk.settle(60)
        assert 1 == len(desk.record.runs)
        desk.decide(asked, "rejected", "no")
        desk.settle(60)
        assert (2, "rejection") == (len(desk.record.runs), wake_reason(desk))
        check_invariants(desk.world, desk.activity_id)

    def test_where_the_policy_allows_no_other_run_it_fails_after_the_answer(self, desk):
        asked = desk.review()
        desk.result(error="x")
        desk.settle()
        desk.decide(asked, "approved")
        desk.settle()
        assert "failed" == desk.status


class TestExpiry:
    def wait_in_vain(self, policy: OnApprovalExpired) -> Desk:
        desk = desk_with(on_approval_expired=policy, timeout_seconds=3600)
        desk.approval()
        desk.result()
        desk.settle(2 * DAY)
        check_invariants(desk.world, desk.activity_id)
        return desk

    def test_by_itself_the_activity_fails_and_says_so(self):
        desk = self.wait_in_vain(OnApprovalExpired.FAIL)
        assert ("failed", "approval_expired") == (desk.status, desk.record.activity.error.code)
        assert "ApprovalExpired" in desk.events
        assert [] == desk.inbox()
        assert {"FAILED"} == set(desk.driver.ended.values())

    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            (OnApprovalExpired.APPROVE, "approval_decided"),
            (OnApprovalExpired.REJECT, "rejection"),
        ],
    )
    def test_it_is_decided_as_the_agent_is_set(self, policy, expected):
        desk = self.wait_in_vain(policy)
        assert expected == desk.record.runs[1].wake_reason.value
        assert "expiry" == desk.record.waits[0].decided_by

    def test_escalated_it_stays_open_once_more(self):
        desk = self.wait_in_vain(OnApprovalExpired.ESCALATE)
        assert "awaiting_approval" == desk.status
        assert 1 == desk.events.count("ApprovalExpired")
        (wait,) = desk.record.waits
        desk.world.decide_approval(
            TENANT, wait.wait_id, Answer(decision=Decision.APPROVED, answered_by=OPERATOR)
        )
        desk.settle()
        assert "approval_decided" == wake_reason(desk)

    def test_escalated_and_forgotten_it_fails(self):
        desk = self.wait_in_vain(OnApprovalExpired.ESCALATE)
        desk.settle((LONGEST_WAIT + timedelta(days=1)).total_seconds())
        assert "failed" == desk.status

    def test_a_blocker_that_nobody_sees_to_ends_too(self, desk):
        desk.blocker()
        desk.result()
        desk.settle((LONGEST_WAIT + timedelta(days=1)).total_seconds())
        assert "human_task_expired" == desk.record.activity.error.code

    def test_it_expires_while_the_run_goes_on_too(self):
        desk = desk_with(timeout_seconds=7 * DAY)
        desk.approval()
        desk.settle(2 * DAY)
        assert "failed" == desk.status
        assert RunStatus.FAILED is desk.record.current_run.status
        check_invariants(desk.world, desk.activity_id)


class TestNotBlocking:
    def test_the_activity_goes_on_and_ends_and_the_approval_stays(self, desk):
        asked = desk.approval(is_blocking=False)
        assert "in_progress" == desk.status
        desk.result()
        desk.settle()
        assert "done" == desk.status
        assert [("approval", desk.activity_id)] == desk.inbox()
        desk.decide(asked, "approved")
        assert [] == desk.inbox()
        assert "done" == desk.status

    def test_it_expires_after_its_activity(self, desk):
        desk.approval(is_blocking=False)
        desk.result()
        desk.settle(2 * DAY)
        assert ("done", "expired") == (desk.status, desk.record.waits[0].decision)


class TestAsking:
    def test_a_run_that_has_ended_asks_for_nothing(self, desk):
        run_id = desk.run_id
        desk.result()
        desk.settle()
        assert "done" == desk.status
        with pytest.raises(RunEnded):
            desk.review()
        assert run_id == desk.run_id

    def test_it_may_not_go_in_a_circle(self, desk):
        for number in range(50):
            desk.review(title=str(number))
        with pytest.raises(InvalidRequest):
            desk.review(title="once more")

    def test_a_lost_execution_is_replaced_when_the_answer_comes(self, desk):
        asked = desk.review()
        desk.result()
        desk.settle()
        (arn,) = desk.driver.machines
        desk.driver.lose(arn)
        desk.decide(asked, "rejected", "no")
        desk.settle(600)
        assert (2, 2) == (len(desk.record.runs), desk.record.activity.generation)


class TestComments:
    def test_mentions_are_told_once_each_and_never_to_the_author(self, desk):
        comment = desk.comment(
            "@agent:editor and @agent:copywriter, ask @human:ada.b! @agent:editor"
        )
        assert ("editor", "copywriter") == comment.mentions.agents
        assert ("ada.b",) == comment.mentions.humans
        event = desk.world.events(desk.activity_id)[-1]
        assert ("CommentAdded", ["editor"], ["ada.b"]) == (
            event.type.value,
            event.detail["mentioned_agents"],
            event.detail["mentioned_humans"],
        )
        assert "text" not in event.detail
        assert (comment,) == desk.world.store.list_comments(TENANT, desk.activity_id, "", 10)

    def test_it_changes_nothing_else(self, desk):
        before = desk.status
        desk.comment("hello a@agent:b")
        assert before == desk.status
        assert [] == desk.inbox()
