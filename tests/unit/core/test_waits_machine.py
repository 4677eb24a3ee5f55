"""Agents that ask, people who answer, time and lost executions, in any order: the rules hold."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentruns.actions import ApprovalWanted, Blocker, ReviewWanted
from agentruns.commenting import NewComment
from agentruns.errors import ActivityEnded, Conflict, InvalidRequest
from agentruns.model import RetryPolicy
from agentruns.reassigning import Reassignment
from agentruns.statuses import RunStatus
from agentruns.subtasks import Subtask
from agentruns.wait import (
    Answer,
    ApprovalType,
    BlockerType,
    Decision,
    OnApprovalExpired,
    WaitKind,
)
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER, World
from tests.unit.core.asking import OPERATOR, WRITE, Desk
from tests.unit.core.invariants import check_invariants

pytestmark = pytest.mark.slow

EDITOR = "editor"
LONG = 150 * 86_400
"""Seconds after which all that can expire has expired, and what followed from it too."""

WHICH = st.integers(0, 5)


class Waits(RuleBasedStateMachine):
    """Some activities, begun by one, beside their executions, the sweeper and the stream."""

    desk: Desk

    @initialize(policy=st.sampled_from(OnApprovalExpired), attempts=st.integers(1, 2))
    def open(self, policy: OnApprovalExpired, attempts: int) -> None:
        world = World()
        signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
        for role in (WRITER, EDITOR):
            world.put_agent(
                role=role,
                adapter=WRITER_ADAPTER,
                timeout_seconds=3600,
                on_approval_expired=policy,
                retry=RetryPolicy(max_attempts=attempts, backoff_seconds=60),
            )
            world.secrets.put(f"agentruns/test/agents/{TENANT}/{role}", signing, "")
        self.desk = Desk(world)
        self.ended: dict[str, Any] = {}

    # Where things happen.

    @property
    def world(self) -> World:
        return self.desk.world

    @property
    def activity_ids(self) -> list[str]:
        return [activity_id for _, activity_id in self.world.store._entries]

    def at_work(self, which: int) -> tuple[str, str] | None:
        """An activity whose agent has its run, and the run."""
        found = [
            (record.activity.activity_id, record.current_run.run_id)
            for record in map(self.world.record, self.activity_ids)
            if record.current_run.status is RunStatus.RUNNING
            and record.activity.agent_role is not None
            and not record.activity.status.is_terminal
        ]
        return found[which % len(found)] if found else None

    def ask(self, which: int, use_case: str, wanted: Any) -> None:
        found = self.at_work(which)
        if found is None:
            return
        try:
            getattr(self.world, use_case)(TENANT, found[1], wanted)
        except InvalidRequest:
            return  # a subtask of a subtask, or back to who has it
        self.desk.settle()

    # Agents.

    @rule(which=WHICH, title=st.sampled_from("ab"))
    def review(self, which: int, title: str) -> None:
        self.ask(which, "request_review", ReviewWanted(title=title, description="d"))

    @rule(which=WHICH, is_blocking=st.booleans(), others=st.integers(0, 2))
    def approval(self, which: int, is_blocking: bool, others: int) -> None:
        found = self.at_work(which)
        own = found[0] if found else ""
        linked = [each for each in self.activity_ids if each != own][:others]
        wanted = ApprovalWanted(
            title="Go",
            approval_type=ApprovalType.CHANNEL_ACTION,
            linked_activity_ids=tuple(linked),
            is_blocking=is_blocking,
        )
        self.ask(which, "create_approval", wanted)

    @rule(which=WHICH)
    def blocker(self, which: int) -> None:
        wanted = Blocker(blocker_type=BlockerType.API_UNAVAILABLE, description="down")
        self.ask(which, "report_blocker", wanted)

    @rule(which=WHICH, is_blocking=st.booleans())
    def subtask(self, which: int, is_blocking: bool) -> None:
        wanted = Subtask(title="t", agent_role=EDITOR, prompt="p", is_blocking=is_blocking)
        self.ask(which, "create_subtask", wanted)

    @rule(which=WHICH, to_role=st.sampled_from([None, WRITER, EDITOR]))
    def reassign(self, which: int, to_role: str | None) -> None:
        user_id = None if to_role else "ada"
        wanted = Reassignment(reason="r", to_role=to_role, to_user_id=user_id)
        self.ask(which, "reassign", wanted)

    @rule(which=WHICH)
    def comment(self, which: int) -> None:
        found = self.at_work(which)
        if found is not None:
            self.world.add_comment.by_run(TENANT, found[1], NewComment(text="@agent:editor"))

    @rule(which=WHICH, error=st.sampled_from(["", "", "x"]))
    def result(self, which: int, error: str) -> None:
        found = self.at_work(which)
        if found is not None:
            self.desk.result(error=error, activity_id=found[0])
            self.desk.settle()

    # People.

    @rule(which=WHICH, decision=st.sampled_from(["approved", "rejected", "changes_requested"]))
    def answer(self, which: int, decision: str) -> None:
        items = self.world.list_inbox(TENANT, 100, None).items
        waits = [item.wait for item in items if item.wait is not None]
        if not waits:
            return
        wait = waits[which % len(waits)]
        before = len(self.world.events(wait.activity_id))
        for _ in range(2):  # the same answer twice is one
            if wait.kind.is_decided:
                given = Answer(decision=Decision(decision), answered_by=OPERATOR, note="because")
                self.world.decide_approval(TENANT, wait.wait_id, given)
            else:
                self.world.resolve_human_task(TENANT, wait.wait_id, "done", OPERATOR)
        assert len(self.world.events(wait.activity_id)) <= before + 2
        self.desk.settle()

    @rule(which=WHICH)
    def answer_once_more(self, which: int) -> None:
        """What is closed stays as it is."""
        closed = [
            wait
            for activity_id in self.activity_ids
            for wait in self.world.record(activity_id).waits
            if wait.kind.is_decided and not wait.is_open
        ]
        if not closed:
            return
        wait = closed[which % len(closed)]
        given = Answer(decision=Decision.REJECTED, answered_by="operator:other", note="no")
        with suppress(Conflict, ActivityEnded):
            self.world.decide_approval(TENANT, wait.wait_id, given)
        stored = self.world.record(wait.activity_id).waits[wait.number - 1]
        assert wait == stored

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        activity_id = self.activity_ids[which % len(self.activity_ids)]
        try:
            self.world.cancel_activity(TENANT, activity_id, "")
        except ActivityEnded:
            return
        self.desk.settle()

    @rule()
    def another_activity(self) -> None:
        if len(self.activity_ids) < 4:
            self.world.accept(WRITE)
            self.desk.settle()

    # Time, the stream, and what dies.

    @rule(seconds=st.sampled_from([60, 1000, 4000, 90_000, 400_000]))
    def pass_time(self, seconds: int) -> None:
        self.desk.settle(seconds)

    @rule(which=WHICH)
    def stream(self, which: int) -> None:
        self.desk.stream(self.activity_ids[which % len(self.activity_ids)])

    @rule(which=WHICH)
    def lose_an_execution(self, which: int) -> None:
        arns = list(self.desk.driver.machines)
        if arns:
            self.desk.driver.lose(arns[which % len(arns)])

    # What holds.

    @invariant()
    def the_rules_hold(self) -> None:
        for activity_id in self.activity_ids:
            check_invariants(self.world, activity_id)

    @invariant()
    def terminal_is_immutable(self) -> None:
        for activity_id in self.activity_ids:
            record = self.world.record(activity_id)
            runs = [(run.status, run.ended_at, run.error, run.output) for run in record.runs]
            end = (record.activity.status, record.activity.ended_at, record.activity.error, runs)
            assert self.ended.get(activity_id, end) == end
            if record.activity.status.is_terminal:
                self.ended[activity_id] = end

    @invariant()
    def nothing_is_opened_twice(self) -> None:
        sent = [each.dispatch_id for each in self.world.agent.sent]
        assert len(set(sent)) == len(sent)
        records = [self.world.record(activity_id) for activity_id in self.activity_ids]
        waits = [wait for record in records for wait in record.waits]
        asked = [
            (wait.run_id, wait.kind, wait.request_sha256) for wait in waits if wait.request_sha256
        ]
        assert len(set(asked)) == len(asked)
        children = [wait.subtask_activity_id for wait in waits if wait.subtask_activity_id]
        assert len(set(children)) == len(children)
        successors = [record.activity.reassigned_as for record in records]
        assert len(set(successors) - {None}) == sum(each is not None for each in successors)

    @invariant()
    def whoever_waits_can_be_seen(self) -> None:
        """What waits for a person stands in the inbox; what waits for another activity, waits
        for one that is there."""
        shown = {item.item_id for item in self.world.list_inbox(TENANT, 100, None).items}
        for activity_id in self.activity_ids:
            for wait in self.world.record(activity_id).waits:
                if not wait.is_open:
                    continue
                if wait.kind.is_for_a_person:
                    assert wait.wait_id in shown
                elif wait.kind is WaitKind.SUBTASK:
                    assert wait.subtask_activity_id in self.activity_ids

    def teardown(self) -> None:
        """Left alone, every activity comes to rest, and so does every execution."""
        if not hasattr(self, "desk"):
            return
        self.desk.settle(LONG)
        self.the_rules_hold()
        for activity_id in self.activity_ids:
            record = self.world.record(activity_id)
            assert record.activity.status.is_terminal, record
            assert all(not wait.is_open for wait in record.waits), record.waits
            assert all(wait.due_at is None for wait in record.waits), record.waits
        assert [] == list(self.desk.driver.machines)


TestWaits = Waits.TestCase
TestWaits.settings = settings(
    max_examples=60,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
)
