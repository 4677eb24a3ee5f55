"""Any order of what can happen to an activity: the rules hold after each step."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
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
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapDialect
from agentruns.refusals import AopRejected, ApiKeyRejected, TokenRejected, WorkflowRejected
from agentruns.request_errors import HookRefused
from agentruns.resolving import ResolveRun
from agentruns.secret import Secret
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.workflows import WORKFLOW_STATUSES
from tests.fakes.driver import Killed
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import TENANT, World
from tests.unit.core.hooked import a_body, hook_of, leap_world
from tests.unit.core.invariants import check_invariants

pytestmark = pytest.mark.slow

STARTS = (
    None,
    UpstreamUnavailable("429", retry_after_seconds=3),
    StartUnknown("reset"),
    TokenRejected("hr"),
    AopRejected("a", "bad"),
)
WORDS = ("accepted", "in_progress", "paused", "completed", "failed", "aborted", "on_holiday")
WORKFLOW_STARTS = (
    None,
    UpstreamUnavailable("429", retry_after_seconds=3),
    StartUnknown("reset"),
    ApiKeyRejected("flows", 401, "no"),
    WorkflowRejected("wkf_1", 400, "bad"),
)
WORKFLOW_WORDS = ("queued", "running", "completed", "failed", "cancelled", "on_holiday")
OTHER = "rnp_other"
"""A run of the same workflow that was never ours."""
NOT_YET = "not yet"

ERRORS = ("", "Sandbox.Timedout", "CredentialsRejected", "AopRejected", "StoreContention")


AGENTS = st.fixed_dictionaries(
    {
        "timeout_seconds": st.just(3000),
        "on_start_unknown": st.sampled_from(OnStartUnknown),
        "retry": st.integers(1, 3).map(
            lambda attempts: RetryPolicy(max_attempts=attempts, backoff_seconds=5)
        ),
    }
)


class Lifecycle(RuleBasedStateMachine):
    """What happens to any activity: its workers, the sweeper and people, in any order and at any
    time. Its provider's part is the subclasses'."""

    world: World
    activity_id: str

    def open_in(self, world: World) -> None:
        self.world = world
        self.activity_id = self.world.accept().activity_id
        self.resolve = ResolveRun(
            activities=self.world.store,
            wake_execution=self.world.wake_execution,
            clock=self.world.clock,
        )
        self.ended: tuple[Any, ...] | None = None
        self.versions = (0, 0)
        self.tokens = 0
        self.taken: list[str] = []
        self.remote_ids: dict[str, str] = {}

    @property
    def task(self):
        return self.world.task(self.activity_id)

    @property
    def is_taken(self):
        return self.world.record(self.activity_id).activity.status is not ActivityStatus.QUEUED

    @rule(generation=st.integers(1, 2), name=st.sampled_from(["1", "2"]))
    def open_run(self, generation: int, name: str) -> None:
        arn = self.world.executions.arn_of(f"{self.activity_id}-{name}")
        event = {"tenant": TENANT, "activity_id": self.activity_id, "generation": generation}
        self.world.open_run({**event, "execution_arn": arn})

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

    @rule()
    def lose_the_execution(self) -> None:
        self.world.executions.end(self.task.execution_arn, "FAILED")

    @rule()
    def cancel(self) -> None:
        try:
            self.world.cancel_activity(TENANT, self.activity_id, "")
        except ActivityEnded:
            assert self.world.record(self.activity_id).activity.status.is_terminal

    @rule(remote_id=st.sampled_from([None, "item-7"]))
    def resolve_by_hand(self, remote_id: str | None) -> None:
        try:
            self.resolve(TENANT, self.task.run_id, remote_id)
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

    @invariant()
    def a_run_stays_with_what_it_became(self) -> None:
        for run in self.world.record(self.activity_id).runs:
            if run.remote_id is not None:
                assert run.remote_id == self.remote_ids.setdefault(run.run_id, run.remote_id)


class AopLifecycle(Lifecycle):
    """Over Leena: it is looked at."""

    @initialize(agent=AGENTS)
    def open(self, agent: dict[str, Any]) -> None:
        self.open_in(World(**agent))

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

    @rule(word=st.sampled_from(WORDS))
    def sweep(self, word: str) -> None:
        self.script_word(word)
        assert 0 == self.world.sweep(lambda: True).failed


class WorkflowLifecycle(Lifecycle):
    """Over Leap: it is told, rightly and wrongly, and looked at where that can be."""

    @initialize(
        agent=AGENTS,
        dialect=st.sampled_from(LeapDialect),
        start=st.sampled_from([NOT_YET, None, StartUnknown("reset")]),
    )
    def open(self, agent: dict[str, Any], dialect: LeapDialect, start: Any) -> None:
        self.dialect = dialect
        self.became: dict[str, str] = {}
        self.open_in(leap_world(dialect, **agent))
        self.world.leap.runs[OTHER] = a_workflow_run(OTHER)
        if start is not NOT_YET:
            self.open_run(1, "1")
            self.start(start, None)

    def script(self, *answers: Any, early: str | None = None) -> None:
        """What the next start is answered, and what its webhook says before that."""
        leap = self.world.leap
        leap._starts.clear()
        leap.on_start(*answers)

        def take(run: WorkflowRun, webhook_url: Secret) -> None:
            name = webhook_url.reveal().rsplit("/", 1)[-1]
            self.taken.append(name.split(".")[0])
            self.became[name] = run.workflow_run_id
            if early is not None:
                self.world.accept_hook(name, a_body(leap.ends(run.workflow_run_id, early)))

        leap.before_answer = take

    def show(self, word: str) -> None:
        """What a look will find."""
        for workflow_run_id in self.world.leap.runs:
            self.world.leap.ends(workflow_run_id, word)

    @rule(
        start=st.sampled_from(WORKFLOW_STARTS),
        early=st.sampled_from([None, None, "running", "completed", "cancelled"]),
    )
    def start(self, start: Exception | None, early: str | None) -> None:
        self.script(*([start] if start else []), early=early)
        try:
            self.world.start_leap_workflow(self.task)
        except UpstreamRejected as error:
            self.world.settle_run(self.task, error=type(error).__name__, cause=str(error))

    @rule(early=st.sampled_from([None, "failed"]))
    def die_while_starting(self, early: str | None) -> None:
        def die(run: WorkflowRun, webhook_url: Secret) -> None:
            take(run, webhook_url)
            raise Killed

        self.script(early=early)
        take = self.world.leap.before_answer
        self.world.leap.before_answer = die
        with contextlib.suppress(Killed):
            self.world.start_leap_workflow(self.task)

    @rule(word=st.sampled_from(WORKFLOW_WORDS))
    def check(self, word: str) -> None:
        self.show(word)
        try:
            self.world.check_run(self.task)
        except UpstreamRejected as error:
            self.world.settle_run(self.task, error=type(error).__name__, cause=str(error))

    @rule(word=st.sampled_from(WORKFLOW_WORDS))
    def sweep(self, word: str) -> None:
        self.show(word)
        assert 0 == self.world.sweep(lambda: True).failed

    @rule(
        word=st.sampled_from(WORKFLOW_WORDS),
        remote_id=st.sampled_from([None, None, None, OTHER, "rnp_none"]),
        attempt=st.integers(-2, -1),
    )
    def tell(self, word: str, remote_id: str | None, attempt: int) -> None:
        """Early, late or twice; of what the run became (None), or of another."""
        before = self.world.record(self.activity_id)
        told = before.runs[max(attempt, -len(before.runs))]
        self.show(word)
        name = hook_of(self.world, told.run_id)
        workflow_run_id = remote_id or self.became.get(name, OTHER)
        try:
            self.world.accept_hook(name, a_body(a_workflow_run(workflow_run_id, status=word)))
        except HookRefused:
            assert self.dialect.can_be_asked
            assert workflow_run_id not in self.world.leap.runs
            assert before == self.world.record(self.activity_id)
            return
        record = self.world.record(self.activity_id)
        run = record.run(told.run_id)
        if told.remote_id not in {None, workflow_run_id}:
            assert workflow_run_id in run.other_remote_ids
            assert told.status is run.status
        elif told.status is RunStatus.START_UNKNOWN or told.status.is_followed:
            assert workflow_run_id == run.remote_id
            assert run.status is WORKFLOW_STATUSES.get(word, RunStatus.RUNNING)
        elif told.status is RunStatus.PENDING:
            assert before == record

    @rule()
    def tell_of_another_workflow(self) -> None:
        before = self.world.record(self.activity_id)
        body = a_body(a_workflow_run(status="completed", workflow_id="wkf_2"))
        if self.dialect.can_be_asked:
            self.world.leap.runs["rnp_9"] = a_workflow_run("rnp_9", workflow_id="wkf_2")
            body = a_body(a_workflow_run("rnp_9", status="completed"))
        with pytest.raises(HookRefused):
            self.world.accept_hook(hook_of(self.world, self.task.run_id), body)
        assert before == self.world.record(self.activity_id)


SETTINGS = settings(
    max_examples=150,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
)
TestAopLifecycle = AopLifecycle.TestCase
TestAopLifecycle.settings = SETTINGS
TestWorkflowLifecycle = WorkflowLifecycle.TestCase
TestWorkflowLifecycle.settings = SETTINGS
