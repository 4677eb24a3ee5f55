"""Any order of what can happen to an activity: the rules hold after each step."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from agentruns.errors import (
    ActivityEnded,
    RunNotUnknown,
    StartUnknown,
    UpstreamRejected,
    UpstreamUnavailable,
)
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.refusals import AopRejected, TokenRejected
from agentruns.resolving import ResolveRun
from agentruns.statuses import ActivityStatus
from tests.fakes.world import TENANT, World
from tests.unit.core.invariants import check_invariants

STARTS = (
    None,
    UpstreamUnavailable("429", retry_after_seconds=3),
    StartUnknown("reset"),
    TokenRejected("hr"),
    AopRejected("a", "bad"),
)
WORDS = ("accepted", "in_progress", "paused", "completed", "failed", "aborted", "on_holiday")
ERRORS = ("", "Sandbox.Timedout", "CredentialsRejected", "AopRejected", "StoreContention")


class Lifecycle(RuleBasedStateMachine):
    """The activity's workers, the sweeper and people, in any order and at any time."""

    world: World
    activity_id: str

    @initialize(policy=st.sampled_from(OnStartUnknown), attempts=st.integers(1, 3))
    def open(self, policy: OnStartUnknown, attempts: int) -> None:
        self.world = World(
            timeout_seconds=3000,
            on_start_unknown=policy,
            retry=RetryPolicy(max_attempts=attempts, backoff_seconds=5),
        )
        self.activity_id = self.world.accept().activity_id
        self.resolve = ResolveRun(
            activities=self.world.store,
            executions=self.world.executions,
            clock=self.world.clock,
            policy=self.world.policy,
        )
        self.ended: tuple[Any, ...] | None = None
        self.versions = (0, 0)
        self.tokens = 0
        self.taken: list[str] = []

    @property
    def task(self):
        return self.world.task(self.activity_id)

    @property
    def is_taken(self):
        return self.world.record(self.activity_id).activity.status is not ActivityStatus.QUEUED

    def script(self, *answers: Any) -> None:
        """What the next start is answered, and nothing that an earlier one left over."""
        self.world.leena._executes.clear()
        self.world.leena.on_execute(*answers)

    def note_taken(self, calls_before: int) -> None:
        """The start that was sent since may have been taken: by the run it names."""
        calls = self.world.leena.executes[calls_before:]
        self.taken += [call.context["agentruns_run_id"] for call in calls[-1:]]

    def script_word(self, word: str) -> None:
        self.world.leena._statuses.clear()
        self.world.leena.on_read_status(word)

    @rule(generation=st.integers(1, 2), name=st.sampled_from(["1", "2"]))
    def open_run(self, generation: int, name: str) -> None:
        arn = self.world.executions.arn_of(f"{self.activity_id}-{name}")
        event = {"tenant": TENANT, "activity_id": self.activity_id, "generation": generation}
        self.world.open_run({**event, "execution_arn": arn})

    @rule(start=st.sampled_from(STARTS))
    def execute(self, start: Exception | None) -> None:
        self.script(*([start] if start else []))
        calls = len(self.world.leena.executes)
        try:
            self.world.execute_aop(self.task)
            if not isinstance(start, UpstreamUnavailable):
                self.note_taken(calls)
        except UpstreamRejected as error:
            self.world.settle_run(self.task, error=type(error).__name__, cause=str(error))

    @rule()
    def die_while_starting(self) -> None:
        self.script("no answer of the port")
        calls = len(self.world.leena.executes)
        try:
            self.world.execute_aop(self.task)
        except AttributeError:
            self.note_taken(calls)

    @rule(word=st.sampled_from(WORDS))
    def check(self, word: str) -> None:
        self.script_word(word)
        self.world.check_run(self.task)

    @precondition(lambda self: self.is_taken)  # SettleRun is no state of an execution before that
    @rule(error=st.sampled_from(ERRORS))
    def settle(self, error: str) -> None:
        self.world.settle_run(self.task, error=error, cause="")

    @rule()
    def park(self) -> None:
        self.tokens += 1
        token = f"callback-{self.tokens}"
        self.world.executions.wait_on(token)
        self.world.park_run(self.task, token)

    @rule(word=st.sampled_from(WORDS))
    def sweep(self, word: str) -> None:
        self.script_word(word)
        assert 0 == self.world.sweep(lambda: True).failed

    @rule()
    def lose_the_execution(self) -> None:
        self.world.executions.end(self.task.execution_arn, "FAILED")

    @rule()
    def cancel(self) -> None:
        try:
            self.world.cancel_activity(TENANT, self.activity_id, "")
        except ActivityEnded:
            assert self.world.record(self.activity_id).activity.status.is_terminal

    @rule(aop_item_id=st.sampled_from([None, "item-7"]))
    def resolve_by_hand(self, aop_item_id: str | None) -> None:
        try:
            self.resolve(TENANT, self.task.run_id, aop_item_id)
        except RunNotUnknown:
            return

    @rule(seconds=st.sampled_from([1, 60, 130, 400, 3000]))
    def pass_time(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @invariant()
    def the_rules_hold(self) -> None:
        check_invariants(self.world, self.activity_id)

    @invariant()
    def versions_only_grow(self) -> None:
        record = self.world.record(self.activity_id)
        versions = (record.activity.version, record.activity.last_sequence)
        assert versions >= self.versions
        self.versions = versions

    @invariant()
    def terminal_is_immutable(self) -> None:
        record = self.world.record(self.activity_id)
        end = (
            record.activity.status,
            record.activity.ended_at,
            record.activity.error,
            [(run.status, run.ended_at, run.error) for run in record.runs],
        )
        if self.ended is not None:
            assert self.ended == end
        if record.activity.status.is_terminal:
            self.ended = end

    @invariant()
    def no_run_is_started_twice(self) -> None:
        assert len(set(self.taken)) == len(self.taken)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=150,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
)
