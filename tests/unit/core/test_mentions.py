"""Mentions: whom a comment notifies, what comes back into the thread, and that nothing goes round
in circles or is done twice."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.agent_errors import RunLimitReached
from agentruns.comment import Comment, CommentType, WhyNotNotified
from agentruns.commenting import (
    THREAD_LIMIT,
    THREAD_LIMIT_BYTES,
    NewComment,
    newest_of_thread,
)
from agentruns.errors import ActivityNotFound, InvalidRequest
from agentruns.ids import new_comment_id
from agentruns.mentions import mentions_in
from agentruns.model import Change, Priority, RetryPolicy, Trigger, WakeReason
from agentruns.providers import LeenaAopAdapter
from agentruns.redriving import Redrive
from agentruns.request_errors import IdempotencyKeyReused
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.wait import LONGEST_WAIT, WaitKind
from tests.contracts.samples import a_comment
from tests.fakes.driver import Killed
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER, World
from tests.unit.core.asking import OPERATOR, WRITE, Desk
from tests.unit.core.invariants import check_invariants

EDITOR = "lead-editor"
FIVE = [f"reader_{number}" for number in range(5)]


class MentionDesk(Desk):
    def __init__(self, world: World | None = None) -> None:
        world = world or World()
        signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
        for role in (EDITOR, *FIVE):
            world.put_agent(role=role, adapter=WRITER_ADAPTER)
            world.secrets.put(f"agentruns/test/agents/{TENANT}/{role}", signing, "")
        world.put_agent(role="sleeping", adapter=WRITER_ADAPTER, enabled=False)
        adrift = LeenaAopAdapter(connection="gone", aop_id="x")
        world.put_agent(role="adrift", adapter=adrift)
        super().__init__(world, replace(WRITE, priority=Priority.HIGH, tags=("blog",)))

    def operator_says(self, text: str, activity_id: str = "", **fields: Any) -> Comment:
        added = self.world.add_comment.by_operator(
            TENANT, activity_id or self.activity_id, "k1", NewComment(text=text), **fields
        )
        return added.comment

    def notified(self, comment: Comment) -> str:
        """The one activity that the comment opened."""
        (notification,) = comment.notified
        self.settle()
        return str(notification.activity_id)

    def thread(self, activity_id: str = "") -> list[Comment]:
        found = self.world.store.list_comments(TENANT, activity_id or self.activity_id, "", 1000)
        return list(found)

    def answer(self, activity_id: str, text: str = "I agree.", *, error: str = "") -> None:
        """The notified agent's result, told of by the stream."""
        self.world.clock.advance(1)
        self.result(text, error=error, activity_id=activity_id)
        self.settle()
        self.stream(activity_id)

    @property
    def activity_ids(self) -> list[str]:
        return [activity_id for _, activity_id in self.world.store._entries]

    def all_reasons(self, comment: Comment) -> list[tuple[str, WhyNotNotified | None]]:
        return [(each.agent_role, each.why_not) for each in comment.not_notified]


@pytest.fixture
def desk():
    desk = MentionDesk()
    yield desk
    for activity_id in desk.activity_ids:
        check_invariants(desk.world, activity_id)


class TestNotification:
    @pytest.mark.parametrize("role", ["lead-editor", "lead_editor"])
    def test_a_mentioned_agent_is_given_an_activity_of_its_own(self, desk, role):
        comment = desk.operator_says(f"@agent:{role} is this right?")
        record = desk.world.record(desk.notified(comment))
        activity, run = record.activity, record.current_run
        assert (EDITOR, Trigger.MENTION, WakeReason.MENTION, RunStatus.RUNNING) == (
            activity.agent_role,
            activity.trigger,
            run.wake_reason,
            run.status,
        )
        assert ("Mentioned in An article", Priority.HIGH, ("blog",)) == (
            activity.title,
            activity.priority,
            activity.tags,
        )
        assert (desk.activity_id, comment.comment_id) == (
            activity.mentioned_in.activity_id,
            activity.mentioned_in.comment_id,
        )
        message = desk.world.store.read_input(TENANT, activity.activity_id).message
        for part in (OPERATOR, desk.activity_id, "An article", comment.text):
            assert part in message
        opened = desk.world.events(activity.activity_id)[0]
        assert {
            "activity_id": desk.activity_id,
            "comment_id": comment.comment_id,
        } == opened.detail["mentioned_in"]

    def test_it_leaves_the_commenting_activity_as_it_is(self, desk):
        before = desk.record
        comment = desk.comment(f"@agent:{EDITOR} look")
        notification_id = desk.notified(comment)
        told = [replace(run, comments=1, version=run.version + 1) for run in before.runs]
        assert (before.activity.status, told, before.waits) == (
            desk.record.activity.status,
            list(desk.record.runs),
            desk.record.waits,
        )
        assert [] == desk.inbox()
        desk.result("mine")
        desk.settle()
        assert "done" == desk.status  # whatever the other does
        assert "in_progress" == desk.world.record(notification_id).activity.status

    def test_the_event_says_who_was_notified_and_who_was_not(self, desk):
        roles = [EDITOR, "lead_editor", WRITER, "nobody", "sleeping"]
        comment = desk.comment(" ".join(f"@agent:{role}" for role in roles))
        detail = desk.world.events(desk.activity_id)[-1].detail
        assert [{"agent_role": EDITOR, "activity_id": desk.notified(comment)}] == detail["notified"]
        assert [
            {"agent_role": WRITER, "reason": "is_author"},
            {"agent_role": "nobody", "reason": "unknown_agent"},
            {"agent_role": "sleeping", "reason": "agent_disabled"},
        ] == detail["not_notified"]
        assert [EDITOR, "nobody", "sleeping"] == detail["mentioned_agents"]

    def test_an_agent_that_has_lost_its_connection_is_not_notified(self, desk):
        comment = desk.operator_says("@agent:adrift")
        assert [("adrift", WhyNotNotified.CONNECTION_MISSING)] == desk.all_reasons(comment)

    def test_nobody_is_notified_over_the_tenants_border(self, desk):
        desk.world.put_agent(tenant="other", role="theirs", adapter=WRITER_ADAPTER)
        comment = desk.operator_says("@agent:theirs")
        assert [("theirs", WhyNotNotified.UNKNOWN_AGENT)] == desk.all_reasons(comment)
        assert [desk.activity_id] == desk.activity_ids

    def test_an_operator_may_mention_the_activitys_own_agent(self, desk):
        notification_id = desk.notified(desk.operator_says(f"@agent:{WRITER} hurry"))
        assert WRITER == desk.world.record(notification_id).activity.agent_role

    def test_a_comment_by_an_operator_of_an_agents_name_is_not_the_agents(self, desk):
        added = desk.world.add_comment.by_operator(
            TENANT, desk.activity_id, EDITOR, NewComment(text=f"@agent:{EDITOR}")
        )
        assert 1 == len(added.comment.notified)

    def test_humans_are_told_of_in_the_event_alone(self, desk):
        desk.operator_says("@human:ada")
        assert [desk.activity_id] == desk.activity_ids

    def test_five_agents_are_notified_and_six_are_refused(self, desk):
        text = " ".join(f"@agent:{role}" for role in FIVE)
        assert 5 == len(desk.operator_says(text).notified)
        with pytest.raises(InvalidRequest) as caught:
            desk.comment(f"{text} @agent:{EDITOR}")
        assert [("text", "mentions 6 agents; at most 5 are taken")] == list(caught.value.problems)
        assert 1 == len(desk.thread())

    def test_two_spellings_of_five_agents_are_five(self, desk):
        text = " ".join(f"@agent:{role} @agent:{role.replace('_', '-')}" for role in FIVE)
        assert 5 == len(desk.operator_says(text).notified)

    def test_an_aop_that_is_mentioned_runs_and_answers_nothing(self, desk):
        desk.world.leena.on_read_status("completed")
        notification_id = desk.notified(desk.operator_says("@agent:it_support"))
        desk.settle(3600)
        desk.stream(notification_id)
        record = desk.world.record(notification_id)
        assert (ActivityStatus.DONE, 1) == (record.activity.status, len(desk.thread()))


class TestAnswer:
    def test_it_is_written_into_the_thread_once(self, desk):
        comment = desk.operator_says(f"@agent:{EDITOR} is this right?")
        notification_id = desk.notified(comment)
        run_id = desk.world.record(notification_id).current_run.run_id
        desk.answer(notification_id)
        desk.stream(notification_id, notification_id)
        _, reply = desk.thread()
        assert (f"agent:{EDITOR}", "I agree.", comment.comment_id, run_id) == (
            reply.author,
            reply.text,
            reply.reply_to,
            reply.run_id,
        )
        assert comment.comment_id == desk.world.events(desk.activity_id)[-1].detail["reply_to"]

    def test_it_is_written_also_after_the_threads_activity_has_ended(self, desk):
        notification_id = desk.notified(desk.comment(f"@agent:{EDITOR}"))
        desk.result("mine")
        desk.settle()
        assert "done" == desk.status
        desk.answer(notification_id)
        assert ("done", 2) == (desk.status, len(desk.thread()))

    def test_who_is_mentioned_in_it_is_not_notified(self, desk):
        notification_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
        desk.answer(notification_id, f"Ask @agent:{WRITER} and @agent:reader_1")
        desk.stream(desk.activity_id)
        reply = desk.thread()[-1]
        assert ((WRITER, "reader_1"), ()) == (reply.mentions.agents, reply.notifications)
        assert 2 == len(desk.activity_ids)

    def test_an_agent_that_fails_writes_nothing(self, desk):
        notification_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
        desk.answer(notification_id, error="no idea")
        assert (1, ActivityStatus.FAILED) == (
            len(desk.thread()),
            desk.world.record(notification_id).activity.status,
        )

    def test_an_empty_answer_writes_nothing(self, desk):
        notification_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
        desk.answer(notification_id, "")
        assert 1 == len(desk.thread())

    @pytest.mark.parametrize("length", [10_001, 400_000])
    def test_a_long_one_is_cut_and_says_where_all_of_it_is(self, desk, length):
        notification_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
        run_id = desk.world.record(notification_id).current_run.run_id
        desk.answer(notification_id, "x" * length)
        reply = desk.thread()[-1]
        assert (10_000, True) == (len(reply.text), reply.text.endswith(f"output of {run_id}]"))

    def test_a_redriven_notification_answers_in_its_place(self, desk):
        comment = desk.operator_says(f"@agent:{EDITOR}")
        notification_id = desk.notified(comment)
        desk.answer(notification_id, error="no idea")
        again = desk.world.redrive_activity(
            TENANT, notification_id, Redrive(reason="try again"), None
        )
        desk.settle()
        record = desk.world.record(again.activity_id)
        assert WakeReason.MENTION is record.current_run.wake_reason
        desk.answer(again.activity_id)
        assert (2, comment.comment_id) == (len(desk.thread()), desk.thread()[-1].reply_to)

    def test_whoever_it_is_given_on_to_answers(self, desk):
        thread_id = desk.activity_id
        desk.activity_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
        given_on = desk.reassign(to_role="reader_0")
        desk.settle()
        desk.answer(given_on.new_activity_id)
        assert "agent:reader_0" == desk.thread(thread_id)[-1].author

    def test_a_person_that_it_is_given_on_to_answers(self, desk):
        thread_id = desk.activity_id
        desk.activity_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
        given_on = desk.reassign(to_user_id="usr_7")
        (task,) = desk.world.record(given_on.new_activity_id).waits
        assert (WaitKind.HUMAN_TASK, LONGEST_WAIT) == (task.kind, task.expires_at - task.opened_at)
        desk.world.clock.advance(1)
        desk.resolve(task, "Yes, it is.")
        desk.settle()
        desk.stream(given_on.new_activity_id)
        reply = desk.thread(thread_id)[-1]
        assert (OPERATOR, "Yes, it is.") == (reply.author, reply.text)


class TestCircles:
    def in_a_notification(self, desk: MentionDesk) -> None:
        """`desk` is the notified agent's from here on."""
        desk.activity_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))

    def test_an_author_who_mentions_himself_notifies_nobody(self, desk):
        comment = desk.comment(f"I, @agent:{WRITER}, am at it")
        assert [(WRITER, WhyNotNotified.IS_AUTHOR)] == desk.all_reasons(comment)
        assert [desk.activity_id] == desk.activity_ids

    def test_a_run_that_a_mention_opened_notifies_nobody(self, desk):
        self.in_a_notification(desk)
        comment = desk.comment(f"@agent:{WRITER} what do you think?")
        assert [(WRITER, WhyNotNotified.OPENED_BY_MENTION)] == desk.all_reasons(comment)
        detail = desk.world.events(desk.activity_id)[-1].detail
        assert [{"agent_role": WRITER, "reason": "opened_by_mention"}] == detail["not_notified"]

    def test_nor_does_a_subtask_of_it(self, desk):
        self.in_a_notification(desk)
        desk.activity_id = str(desk.subtask(WRITER).subtask_activity_id)
        comment = desk.comment(f"@agent:{EDITOR}")
        assert [(EDITOR, WhyNotNotified.OPENED_BY_MENTION)] == desk.all_reasons(comment)

    def test_nor_does_who_took_it_over(self, desk):
        self.in_a_notification(desk)
        desk.activity_id = desk.reassign(to_role="reader_0").new_activity_id
        desk.settle()
        comment = desk.comment(f"@agent:{EDITOR}")
        assert [(EDITOR, WhyNotNotified.OPENED_BY_MENTION)] == desk.all_reasons(comment)

    def test_any_other_subtask_does(self, desk):
        desk.activity_id = str(desk.subtask(EDITOR).subtask_activity_id)
        assert 1 == len(desk.comment(f"@agent:{WRITER}").notified)

    def test_an_operator_notifies_from_the_thread_of_a_notification_too(self, desk):
        self.in_a_notification(desk)
        assert 1 == len(desk.operator_says(f"@agent:{WRITER}").notified)


class TestRepeats:
    def test_the_same_comment_of_the_same_run_is_the_first_one(self, desk):
        first = desk.comment(f"@agent:{EDITOR} look")
        desk.world.clock.advance(60)
        assert first == desk.comment(f"@agent:{EDITOR} look")
        assert (1, 2) == (len(desk.thread()), len(desk.activity_ids))
        assert 1 == desk.events.count("CommentAdded")

    def test_another_text_or_type_is_another_comment(self, desk):
        note = NewComment(text="a", type=CommentType.INTERVENTION_NOTE)
        desk.comment("a")
        desk.comment("b")
        desk.world.add_comment.by_run(TENANT, desk.run_id, note)
        assert 3 == len(desk.thread())

    def test_a_run_writes_a_hundred_and_no_more(self, desk):
        for number in range(100):
            desk.comment(str(number))
        with pytest.raises(RunLimitReached):
            desk.comment(f"@agent:{EDITOR}")
        assert "0" == desk.comment("0").text
        desk.operator_says("enough")
        assert (101, [desk.activity_id]) == (len(desk.thread()), desk.activity_ids)

    def test_an_operators_key_makes_it_one_comment(self, desk):
        first = desk.operator_says(f"@agent:{EDITOR}", idempotency_key="k")
        assert first == desk.operator_says(f"@agent:{EDITOR}", idempotency_key="k")
        assert (1, 2) == (len(desk.thread()), len(desk.activity_ids))
        with pytest.raises(IdempotencyKeyReused):
            desk.operator_says("something else", idempotency_key="k")
        other_id = desk.world.accept(WRITE).activity_id
        assert first != desk.operator_says("x", other_id, idempotency_key="k")

    def test_without_a_key_an_operator_says_it_twice(self, desk):
        desk.operator_says("yes")
        desk.operator_says("yes")
        assert 2 == len(desk.thread())

    def test_what_the_stream_tells_again_opens_nothing(self, desk):
        notification_id = desk.notified(desk.comment(f"@agent:{EDITOR}"))
        before = desk.world.record(notification_id)
        desk.stream(desk.activity_id, desk.activity_id)
        assert (before, 2) == (desk.world.record(notification_id), len(desk.activity_ids))


class TestLoss:
    """Between storing the comment and notifying: the stream makes up for it."""

    @pytest.fixture
    def creates(self, desk, monkeypatch):
        """Errors that storing an activity raises, one after the other."""
        errors: list[BaseException] = []
        create = desk.world.store.create

        def failing(*arguments: Any, **fields: Any) -> None:
            if errors:
                raise errors.pop(0)
            create(*arguments, **fields)

        monkeypatch.setattr(desk.world.store, "create", failing)
        return errors

    @pytest.mark.parametrize("error", [OSError("throttled"), Killed()], ids=["error", "death"])
    def test_the_notification_is_opened_by_the_stream(self, desk, creates, error):
        creates.append(error)
        with suppress(Killed):
            desk.comment(f"@agent:{EDITOR} look")
        assert [desk.activity_id] == desk.activity_ids
        desk.stream(desk.activity_id)
        (comment,) = desk.thread()
        desk.answer(desk.notified(comment))
        assert 2 == len(desk.thread())

    def test_a_repeated_comment_makes_up_for_it_too(self, desk, creates):
        creates.append(OSError("throttled"))
        desk.comment(f"@agent:{EDITOR} look")
        desk.comment(f"@agent:{EDITOR} look")
        assert (1, 2) == (len(desk.thread()), len(desk.activity_ids))

    def test_of_five_the_rest_is_opened_by_the_stream(self, desk, creates):
        creates.append(Killed())
        with suppress(Killed):
            desk.operator_says(" ".join(f"@agent:{role}" for role in FIVE))
        desk.stream(desk.activity_id, desk.activity_id)
        assert 6 == len(desk.activity_ids)

    def test_an_execution_that_did_not_start_is_the_sweepers(self, desk):
        desk.world.executions.fail_next_start(OSError("gone"))
        notification_id = desk.notified(desk.comment(f"@agent:{EDITOR}"))
        assert ActivityStatus.QUEUED is desk.world.record(notification_id).activity.status
        desk.settle(300)
        assert ActivityStatus.IN_PROGRESS is desk.world.record(notification_id).activity.status

    def test_an_agent_that_is_gone_by_then_is_passed_over(self, desk, creates):
        creates.append(OSError("throttled"))
        desk.comment(f"@agent:{EDITOR} look")
        desk.world.put_agent(role=EDITOR, adapter=WRITER_ADAPTER, enabled=False)
        desk.stream(desk.activity_id)
        assert [desk.activity_id] == desk.activity_ids

    def test_an_answer_for_a_thread_that_is_not_there_is_passed_over(self, desk):
        notification_id = desk.notified(desk.comment(f"@agent:{EDITOR}"))
        del desk.world.store._entries[TENANT, desk.activity_id]
        with pytest.raises(ActivityNotFound):
            desk.record  # noqa: B018  # it is gone
        desk.result("x", activity_id=notification_id)
        desk.settle()
        desk.stream(notification_id)


class TestTheThreadAsAnAgentIsGivenIt:
    def fill(self, desk: MentionDesk, *texts: str) -> None:
        for text in texts:
            activity = desk.record.activity
            comment = a_comment(activity, text=text, comment_id=new_comment_id(desk.world.clock()))
            desk.world.store.apply(Change(activity=activity, comments=(comment,)))
            desk.world.clock.advance(1)

    def newest(self, desk: MentionDesk) -> list[str]:
        found = newest_of_thread(desk.world.store, TENANT, desk.activity_id)
        return [each.text for each in found]

    def test_the_newest_fifty_oldest_first(self, desk):
        self.fill(desk, *map(str, range(THREAD_LIMIT + 3)))
        assert [str(number) for number in range(3, THREAD_LIMIT + 3)] == self.newest(desk)

    def test_no_more_than_fits(self, desk):
        fourth = "ü" * (THREAD_LIMIT_BYTES // 8)
        self.fill(desk, *[f"{fourth}{number}" for number in range(5)])
        assert ["2", "3", "4"] == [text[-1] for text in self.newest(desk)]

    def test_none_of_an_empty_thread(self, desk):
        assert [] == self.newest(desk)


class TestParser:
    @pytest.mark.parametrize(
        ("text", "agents"),
        [
            ("@agent:a and @agent:b-c_d.", ("a", "b-c_d")),
            ("(@agent:a), **@agent:b**", ("a", "b")),
            ("@agent:a_b @agent:a-b", ("a_b",)),
            ("mail@agent:a @@agent:b agent:c @agent: d", ()),
            (f"@agent:{'x' * 64} @agent:{'y' * 65}", ("x" * 64,)),
            ("@AGENT:a @Agent:b", ()),
        ],
    )
    def test_agents(self, text, agents):
        assert agents == mentions_in(text).agents

    @pytest.mark.parametrize(
        "text",
        [
            "@agent:" * 15_000,
            "@agent:a" * 12_500,
            "@agent:a " * 11_000,
            "@agent:" + "a-" * 50_000,
            "@agent:" + "a" * 100_000,
            "@human:" * 15_000,
            "@human:" + "a." * 50_000,
            "@human:a" + "." * 100_000,
            ("@human:a" + "." * 120) * 800,
            " @agent:" + "x" * 64 + "@" * 99_000,
            "".join(f"@agent:{number:x}-_ " for number in range(8_000)),
        ],
        ids=range(11),
    )
    def test_a_hostile_text_of_100_kb_is_read_at_once(self, text):
        began = time.process_time()
        mentions_in(text[:102_400])
        assert time.process_time() - began < 0.1


ROLES = st.sampled_from([EDITOR, "lead_editor", WRITER, "reader_0", "nobody", "sleeping"])
SAYS = st.tuples(
    st.booleans(),  # whether the run says it, else an operator
    st.integers(0, 3),  # where
    st.lists(ROLES, max_size=4).map(lambda roles: " ".join(f"@agent:{each}" for each in roles)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAYS, min_size=1, max_size=6))
def test_a_comment_opens_one_activity_per_role_at_most_and_nothing_goes_round(said):
    desk = MentionDesk()
    opened_by: dict[tuple[str, str], str] = {}
    for is_run, where, text in said:
        activity_id = desk.activity_ids[where % len(desk.activity_ids)]
        record = desk.world.record(activity_id)
        if is_run and record.current_run.status is not RunStatus.RUNNING:
            continue
        if is_run:
            run_id = record.current_run.run_id
            desk.world.add_comment.by_run(TENANT, run_id, NewComment(text=text))
        else:
            desk.operator_says(text, activity_id)
        desk.settle()
        desk.stream(*desk.activity_ids)
    for activity_id in desk.activity_ids:
        check_invariants(desk.world, activity_id)
        activity = desk.world.record(activity_id).activity
        if activity.mentioned_in is None:
            continue
        role = str(activity.agent_role)
        key = (activity.mentioned_in.comment_id, role.replace("-", "_"))
        assert opened_by.setdefault(key, activity_id) == activity_id
        thread = desk.world.record(activity.mentioned_in.activity_id).activity
        comment = desk.world.store.find_comment(
            TENANT, thread.activity_id, activity.mentioned_in.comment_id
        )
        assert comment is not None
        assert comment.run_id is None or thread.mentioned_in is None
        assert f"agent:{role}" != comment.author
    told = {
        str(each.activity_id)
        for activity_id in desk.activity_ids
        for comment in desk.thread(activity_id)
        for each in comment.notified
    }
    assert told == set(desk.activity_ids) - {desk.activity_id}


def test_a_role_retried_by_its_policy_answers_in_the_end(desk):
    desk.world.put_agent(
        role=EDITOR, adapter=WRITER_ADAPTER, retry=RetryPolicy(max_attempts=2, backoff_seconds=1)
    )
    notification_id = desk.notified(desk.operator_says(f"@agent:{EDITOR}"))
    desk.answer(notification_id, error="a moment")
    desk.settle(60)
    desk.answer(notification_id)
    assert ["I agree."] == [each.text for each in desk.thread()[1:]]
