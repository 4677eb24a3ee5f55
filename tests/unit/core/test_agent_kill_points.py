"""A worker dies before or after any call of any port, while agents of one's own are at work.

FAILURE-MODES row 29, as `test_kill_points` for AOPs and workflows: whatever dies where, alone or
with every execution, an agent is given a run at most once, whoever waits hears what it waits for,
and everything ends. Agents and people call again where they got no answer, the stream delivers
again; or never, and then the deadline or the sweeper makes up for it.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from agentruns import sweeping
from agentruns.definitions import ActivityRequest
from agentruns.deltas import Delta, Gap
from agentruns.errors import StartUnknown, UpstreamUnavailable
from agentruns.event_types import EventType
from agentruns.log_positions import LogPosition
from agentruns.model import (
    ActivityRecord,
    EvidenceSource,
    OnStartUnknown,
    RetryPolicy,
    Run,
    WakeReason,
)
from agentruns.refusals import AgentRefused
from agentruns.run_log import ReadRunLog
from agentruns.statuses import ActivityStatus
from agentruns.wait import Decision, OnApprovalExpired, Wait, WaitKind
from tests.fakes.clock import NOON
from tests.fakes.world import TENANT, WRITER
from tests.unit.core.around import (
    EARLY,
    EDITOR,
    LONG,
    NEVER_REACHED,
    WHILE_PARKING,
    Around,
    Calls,
    InTurn,
    Reply,
    approval,
    blocker,
    comment,
    context,
    done,
    failed,
    given_to,
    new_token,
    review,
    subtask,
    text,
    tool,
    two_results,
)
from tests.unit.core.invariants import check_invariants
from tests.unit.core.killing import LATEST_SECONDS, KillPoint, KillSwitch

pytestmark = pytest.mark.slow

VISITED_AFTER_SECONDS = 3600
"""When the sweeper sees at the latest what the stream did not tell."""

AT_ONCE = timedelta(seconds=5)

ASK_AGAIN = RetryPolicy(max_attempts=2, backoff_seconds=10)
WORKS: Calls = ((10, context), (60, done()))
WORKS_LONG: Calls = ((10, context), (600, done()))
WORKS_AND_IS_TOLD: Calls = ((10, context), (30, done("the next draft")))


@dataclass(frozen=True)
class Scenario:
    """`work`, `replies`, `answers`, `agent`, `stream`: as of `Around`. `beside`: how many
    activities of the other agent are opened a little before. `expected`: how the activity ends,
    and those beside it. `refused`: calls that are refused though nothing dies."""

    work: tuple[Calls, ...]
    others: tuple[Calls, ...] = ()
    replies: dict[WaitKind, tuple[Reply, ...]] = field(default_factory=dict)
    answers: tuple[Exception | None, ...] = ()
    agent: dict[str, Any] = field(default_factory=dict)
    stream: bool = True
    beside: int = 0
    expected: tuple[ActivityStatus, ...] = (ActivityStatus.DONE,)
    refused: tuple[str, ...] = ()


DONE, FAILED = ActivityStatus.DONE, ActivityStatus.FAILED
CANCELLED, REASSIGNED = ActivityStatus.CANCELLED, ActivityStatus.REASSIGNED
APPROVED = Reply(note="go on")
TO_CHANGE = Reply(decision=Decision.CHANGES_REQUESTED, note="shorter")
REJECTED = Reply(decision=Decision.REJECTED, note="not this week")
RESOLVED = Reply(decision=None, note="it is there now")

SCENARIOS = {
    "delivers": Scenario(
        work=(
            (
                (10, context),
                (20, text(2)),
                (30, text(1)),
                (40, text(1)),
                (50, tool("first")),
                (60, tool("first")),
                (70, new_token),
                (80, comment),
                (90, tool("second")),
                (100, done()),
            ),
        ),
    ),
    "delivers twice": Scenario(
        work=(((10, done()), (20, done("another"))),), refused=("ResultAlreadyReceived",)
    ),
    "delivers two results at once": Scenario(
        work=(((10, two_results),),), refused=("ResultAlreadyReceived",)
    ),
    "delivers before its dispatch is answered": Scenario(work=(((EARLY, done()),),)),
    "delivers before its dispatch's answer is lost": Scenario(
        work=(((EARLY, done()),),), answers=(StartUnknown("reset"),)
    ),
    "delivers while its execution parks": Scenario(work=(((WHILE_PARKING, done()),),)),
    "does not take it for a while": Scenario(
        work=(WORKS,),
        answers=(
            UpstreamUnavailable("429", retry_after_seconds=20),
            UpstreamUnavailable("503"),
            UpstreamUnavailable("connection reset while connecting"),
        ),
    ),
    "takes it without an answer": Scenario(work=(WORKS,), answers=(StartUnknown("reset"),)),
    "takes it without an answer and only delivers": Scenario(
        work=(((300, done()),),), answers=(StartUnknown("reset"),)
    ),
    "never had it, and nobody knows": Scenario(
        work=(WORKS,), answers=(NEVER_REACHED,), expected=(FAILED,)
    ),
    "never had it, and is given another run": Scenario(
        work=(WORKS,),
        answers=(NEVER_REACHED,),
        agent={"on_start_unknown": OnStartUnknown.RETRY, "retry": ASK_AGAIN},
    ),
    "refuses it": Scenario(
        work=(), answers=(AgentRefused("agents.example", 400, "no"),), expected=(FAILED,)
    ),
    "fails and is given another run": Scenario(
        work=(((10, text(1)), (20, failed())), WORKS), agent={"retry": ASK_AGAIN}
    ),
    "never calls back in time": Scenario(
        work=(((10, context), (400, done())),),
        agent={"timeout_seconds": 300},
        expected=(FAILED,),
        refused=("ResultAlreadyReceived",),
    ),
    "asks for help and gives up": Scenario(
        work=(((10, blocker), (20, failed("no data"))), WORKS_AND_IS_TOLD),
        replies={WaitKind.BLOCKER: (Reply(decision=None, after=(100, 130), note="it is there"),)},
    ),
    "is reviewed after its end, fails, and is told again": Scenario(
        work=(
            ((10, review), (20, done("the first draft"))),
            ((10, context), (20, failed())),
            WORKS_AND_IS_TOLD,
        ),
        replies={WaitKind.REVIEW: (TO_CHANGE,)},
        agent={"retry": ASK_AGAIN},
    ),
    "is reviewed before its end": Scenario(
        work=(((10, review), (200, done("the first draft"))), WORKS_AND_IS_TOLD),
        replies={
            WaitKind.REVIEW: (Reply(after=(100, 130), decision=Decision.REJECTED, note="no"),)
        },
    ),
    "is reviewed and falls silent": Scenario(
        work=(((10, review),), WORKS_AND_IS_TOLD), replies={WaitKind.REVIEW: (TO_CHANGE,)}
    ),
    "is reviewed the moment it delivers": Scenario(
        work=(((10, review), (110, done("the first draft"))), WORKS_AND_IS_TOLD),
        replies={WaitKind.REVIEW: (TO_CHANGE,)},
    ),
    "waits for two answers": Scenario(
        work=(((10, review), (20, approval()), (40, done("a draft"))), WORKS_AND_IS_TOLD),
        replies={WaitKind.REVIEW: (TO_CHANGE,), WaitKind.APPROVAL: (REJECTED,)},
    ),
    "gives part of the work away": Scenario(
        work=(((10, subtask()), (20, done("so far"))), WORKS_AND_IS_TOLD), others=(WORKS,)
    ),
    "gives part of the work away, which ends first": Scenario(
        work=(((10, subtask()), (200, done("so far"))), WORKS_AND_IS_TOLD), others=(WORKS,)
    ),
    "gives part of the work away, which fails": Scenario(
        work=(((10, subtask()), (20, done("so far"))), WORKS_AND_IS_TOLD),
        others=(((10, failed()),),),
    ),
    "gives part of the work away, and nobody streams": Scenario(
        work=(((10, subtask()), (20, done("so far"))), WORKS_AND_IS_TOLD),
        others=(WORKS,),
        stream=False,
    ),
    "gives part of the work away, which is given on": Scenario(
        work=(
            ((10, subtask()), (20, done("so far"))),
            ((10, context), (50, done("found out"))),
            WORKS_AND_IS_TOLD,
        ),
        others=(((10, given_to(WRITER)),),),
    ),
    "gives part of the work away and does not wait": Scenario(
        work=(((10, subtask(blocking=False)), (20, done())),), others=(WORKS,)
    ),
    "gives it to another": Scenario(
        work=(((10, given_to(EDITOR)),),), others=(WORKS,), expected=(REASSIGNED,)
    ),
    "gives it to a person": Scenario(
        work=(((10, given_to()),),),
        replies={WaitKind.HUMAN_TASK: (Reply(decision=None, after=(100, 130), note="did it"),)},
        expected=(REASSIGNED,),
    ),
    "has others wait for its approval": Scenario(
        work=(((10, approval()), (20, done("a draft"))), WORKS_AND_IS_TOLD),
        others=(WORKS_LONG,),
        replies={WaitKind.APPROVAL: (APPROVED,)},
        beside=1,
        expected=(DONE, DONE),
    ),
    "has others wait for its approval, and nobody streams": Scenario(
        work=(((10, approval()), (20, done("a draft"))), WORKS_AND_IS_TOLD),
        others=(WORKS_LONG,),
        replies={WaitKind.APPROVAL: (APPROVED,)},
        beside=1,
        stream=False,
        expected=(DONE, DONE),
    ),
    "has others wait for its approval, and does not wait": Scenario(
        work=(((10, approval(blocking=False)), (20, done("a draft"))),),
        others=(WORKS_LONG,),
        replies={WaitKind.APPROVAL: (APPROVED,)},
        beside=1,
        expected=(DONE, DONE),
    ),
    "has others wait for an approval that is not given": Scenario(
        work=(((10, approval()), (20, done("a draft"))), WORKS_AND_IS_TOLD),
        others=(WORKS_LONG,),
        replies={WaitKind.APPROVAL: (REJECTED,)},
        beside=1,
        expected=(DONE, FAILED),
    ),
    "has others wait and gives it to another": Scenario(
        work=(((10, approval()), (20, given_to(EDITOR))),),
        others=(WORKS_LONG, WORKS),
        beside=1,
        expected=(REASSIGNED, FAILED),
    ),
    **{
        f"has its approval expire: {policy.value}": Scenario(
            work=(((10, approval()), (20, done("a draft"))), WORKS_AND_IS_TOLD),
            agent={"on_approval_expired": policy},
            expected=(DONE if policy in {"approve", "reject"} else FAILED,),
        )
        for policy in OnApprovalExpired
    },
    "has others wait for an approval that expires": Scenario(
        work=(((10, approval()), (20, done("a draft"))),),
        others=(WORKS_LONG,),
        beside=1,
        expected=(FAILED, FAILED),
    ),
    "gives part of the work away, and then the whole": Scenario(
        work=(((10, subtask()), (20, given_to(EDITOR))),),
        others=(WORKS_LONG, WORKS_LONG),
        expected=(REASSIGNED,),
        refused=("ResultAlreadyReceived",),
    ),
    "is cancelled while others wait": Scenario(
        work=(((10, approval()), (20, subtask()), (30, done("a draft"))),),
        others=(WORKS_LONG, WORKS_LONG),
        beside=1,
        replies={WaitKind.APPROVAL: (Reply(decision=Decision.WITHDRAWN),)},
        expected=(CANCELLED, FAILED),
        refused=("ResultAlreadyReceived",),
    ),
}


@dataclass(frozen=True)
class Played:
    scenario: Scenario
    around: Around
    opened: tuple[str, ...]
    """The activity, and those beside it."""

    @property
    def records(self) -> list[ActivityRecord]:
        """Of every activity, as they were opened."""
        world = self.around.world
        return [world.record(activity_id) for _, activity_id in world.store._entries]

    def outcome(self) -> list[Any]:
        """What a kill may not change. Of what was asked and not waited for it is left to chance
        whether the answer or the end was first; likewise how far a run came that was in vain."""
        return [
            (
                record.activity.agent_role,
                record.activity.status,
                record.activity.error and record.activity.error.code,
                [(run.status, run.wake_reason) for run in record.runs if _counts(record)],
                [(wait.kind, wait.decision) for wait in record.waits if wait.is_blocking],
            )
            for record in self.records
        ]

    def is_as(self, alive: Played) -> bool:
        """Whether all was done that had to be, if later. Not where a call was never made again,
        nor where a worker died between the row's word and the agent's."""
        around = self.around
        if around.died and not around.again and not around.switch.wrote:
            return False
        return len(self.unknown_starts()) <= len(alive.unknown_starts())

    def unknown_starts(self) -> set[str | None]:
        """Runs that no call of their agents was to make known."""
        policy = self.scenario.agent.get("on_start_unknown", OnStartUnknown.HOLD)
        told = {
            event.run_id
            for record in self.records
            for event in self.around.world.events(record.activity.activity_id)
            if event.type is EventType.RUN_START_UNKNOWN
        }
        return told - set(self.around.taken) if policy is OnStartUnknown.HOLD else told


def _counts(record: ActivityRecord) -> bool:
    return record.activity.status is ActivityStatus.DONE


def play(
    scenario: Scenario, switch: KillSwitch, *, kill_execution: bool, again: bool = True
) -> Played:
    around = Around(
        switch,
        {WRITER: scenario.work, EDITOR: scenario.others},
        scenario.replies,
        scenario.answers,
        again=again,
        stream=scenario.stream,
        kill_execution=kill_execution,
        agent=scenario.agent,
    )
    with (
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch.object(sweeping, "ThreadPoolExecutor", InTurn),
    ):
        for _ in range(scenario.beside):
            around.beside.append(_open(around, EDITOR))
            around.world.clock.advance(1)
        opened = (_open(around, WRITER), *around.beside)
        switch.armed = True
        around.driver.run(seconds=LONG)
        switch.armed = False
    return Played(scenario, around, opened)


def _open(around: Around, role: str) -> str:
    request = ActivityRequest(agent_role=role, message="write", title="An article")
    return str(around.world.accept(request).activity_id)


@pytest.mark.parametrize("kill_execution", [False, True], ids=["worker", "execution"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_29_whatever_dies_agents_and_people_are_heard_once_and_everything_ends(
    name, kill_execution, record_property
):
    scenario = SCENARIOS[name]
    untouched = KillSwitch()
    alive = play(scenario, untouched, kill_execution=kill_execution)
    check(alive, alive, name)
    statuses = [alive.around.world.record(each).activity.status for each in alive.opened]
    assert (list(scenario.expected), list(scenario.refused)) == (statuses, alive.around.refused)
    if scenario.stream:
        check_heard_at_once(alive)
    points = untouched.points()
    never_again = 0
    for point in points:
        played = play_killed(scenario, point, kill_execution, again=True)
        check(played, alive, f"{name}: {point}")
        if played.around.died and scenario.stream and not kill_execution:  # two losses are enough
            never_again += 1
            alone = play_killed(scenario, point, kill_execution, again=False)
            check(alone, alive, f"{name}: {point}, and nobody calls again")
    record_property("kill_points", len(points) + never_again)  # told by the session


def play_killed(
    scenario: Scenario, point: KillPoint, kill_execution: bool, *, again: bool
) -> Played:
    switch = KillSwitch.at(point)
    played = play(scenario, switch, kill_execution=kill_execution, again=again)
    assert switch.fired, point
    return played


def check(played: Played, alive: Played, where: str) -> None:
    around = played.around
    for record in played.records:
        check_invariants(around.world, record.activity.activity_id)
        check_end(record, where)
        check_answers(played, record, where)
        check_prior_output(played, record, where)
        check_text(played, record, where)
        check_tool_calls(played, record, where)
    check_what_was_opened(played, where)
    check_threads(played, where)
    assert not around.world.store.list_due_runs(NOON + timedelta(days=365), 10), where
    assert not around.driver.machines, where
    if not played.is_as(alive):
        return
    assert alive.outcome() == played.outcome(), where
    check_refusals(played, where)
    for record, unharmed in zip(played.records, alive.records, strict=True):
        assert ended_at(record) <= ended_at(unharmed) + latest(played), where


def check_refusals(played: Played, where: str) -> None:
    """Nobody is refused what it was not without the kill; save the call that was made again."""
    around = played.around
    more = Counter((*around.refused, *around.refused_again)) - Counter(played.scenario.refused)
    assert more <= Counter(around.refused_again), (where, around.refused, more)
    assert set(more) <= {"ResultAlreadyReceived", "Unauthenticated"}, (where, more)


def latest(played: Played) -> timedelta:
    is_visited = played.around.died and not played.around.again
    return timedelta(seconds=LATEST_SECONDS + is_visited * VISITED_AFTER_SECONDS)


def ended_at(record: ActivityRecord) -> datetime:
    assert record.activity.ended_at is not None
    return record.activity.ended_at


def check_end(record: ActivityRecord, where: str) -> None:
    activity = record.activity
    assert activity.status.is_terminal, where
    assert ended_at(record) <= activity.deadline_at + timedelta(seconds=LATEST_SECONDS), where
    assert [] == [wait for wait in record.waits if wait.is_open], where
    for run in record.runs:
        said = [each for each in run.evidence if each.source is EvidenceSource.AGENT]
        assert len(said) <= 1, where


def check_what_was_opened(played: Played, where: str) -> None:
    """No run is dispatched twice, no subtask opened and no activity given on twice."""
    taken = played.around.taken
    assert len(set(taken)) == len(taken), where
    records = {record.activity.activity_id: record for record in played.records}
    children = [
        wait.subtask_activity_id
        for record in records.values()
        for wait in record.waits
        if wait.kind is WaitKind.SUBTASK
    ]
    given_on = {
        record.activity.reassigned_from: activity_id
        for activity_id, record in records.items()
        if record.activity.reassigned_from is not None
    }
    owned = [
        activity_id
        for activity_id, record in records.items()
        if record.activity.parent_activity_id is not None and activity_id not in given_on.values()
    ]
    assert sorted(owned) == sorted(str(_first_of(records, str(child))) for child in children), where
    assert all(records[str(old)].activity.reassigned_as == new for old, new in given_on.items())
    notified = [each for each in records.values() if each.activity.mentioned_in is not None]
    opened = len(given_on) + len(played.opened) + len(owned) + len(notified)
    assert opened == len(records), where


def check_threads(played: Played, where: str) -> None:
    """A comment is written once; it notifies whom it says, and each of them answers once."""
    store = played.around.world.store
    told = [record for record in played.records if record.activity.mentioned_in is not None]
    done = [record.current_run.run_id for record in told if record.activity.status is DONE]
    notified, answered = [], []
    for record in played.records:
        thread = store.list_comments(TENANT, record.activity.activity_id, "", 100)
        own = [comment.text for comment in thread if comment.reply_to is None]
        assert len(set(own)) == len(own), where
        notified += [each.activity_id for comment in thread for each in comment.notified]
        answered += [comment.run_id for comment in thread if comment.reply_to is not None]
    assert sorted(map(str, notified)) == sorted(each.activity.activity_id for each in told), where
    assert sorted(map(str, answered)) == sorted(done), where


def _first_of(records: dict[str, ActivityRecord], activity_id: str) -> str:
    while (before := records[activity_id].activity.reassigned_from) is not None:
        activity_id = before
    return activity_id


def check_answers(played: Played, record: ActivityRecord, where: str) -> None:
    """Each answer is told to the run that was opened next, and to those that make up for it."""
    world = played.around.world
    events = world.events(record.activity.activity_id)
    for wait in record.waits:
        if wait.decision in {None, Decision.WITHDRAWN}:
            continue
        answered = next(
            event
            for event in events
            if event.detail.get("wait_id") == wait.wait_id and event.detail.get("decision")
        )
        following = [
            event.detail["next_run_id"]
            for event in events
            if event.sequence > answered.sequence and "next_run_id" in event.detail
        ]
        assert (following[0] if following else None) == wait.told_in, where
        if wait.kind is WaitKind.SUBTASK:
            child = world.record(str(wait.subtask_activity_id)).activity
            is_done = child.status is ActivityStatus.DONE
            assert child.status is not ActivityStatus.REASSIGNED, where
            assert is_done == (wait.decision is Decision.COMPLETED), where
        check_told(played, record, wait, where)


def check_told(played: Played, record: ActivityRecord, wait: Wait, where: str) -> None:
    """What agents read of it: in that run, and in each that makes up for it."""
    said = wait.output or wait.note
    is_told = False
    for run in record.runs:
        is_told = run.run_id == wait.told_in or (is_told and run.wake_reason is WakeReason.RETRY)
        briefing = played.around.told.get(run.run_id)
        if briefing is None or said is None or wait.kind is WaitKind.LINKED_APPROVAL:
            continue
        told = f"{briefing.reviewer_feedback}\n{briefing.subtask_output}"
        assert (said in told) is is_told, where


def check_heard_at_once(alive: Played) -> None:
    """While nothing dies, the stream tells at once what one activity waits to hear of another."""
    waits = {wait.wait_id: wait for record in alive.records for wait in record.waits}
    for wait in waits.values():
        known_at = wait.decided_at
        if wait.kind is WaitKind.SUBTASK and wait.decision is not Decision.WITHDRAWN:
            known_at = alive.around.world.record(str(wait.subtask_activity_id)).activity.ended_at
        if wait.kind is WaitKind.LINKED_APPROVAL:
            known_at = waits[str(wait.approval_id)].decided_at
        assert known_at is not None
        assert wait.decided_at is not None
        assert wait.decided_at <= known_at + AT_ONCE


def check_prior_output(played: Played, record: ActivityRecord, where: str) -> None:
    """Each run is told the newest output before it."""
    newest = None
    for run in record.runs:
        if run.run_id in played.around.told:
            assert newest == played.around.told[run.run_id].prior_output, where
        newest = run.output or newest


def check_text(played: Played, record: ActivityRecord, where: str) -> None:
    """Each piece once, in order, none lost that was answered; and every gap declared."""
    world = played.around.world
    read = ReadRunLog(activities=world.store, deltas=world.deltas, clock=world.clock)
    for run in record.runs:
        page = read(record, run, LogPosition(), 1_000)
        told = [entry.told for entry in page.entries if isinstance(entry.told, Delta)]
        numbers = [delta.number for delta in told]
        assert sorted(set(numbers)) == numbers, where
        assert _of(run, played.around.stored) <= set(numbers), where
        assert set(numbers) <= _of(run, played.around.streamed), where
        gaps = [entry.told for entry in page.entries if isinstance(entry.told, Gap)]
        missing = {number for gap in gaps for number in range(gap.first, gap.last + 1)}
        assert missing == set(range(1, max(numbers, default=0))) - set(numbers), where


def check_tool_calls(played: Played, record: ActivityRecord, where: str) -> None:
    """Each is counted and paid for once, however often it was told."""
    for run in record.runs:
        calls = played.around.world.tool_calls.list(run, 0, 1_000).items
        keys = [call.key_sha256 for call in calls]
        told = played.around.world.event_types(record.activity.activity_id).count("ToolCalled")
        assert len(set(keys)) == len(keys) == run.tool_calls == told, where
        assert sum(call.cost_nanousd for call in calls) == run.tool_cost_nanousd, where


def _of(run: Run, pieces: set[tuple[str, int]]) -> set[int]:
    return {number for run_id, number in pieces if run_id == run.run_id}
