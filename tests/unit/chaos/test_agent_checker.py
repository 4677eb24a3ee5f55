"""The checker finds what is planted in the books of an agent of one's own.

The books that are right: an activity whose first run asks for a review, an approval that another
activity waits for, and a subtask. The review is rejected, the second run is told of it all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.event_types import EventType
from agentruns.ids import run_id_for, wait_id_for
from agentruns.model import (
    ActivityRecord,
    Event,
    Evidence,
    EvidenceSource,
    Problem,
    Run,
    WakeReason,
)
from agentruns.providers import WebhookAgentAdapter
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.wait import Decision, Wait, WaitKind
from chaos.books import VERDICTS, AgentCall, Books, LogLine, PersonAnswer, Taken
from chaos.checker import check
from tests.contracts.samples import a_run, a_wait, an_activity
from tests.fakes.clock import NOON

AGENT = WebhookAgentAdapter(url="http://127.0.0.1:9/writer")
LATER, LATEST = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)
DONE = (
    EventType.ACTIVITY_OPENED,
    EventType.ACTIVITY_STARTED,
    EventType.RUN_STARTED,
    EventType.RUN_COMPLETED,
    EventType.ACTIVITY_COMPLETED,
)


def ended(record_id: int, number: int = 1) -> ActivityRecord:
    """Done by as many runs of the agent."""
    at = NOON + timedelta(hours=record_id)
    activity = an_activity(
        created_at=at, status=ActivityStatus.DONE, adapter=AGENT, attempt=number, ended_at=at
    )
    evidence = Evidence(
        source=EvidenceSource.AGENT, status=RunStatus.COMPLETED, observed_at=at, decided=True
    )
    runs = tuple(
        a_run(
            activity,
            attempt=attempt,
            status=RunStatus.COMPLETED,
            created_at=NOON if attempt == 1 else LATEST,
            started_at=at,
            ended_at=LATER if attempt == 1 else LATEST,
            output=f"text of {attempt}",
            evidence=(evidence,),
        )
        for attempt in range(1, number + 1)
    )
    return ActivityRecord(activity=activity, runs=runs)


def log(record: ActivityRecord) -> list[Event]:
    """As far as the checker reads it."""
    types: list[tuple[EventType, Run]] = [(DONE[0], record.runs[0]), (DONE[1], record.runs[0])]
    for run in record.runs:
        types += [(EventType.RUN_STARTED, run), (EventType.RUN_COMPLETED, run)]
        types += [(EventType.TOOL_CALLED, run)] * run.tool_calls
    types.append((EventType.ACTIVITY_COMPLETED, record.current_run))
    return [
        Event(
            tenant="acme",
            activity_id=run.activity_id,
            sequence=sequence,
            type=event_type,
            at=NOON,
            run_id=run.run_id,
            detail={},
        )
        for sequence, (event_type, run) in enumerate(types, 1)
    ]


def taken(run: Run) -> Taken:
    return Taken(run_id=run.run_id, activity_id=run.activity_id, wake_reason=run.wake_reason.value)


def result(run: Run, status: int | None = 200, **fields: Any) -> AgentCall:
    sent = {"status": "success", "text": run.output}
    return AgentCall(run_id=run.run_id, name="result", sent=sent, status=status, **fields)


def the_books() -> Books:
    asking, linked, child = ended(0, number=2), ended(1), ended(2)
    first, second = asking.runs
    first = replace(first, tool_calls=1)
    second = replace(second, wake_reason=WakeReason.REJECTION)
    answered = {"decided_at": LATER, "told_in": second.run_id, "note": "too long"}
    review = a_wait(asking.activity, decision=Decision.REJECTED, request_sha256="r", **answered)
    approval = a_wait(
        asking.activity,
        number=2,
        kind=WaitKind.APPROVAL,
        decision=Decision.APPROVED,
        linked_activity_ids=(linked.activity.activity_id,),
        request_sha256="a",
        **answered,
    )
    subtask = a_wait(
        asking.activity,
        number=3,
        kind=WaitKind.SUBTASK,
        decision=Decision.COMPLETED,
        subtask_activity_id=child.activity.activity_id,
        request_sha256="s",
        **(answered | {"note": None, "output": child.current_run.output}),
    )
    held = a_wait(
        linked.activity,
        kind=WaitKind.LINKED_APPROVAL,
        approval_id=approval.wait_id,
        decision=Decision.APPROVED,
        decided_at=LATER,
    )
    asking = replace(asking, runs=(first, second), waits=(review, approval, subtask))
    linked = replace(linked, waits=(held,))
    records = [with_sequence(record) for record in (asking, linked, child)]
    runs = [run for record in records for run in record.runs]
    context = {
        "rejectionNote": "too long",
        "reviewerFeedback": "too long\n\ntoo long",
        "subtaskOutput": child.current_run.output,
    }
    return Books(
        accepted=[record.activity.activity_id for record in records[:2]],
        records={record.activity.activity_id: record for record in records},
        events={record.activity.activity_id: log(record) for record in records},
        starts=[],
        taken=[taken(run) for run in runs],
        calls=[
            *(result(run) for run in runs),
            result(first, 409),
            call(first, "tool-call", {}, {"toolCallId": "call_1"}, key="one"),
            call(first, "tool-call", {}, {"toolCallId": "call_1"}, key="one"),
            call(first, "request-review", {"title": "Look"}, {"approvalId": review.wait_id}),
            call(first, "request-review", {"title": "Look"}, {"approvalId": review.wait_id}),
            call(second, "context", {}, context),
            *(call(first, "stream", delta(number), {}) for number in (3, 1, 3)),
        ],
        texts={
            first.run_id: [
                LogLine(first=1, last=1, text="1 "),
                LogLine(first=2, last=2, text=None),
                LogLine(first=3, last=3, text="3 "),
            ]
        },
        answers=[
            PersonAnswer(
                wait_id=review.wait_id, decision="rejected", note="too long", is_taken=True
            ),
            PersonAnswer(
                wait_id=review.wait_id, decision="approved", note="too long", is_taken=False
            ),
        ],
    )


def with_sequence(record: ActivityRecord) -> ActivityRecord:
    return replace(record, activity=replace(record.activity, last_sequence=len(log(record))))


def call(
    run: Run, name: str, sent: dict[str, Any], answer: dict[str, Any], **fields: Any
) -> AgentCall:
    fields = {"status": 200} | fields
    return AgentCall(run_id=run.run_id, name=name, sent=sent, answer=answer, **fields)


def delta(number: int) -> dict[str, Any]:
    return {"sequenceNum": number, "delta": f"{number} "}


# ---- planting: each takes right books and gives them with one thing wrong -----------------------


def asking_of(books: Books) -> ActivityRecord:
    return books.records[books.accepted[0]]


def linked_of(books: Books) -> ActivityRecord:
    return books.records[books.accepted[1]]


def put(books: Books, record: ActivityRecord) -> Books:
    return replace(books, records={**books.records, record.activity.activity_id: record})


def in_run(books: Books, at: int, **fields: Any) -> Books:
    record = asking_of(books)
    runs = list(record.runs)
    runs[at] = replace(runs[at], **fields)
    return put(books, replace(record, runs=tuple(runs)))


def in_wait(books: Books, at: int, **fields: Any) -> Books:
    record = asking_of(books)
    waits = list(record.waits)
    waits[at] = replace(waits[at], **fields)
    return put(books, replace(record, waits=tuple(waits)))


def in_linked(books: Books, *waits: Wait, **fields: Any) -> Books:
    record = linked_of(books)
    activity = replace(record.activity, **fields)
    return put(books, replace(record, waits=waits, activity=activity))


def one_more(books: Books, more: AgentCall) -> Books:
    return replace(books, calls=[*books.calls, more])


def without(books: Books, name: str) -> Books:
    return replace(books, calls=[each for each in books.calls if each.name != name])


def with_text(books: Books, *lines: LogLine) -> Books:
    return replace(books, texts={asking_of(books).runs[0].run_id: lines})


def another_wait(books: Books, **fields: Any) -> Books:
    record = asking_of(books)
    review = record.waits[0]
    twin = replace(review, wait_id=wait_id_for(review.activity_id, 4), number=4, **fields)
    return put(books, replace(record, waits=(*record.waits, twin)))


def held(books: Books, **fields: Any) -> Books:
    return in_linked(books, replace(linked_of(books).waits[0], **fields))


def first(books: Books) -> Run:
    return asking_of(books).runs[0]


def open_child(books: Books) -> Books:
    """The subtask has ended, and its parent waits on."""
    waiting = in_wait(books, 2, decision=None, told_in=None, output=None, decided_at=None)
    record = asking_of(waiting)
    activity = replace(record.activity, status=ActivityStatus.AWAITING_SUBTASK)
    return put(waiting, replace(record, activity=activity))


def unknown(books: Books) -> Books:
    """Its agent has called, and nobody here knows that it has the run."""
    record = linked_of(books)
    run = replace(record.current_run, status=RunStatus.START_UNKNOWN, evidence=())
    activity = replace(record.activity, status=ActivityStatus.BLOCKED)
    return put(books, replace(record, activity=activity, runs=(run,), waits=()))


def never_dispatched(books: Books) -> Books:
    own = first(books).run_id
    return replace(books, taken=[each for each in books.taken if each.run_id != own])


def told_nothing(books: Books, name: str) -> Books:
    calls = [
        replace(each, answer={**each.answer, name: None}) if each.name == "context" else each
        for each in books.calls
    ]
    return replace(books, calls=calls)


Planted = tuple[str, str, Callable[[Books], Books]]
PLANTED: dict[str, Planted] = {
    "a dispatch that no row has": (
        "lost",
        "which no row has",
        lambda b: replace(
            b, taken=[*b.taken, Taken(run_id="run_9", activity_id="", wake_reason="new_task")]
        ),
    ),
    "a dispatch that is denied": (
        "lost",
        "denies that the agent has it",
        lambda b: in_run(b, 0, started_at=None),
    ),
    "a run taken twice": (
        "doubled",
        "was taken 2 times",
        lambda b: replace(b, taken=[*b.taken, b.taken[0]]),
    ),
    "a run that the agent never took": ("contradicted", "never took it", never_dispatched),
    "another wake reason": (
        "contradicted",
        "told new_task",
        lambda b: replace(b, taken=[replace(each, wake_reason="new_task") for each in b.taken]),
    ),
    "two results of a run": (
        "contradicted",
        "2 results",
        lambda b: one_more(b, result(first(b))),
    ),
    "another text than was taken": (
        "contradicted",
        "is not as the result says",
        lambda b: in_run(b, 0, output="another"),
    ),
    "failed, though a success was taken": (
        "contradicted",
        "is not as the result says",
        lambda b: in_run(
            b, 0, status=RunStatus.FAILED, error=Problem(code="agent_failed", message="no")
        ),
    ),
    "a result that nobody sent": (
        "contradicted",
        "never sent",
        lambda b: without(b, "result"),
    ),
    "every result refused": (
        "contradicted",
        "every result was refused",
        lambda b: replace(
            b,
            calls=[
                replace(each, status=409) if each.name == "result" else each for each in b.calls
            ],
        ),
    ),
    "let in with a damaged token": (
        "contradicted",
        "with a damaged token",
        lambda b: one_more(b, call(first(b), "context", {}, {}, is_ours=False)),
    ),
    "called, and still unknown": ("stuck", "is unknown, though its agent called", unknown),
    "a tool call under two ids": (
        "doubled",
        "tool calls",
        lambda b: one_more(b, call(first(b), "tool-call", {}, {"toolCallId": "call_2"}, key="one")),
    ),
    "a tool call that is not counted": (
        "lost",
        "has 0 tool calls",
        lambda b: in_run(b, 0, tool_calls=0),
    ),
    "a tool call told by no event": (
        "contradicted",
        "events tell 1 tool calls",
        lambda b: replace(
            b,
            events={
                key: [each for each in events if each.type is not EventType.TOOL_CALLED]
                for key, events in b.events.items()
            },
        ),
    ),
    "text out of order": (
        "gaps",
        "goes on with 3, not 1",
        lambda b: with_text(
            b, LogLine(first=3, last=3, text="3 "), LogLine(first=1, last=1, text="1 ")
        ),
    ),
    "text twice": (
        "gaps",
        "goes on with 3, not 4",
        lambda b: with_text(b, *b.texts[first(b).run_id], LogLine(first=3, last=3, text="3 ")),
    ),
    "text with a gap that nobody declares": (
        "gaps",
        "goes on with 3, not 2",
        lambda b: with_text(
            b, LogLine(first=1, last=1, text="1 "), LogLine(first=3, last=3, text="3 ")
        ),
    ),
    "text that was taken and is not shown": (
        "gaps",
        "lacks [(3, '3 ')]",
        lambda b: with_text(b, LogLine(first=1, last=1, text="1 ")),
    ),
    "text that nobody wrote": (
        "gaps",
        "never sent",
        lambda b: with_text(
            b, LogLine(first=1, last=1, text="1 "), LogLine(first=2, last=3, text="3 ")
        ),
    ),
    "the same question twice": (
        "doubled",
        "2 times the same review",
        another_wait,
    ),
    "one question, two answers": (
        "doubled",
        "one request-review was answered with",
        lambda b: one_more(
            b,
            call(
                first(b),
                "request-review",
                {"title": "Look"},
                {"approvalId": asking_of(b).waits[1].wait_id},
            ),
        ),
    ),
    "a question that is not stored": (
        "lost",
        "was taken, and is not stored",
        lambda b: one_more(
            b, call(first(b), "request-review", {"title": "New"}, {"approvalId": "wait_9"})
        ),
    ),
    "a help that was not called": (
        "lost",
        "was taken, and is not stored",
        lambda b: one_more(b, call(first(b), "report-blocker", {}, {"status": "blocked"})),
    ),
    "ended, and a wait open": (
        "stuck",
        "is still open",
        lambda b: in_wait(b, 0, decision=None, told_in=None),
    ),
    "asked by a run that had ended": (
        "contradicted",
        "was opened after its run had ended",
        lambda b: in_wait(b, 0, opened_at=LATEST),
    ),
    "an answer that was taken and is not there": (
        "lost",
        "is open or gone",
        lambda b: replace(b, answers=[replace(b.answers[0], wait_id="wait_9")]),
    ),
    "another answer than was taken": (
        "contradicted",
        "and approved was taken",
        lambda b: replace(b, answers=[replace(each, is_taken=True) for each in b.answers]),
    ),
    "an answer that no run is told": (
        "lost",
        "no run was told",
        lambda b: in_wait(b, 0, told_in=None),
    ),
    "an answer that the next run cannot read": (
        "lost",
        "was not told what was said",
        lambda b: told_nothing(b, "rejectionNote"),
    ),
    "a subtask's output that the parent cannot read": (
        "lost",
        "was not told what was said",
        lambda b: told_nothing(b, "subtaskOutput"),
    ),
    "rejected, and woken as approved": (
        "contradicted",
        "woken by approval_decided",
        lambda b: in_run(b, 1, wake_reason=WakeReason.APPROVAL_DECIDED),
    ),
    "a parent that never hears": ("stuck", "never heard", open_child),
    "a parent that hears otherwise": (
        "contradicted",
        "it heard failed",
        lambda b: in_wait(b, 2, decision=Decision.FAILED, output=None),
    ),
    "a subtask that is not stored": (
        "lost",
        "is not stored",
        lambda b: in_wait(b, 2, subtask_activity_id="act_9"),
    ),
    "a linked activity that was not held": (
        "stuck",
        "not held by",
        lambda b: in_linked(b, ended_at=LATEST),
    ),
    "a linked activity held twice": (
        "doubled",
        "held 2 times",
        lambda b: in_linked(b, *(linked_of(b).waits * 2)),
    ),
    "a decision that the linked one never hears": (
        "stuck",
        "unheard of",
        lambda b: held(b, decision=None),
    ),
    "a decision that the linked one hears otherwise": (
        "contradicted",
        "heard rejected",
        lambda b: held(b, decision=Decision.REJECTED),
    ),
}


def test_right_books_are_clean():
    found = check(the_books())

    assert [] == found.offences
    assert (3, 4, 0) == (found.accepted, found.starts, found.unknown)
    assert {ActivityStatus.DONE: 3} == found.ended


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_wrong_is_found(planted: str):
    verdict, words, wrong = PLANTED[planted]

    found = check(wrong(the_books()))

    assert [each for each in found.offences if each.verdict == verdict and words in each.reason]


def test_every_verdict_can_be_reached():
    assert set(VERDICTS) == {verdict for verdict, _, _ in PLANTED.values()}


def test_a_review_that_is_open_waits_visibly_and_so_does_the_parent_of_one():
    """The run has ended; nobody has answered."""
    books = the_books()
    parent, child_id = asking_of(books), asking_of(books).waits[2].subtask_activity_id or ""
    child = books.records[child_id]
    review = a_wait(child.activity)
    waiting = {
        child_id: waiting_for(child, ActivityStatus.AWAITING_REVIEW, review),
        parent.activity.activity_id: waiting_for(
            replace(parent, runs=parent.runs[:1]),
            ActivityStatus.AWAITING_SUBTASK,
            replace(parent.waits[2], decision=None, told_in=None),
        ),
    }

    found = check(replace(books, records={**books.records, **waiting}))

    assert 2 == found.unknown
    assert not [each for each in found.offences if each.verdict == "stuck"]


def waiting_for(record: ActivityRecord, status: ActivityStatus, wait: Wait) -> ActivityRecord:
    activity = replace(record.activity, status=status)
    return replace(record, activity=activity, waits=(wait,))


def test_an_activity_may_fail_of_another_ones_approval_after_its_run_completed():
    books = the_books()
    refused = held(in_wait(books, 1, decision=Decision.REJECTED), decision=Decision.REJECTED)
    record = linked_of(refused)
    problem = Problem(code="approval_rejected", message="not now")
    activity = replace(record.activity, status=ActivityStatus.FAILED, error=problem)

    assert [] == check(put(refused, replace(record, activity=activity))).offences
    assert check(put(refused, replace(record, activity=activity, waits=()))).offences


def test_an_answer_that_was_lost_may_be_refused_when_it_is_sent_again():
    books = the_books()
    calls = [
        replace(each, status=409, tries=2) if each.name == "result" else each
        for each in books.calls
    ]

    assert [] == check(replace(books, calls=calls)).offences


def test_a_retry_may_be_told_in_place_of_the_run_that_never_began():
    """The run that was to be told was never dispatched; the next one makes up for it."""
    books = the_books()
    record = asking_of(books)
    never = replace(record.runs[1], run_id=run_id_for(record.activity.activity_id, 3))
    lost = replace(
        record.runs[1],
        status=RunStatus.FAILED,
        started_at=None,
        error=Problem(code="not_started", message="nothing was started"),
    )
    retried = replace(never, attempt=3, wake_reason=WakeReason.RETRY)
    second = put(books, replace(record, runs=(record.runs[0], lost, retried)))
    calls = [
        replace(each, run_id=retried.run_id) if each.run_id == lost.run_id else each
        for each in second.calls
    ]

    found = check(replace(second, calls=calls))

    assert not [each for each in found.offences if "was not told" in each.reason]
    blank = replace(second, calls=[replace(each, answer={}) for each in calls])
    assert [each for each in check(blank).offences if "was not told" in each.reason]
