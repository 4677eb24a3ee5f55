"""What is around a deployment whose workers die: agents that call, people who answer, the stream.

Each call of theirs is an invocation of its own. Where that dies, an agent or a person gets no
answer and calls again, once; the stream delivers again. Or never. Not here: when a worker dies
(`killing`), what they do (`test_agent_kill_points`), what has to hold then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agentruns import sweeping
from agentruns.actions import ApprovalWanted, Blocker, ReviewWanted
from agentruns.agent_calls import AgentResult
from agentruns.agent_reports import AgentReport, ToolCallStatus
from agentruns.agent_streams import ToolCallReport
from agentruns.commenting import NewComment
from agentruns.errors import PermanentError, StartUnknown
from agentruns.event_types import EventType
from agentruns.model import Event, Problem
from agentruns.problem_words import AGENT_FAILED
from agentruns.reassigning import Reassignment
from agentruns.secret import Secret
from agentruns.subtasks import Subtask
from agentruns.task_tokens import TaskCaller
from agentruns.wait import Answer, ApprovalType, BlockerType, Decision, Wait, WaitKind
from tests.fakes import SentDispatch
from tests.fakes.driver import Driver, Killed
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER, World
from tests.unit.core.asking import OPERATOR
from tests.unit.core.killing import KillSwitch

EDITOR = "editor"
TIMEOUT_SECONDS = 7200
CALLED_AGAIN_AFTER_SECONDS = 5
LONG = 80 * 86_400
"""Seconds after which all that can expire has expired."""

EARLY = "before the dispatch's answer"
WHILE_PARKING = "before the callback token is stored"


NEVER_REACHED = StartUnknown("the connection broke before the agent had the dispatch")
"""An answer: the dispatch went out, and its agent has nothing."""


# What an agent does with a dispatch: calls, each at so many seconds after it or at a moment.

Call = Callable[["Around", SentDispatch], object]
Calls = tuple[tuple[float | str, Call], ...]


def context(around: Around, sent: SentDispatch) -> None:
    told = around.world.read_context(around.caller(sent), sent.dispatch_id)
    around.told[sent.dispatch_id] = told.briefing


def new_token(around: Around, sent: SentDispatch) -> None:
    issued = around.world.renew_token(around.caller(sent), sent.dispatch_id)
    around.tokens[sent.dispatch_id] = issued.token


def text(number: int) -> Call:
    def post(around: Around, sent: SentDispatch) -> None:
        around.streamed.add((sent.dispatch_id, number))
        around.world.receive_delta(around.caller(sent), sent.dispatch_id, number, f"piece {number}")
        around.stored.add((sent.dispatch_id, number))

    return post


def tool(key: str) -> Call:
    report = ToolCallReport(
        tool_name="search",
        method="query",
        status=ToolCallStatus.SUCCESS,
        input=key,
        duration_ms=5,
        cost_nanousd=7,
    )

    def post(around: Around, sent: SentDispatch) -> None:
        around.world.report_tool_call(around.caller(sent), sent.dispatch_id, report, key)

    return post


def done(output: str = "the draft") -> Call:
    return _delivering(AgentResult(report=AgentReport(), output=output))


def failed(message: str = "no quota") -> Call:
    problem = Problem(code=AGENT_FAILED, message=message)
    return _delivering(AgentResult(report=AgentReport(), problem=problem))


def _delivering(result: AgentResult) -> Call:
    def post(around: Around, sent: SentDispatch) -> None:
        around.world.deliver_result(around.caller(sent), sent.dispatch_id, result)

    return post


def two_results(around: Around, sent: SentDispatch) -> None:
    """The second is taken while the first is between its read and its write."""
    around.switch.before["activities.apply"] = lambda: around.request(
        lambda: done("the other draft")(around, sent)
    )
    done()(around, sent)


def blocker(around: Around, sent: SentDispatch) -> None:
    wanted = Blocker(blocker_type=BlockerType.INSUFFICIENT_DATA, description="no data")
    around.world.report_blocker(TENANT, around.entering(sent), wanted)


def review(around: Around, sent: SentDispatch) -> None:
    wanted = ReviewWanted(title="Look at it", description="a draft")
    around.world.request_review(TENANT, around.entering(sent), wanted)


def approval(*, blocking: bool = True, kind: ApprovalType = ApprovalType.CHANNEL_ACTION) -> Call:
    """Of what the agent wants to do, and of all that others want who are at work beside it."""

    def post(around: Around, sent: SentDispatch) -> None:
        wanted = ApprovalWanted(
            title="Publish",
            approval_type=kind,
            linked_activity_ids=tuple(around.beside),
            is_blocking=blocking,
        )
        around.world.create_approval(TENANT, around.entering(sent), wanted)

    return post


def subtask(*, blocking: bool = True) -> Call:
    wanted = Subtask(title="Research", agent_role=EDITOR, prompt="find out", is_blocking=blocking)

    def post(around: Around, sent: SentDispatch) -> None:
        around.world.create_subtask(TENANT, around.entering(sent), wanted)

    return post


def given_to(role: str | None = None) -> Call:
    """A role, or a person."""
    user_id = None if role else "ada"
    wanted = Reassignment(reason="not mine", to_role=role, to_user_id=user_id)

    def post(around: Around, sent: SentDispatch) -> None:
        around.world.reassign(TENANT, around.entering(sent), wanted)

    return post


def comment(around: Around, sent: SentDispatch) -> None:
    new = NewComment(text="@agent:editor @human:ada look")
    around.world.add_comment.by_run(TENANT, around.entering(sent), new)


@dataclass(frozen=True)
class Reply:
    """A person's answer to what was asked, at so many seconds after it, once or several times.
    `decision` None: it is resolved; withdrawn: the activity is cancelled."""

    after: tuple[float, ...] = (100.0,)
    decision: Decision | None = Decision.APPROVED
    note: str = ""


@dataclass
class Around:
    """`work`: of each role what its agent does with its first dispatch, its second, ...; nothing
    with any more. `replies`: to the first wait of a kind, the second, ... `answers`: to the first
    dispatch, ...; any more are taken.

    `again`: who got no answer calls again. `stream`: whether the table's stream is there at all.
    """

    switch: KillSwitch
    work: Mapping[str, tuple[Calls, ...]]
    replies: Mapping[WaitKind, tuple[Reply, ...]]
    answers: tuple[Exception | None, ...] = ()
    again: bool = True
    stream: bool = True
    kill_execution: bool = False
    agent: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.taken: list[str] = []
        """The ledger of the agents: the run of each dispatch that one has."""

        self.told: dict[str, Any] = {}
        self.streamed: set[tuple[str, int]] = set()
        self.stored: set[tuple[str, int]] = set()
        """Pieces of text, by run and number: sent, and answered."""

        self.tokens: dict[str, Secret] = {}
        self.refused: list[str] = []
        self.refused_again: list[str] = []
        self.died = False  # a call of theirs, not an execution's worker
        self.beside: list[str] = []
        self._seen: dict[str, int] = {}
        self._asked: dict[WaitKind, int] = {}
        self._dispatched: dict[str, int] = {}
        self.world = World(wrap=self._wrap)
        signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
        for role in (WRITER, EDITOR):
            settings = {"timeout_seconds": TIMEOUT_SECONDS} | self.agent
            self.world.put_agent(role=role, adapter=WRITER_ADAPTER, **settings)
            self.world.secrets.put(f"agentruns/test/agents/{TENANT}/{role}", signing, "")
        self.world.agent.on_dispatch(*self.answers)
        self.world.agent.before_answer = self._arrive
        self.driver = Driver(self.world, kill_execution=self.kill_execution)
        self._sweep = self.world.sweep
        for name in _WORKERS:
            setattr(self.world, name, self._as_worker(getattr(self.world, name)))
        self.world.sweep = self._sweep_once  # type: ignore[assignment]  # it is called alike

    # Their calls.

    def request(self, call: Callable[[], object], *, is_repeated: bool = False) -> None:
        """As over HTTP: it is answered, refused, or nobody says anything."""
        try:
            with self.switch.invocation():
                call()
        except Killed:
            self.died = True
            self._lose_executions()
            if self.again:
                again = partial(self.request, call, is_repeated=True)
                self.driver.at(CALLED_AGAIN_AFTER_SECONDS, again)
        except PermanentError as error:
            (self.refused_again if is_repeated else self.refused).append(type(error).__name__)

    def caller(self, sent: SentDispatch) -> TaskCaller:
        token = self.tokens.get(sent.dispatch_id) or Secret(sent.task_token)
        return self.world.task_tokens.read(token)

    def entering(self, sent: SentDispatch) -> str:
        """The run, once it is known to go on: what each action begins with."""
        self.world.agent_runs.enter(self.caller(sent), sent.dispatch_id)
        return sent.dispatch_id

    def _lose_executions(self) -> None:
        if self.kill_execution:
            for arn in list(self.driver.machines):
                self.driver.lose(arn)

    # Agents.

    def _arrive(self, sent: SentDispatch) -> None:
        number = len(self.world.agent.sent) - 1
        answer = self.answers[number] if number < len(self.answers) else None
        if answer is NEVER_REACHED or not isinstance(answer, StartUnknown | None):
            return
        self.taken.append(sent.dispatch_id)
        role = str(sent.document["agentRole"])
        count = self._dispatched[role] = self._dispatched.get(role, 0) + 1
        for calls in self.work.get(role, ())[count - 1 : count]:
            for when, call in calls:
                self._plan(sent, when, call)

    def _plan(self, sent: SentDispatch, when: float | str, call: Call) -> None:
        def send() -> None:
            self.request(lambda: call(self, sent))

        if when == EARLY:
            send()
        elif when == WHILE_PARKING:
            self.switch.before["activities.save_run"] = send
        else:
            self.driver.at(float(when), send)

    # The table: whatever is written is seen by people, and goes through the stream.

    def _wrap(self, name: str, port: Any) -> Any:
        return self.switch.wrap(name, _Table(port, self._look) if name == "activities" else port)

    def _look(self) -> None:
        for (tenant, activity_id), entry in list(self.world.store._entries.items()):
            seen = self._seen.get(activity_id, 0)
            self._seen[activity_id] = len(entry.events)
            for event in self.world.store.list_events(tenant, activity_id, seen, 1_000):
                if self.stream:
                    self.driver.at(1, partial(self._link, event))
                if event.type in _FOR_PEOPLE:
                    self._show(event)

    def _link(self, event: Event) -> None:
        def hear() -> None:
            self.world.link_activities(event)
            self.world.follow_mentions(event)

        self.request(hear)

    def _show(self, event: Event) -> None:
        """To people, who answer or do not."""
        record = self.world.record(event.activity_id)
        wait = next(each for each in record.waits if each.wait_id == event.detail["wait_id"])
        count = self._asked[wait.kind] = self._asked.get(wait.kind, 0) + 1
        for reply in self.replies.get(wait.kind, ())[count - 1 : count]:
            for after in reply.after:
                self.driver.at(after, partial(self.request, partial(self._reply, wait, reply)))

    def _reply(self, wait: Wait, reply: Reply) -> None:
        if reply.decision is None:
            self.world.resolve_human_task(TENANT, wait.wait_id, reply.note, OPERATOR)
            return
        if reply.decision is Decision.WITHDRAWN:
            self.world.cancel_activity(TENANT, wait.activity_id, reply.note)
            return
        answer = Answer(decision=reply.decision, note=reply.note, answered_by=OPERATOR)
        self.world.decide_approval(TENANT, wait.wait_id, answer)

    # The functions of the state machine, and the sweeper.

    def _as_worker(self, use_case: Callable[..., Any]) -> Callable[..., Any]:
        def work(*args: Any, **kwargs: Any) -> Any:
            with self.switch.invocation():
                return use_case(*args, **kwargs)

        return work

    def _sweep_once(self, has_time: Callable[[], bool]) -> sweeping.Swept:
        try:
            with self.switch.invocation():
                return self._sweep(has_time)
        except Killed:
            self._lose_executions()
            raise


_WORKERS = ("open_run", "dispatch_agent", "park_run", "check_run", "settle_run")
_FOR_PEOPLE = {
    EventType.REVIEW_REQUESTED,
    EventType.APPROVAL_REQUESTED,
    EventType.HUMAN_TASK_OPENED,
}


class InTurn:
    """In place of the sweeper's threads: one after the other, so that a play can be played again,
    and so that all die with the first."""

    def __init__(self, *_: object, **__: object) -> None:
        """As many as there are."""

    def __enter__(self) -> InTurn:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing goes on behind."""

    def submit(self, work: Callable[..., Any], *args: Any) -> Any:
        outcome = work(*args)
        return _Done(outcome)


@dataclass(frozen=True)
class _Done:
    outcome: Any

    def result(self) -> Any:
        return self.outcome


class _Table:
    def __init__(self, store: Any, look: Callable[[], None]) -> None:
        self._store, self._look = store, look

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._store, method)
        if method not in {"apply", "create"}:
            return found

        def write(*args: Any, **kwargs: Any) -> Any:
            written = found(*args, **kwargs)
            self._look()
            return written

        return write
