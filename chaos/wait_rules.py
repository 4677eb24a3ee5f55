"""What activities wait for, against those who asked and answered: nothing forgotten, nothing twice.

Pure, as `checker`, which runs these rules. Not here: runs and their results (`agent_rules`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from agentruns import waits
from agentruns.model import ActivityRecord, Run, WakeReason
from agentruns.problem_words import APPROVAL_REJECTED
from agentruns.statuses import ActivityStatus
from agentruns.wait import Decision, Wait, WaitKind
from agentruns.wake import text_of
from chaos.books import AgentCall, Books, Offence

_ASKS = {
    "request-review": WaitKind.REVIEW,
    "create-approval": WaitKind.APPROVAL,
    "report-blocker": WaitKind.BLOCKER,
    "create-subtask": WaitKind.SUBTASK,
}
_IDS = ("approvalId", "subtaskActivityId")
_BY_CODE = {
    APPROVAL_REJECTED: {Decision.REJECTED, Decision.CHANGES_REQUESTED, Decision.EXPIRED}
    | {Decision.WITHDRAWN},
    waits.APPROVAL_EXPIRED: {Decision.EXPIRED},
    waits.HUMAN_TASK_EXPIRED: {Decision.EXPIRED},
}
"""How the wait was answered that an activity failed of."""


def subtask_ids(books: Books) -> set[str]:
    """The activities that a stored wait names as its subtask."""
    named = (wait.subtask_activity_id for _, wait in _all(books))
    return {activity_id for activity_id in named if activity_id is not None}


def open_subtasks(record: ActivityRecord) -> list[str]:
    return [
        wait.subtask_activity_id
        for wait in record.waits
        if wait.is_open and wait.subtask_activity_id is not None
    ]


def waits_for_a_person(record: ActivityRecord) -> bool:
    """Its run has ended, and what it waits for a person may answer."""
    has_ended = record.current_run.status.is_terminal
    return has_ended and any(wait.kind.is_for_a_person for wait in record.blocking_waits)


def failed_by_a_wait(record: ActivityRecord) -> bool:
    """It failed of what it waited for, however its last run ended."""
    error = record.activity.error
    if record.activity.status is not ActivityStatus.FAILED or error is None:
        return False
    return any(wait.decision in _BY_CODE.get(error.code, ()) for wait in record.waits)


def _opened(books: Books) -> Iterator[Offence]:
    """Asked once, stored once, by a run that went on; open on no activity that has ended."""
    asked = Counter(
        (wait.activity_id, wait.run_id, wait.kind, wait.request_sha256)
        for _, wait in _all(books)
        if wait.request_sha256
    )
    for (activity_id, run_id, kind, _), number in asked.items():
        if number > 1:
            yield _offence("doubled", activity_id, f"{run_id} has {number} times the same {kind}")
    for record, wait in _all(books):
        status, activity_id = record.activity.status, wait.activity_id
        outlives = wait.kind is WaitKind.APPROVAL and not wait.is_blocking
        is_done = status is ActivityStatus.DONE
        if wait.is_open and status.is_terminal and not (is_done and outlives):
            yield _offence("stuck", activity_id, f"{status}, and {wait.wait_id} is still open")
        ended_at = record.run(wait.run_id).ended_at
        by_its_run = wait.kind in _ASKS.values()
        if by_its_run and ended_at is not None and wait.opened_at > ended_at:
            reason = f"{wait.wait_id} was opened after its run had ended"
            yield _offence("contradicted", activity_id, reason)


def _asks(books: Books) -> Iterator[Offence]:
    """What an agent was told that it waits for is stored; the same request is told the same."""
    stored = {wait.wait_id for _, wait in _all(books)} | subtask_ids(books)
    kinds = {(wait.run_id, wait.kind) for _, wait in _all(books)}
    told: dict[tuple[str, str, str], set[str]] = {}
    runs = books.runs()
    for call in books.calls_named(*_ASKS):
        if not call.is_taken:
            continue
        activity_id = runs[call.run_id].activity_id if call.run_id in runs else ""
        wait_id = _id_in(call)
        told.setdefault((activity_id, call.name, str(sorted(call.sent.items()))), set()).add(
            wait_id
        )
        if (call.run_id, _ASKS[call.name]) not in kinds or (wait_id and wait_id not in stored):
            reason = f"{call.name} of {call.run_id} was taken, and is not stored: {wait_id}"
            yield _offence("lost", activity_id, reason)
    for (activity_id, name, _), ids in told.items():
        if len(ids) > 1:
            yield _offence("doubled", activity_id, f"one {name} was answered with {sorted(ids)}")


def _id_in(call: AgentCall) -> str:
    return next((str(call.answer[name]) for name in _IDS if name in call.answer), "")


def _answers(books: Books) -> Iterator[Offence]:
    """What a person was told to be taken stands, and no other word."""
    stored = {wait.wait_id: wait for _, wait in _all(books)}
    for answer in books.answers:
        wait = stored.get(answer.wait_id)
        if not answer.is_taken:
            continue
        if wait is None or wait.decision is None:
            reason = f"{answer.wait_id} was answered {answer.decision}, and is open or gone"
            yield _offence("lost", "" if wait is None else wait.activity_id, reason)
        elif (wait.decision, wait.note or "") != (answer.decision, answer.note):
            reason = f"{answer.wait_id} is {wait.decision}, and {answer.decision} was taken"
            yield _offence("contradicted", wait.activity_id, reason)


def _untold(books: Books) -> Iterator[Offence]:
    """Every answer is told to the run that follows it, in words, and wakes it for its reason."""
    contexts = {call.run_id: call.answer for call in books.calls_named("context") if call.is_taken}
    for record, wait in _all(books):
        if wait.decision in {None, Decision.WITHDRAWN}:
            continue
        if wait.told_in is None:
            if _should_be_told(record, wait):
                reason = f"{wait.wait_id} was answered {wait.decision}, and no run was told"
                yield _offence("lost", wait.activity_id, reason)
            continue
        run = record.run(wait.told_in)
        context = next((contexts[each] for each in _told(record, run) if each in contexts), None)
        rejects = wait.decision is Decision.REJECTED and wait.kind.is_decided and wait.is_blocking
        if rejects and run.wake_reason is not WakeReason.REJECTION:
            reason = f"{wait.wait_id} was rejected, and {run.run_id} woken by {run.wake_reason}"
            yield _offence("contradicted", wait.activity_id, reason)
        if context is not None and not _is_told(wait, context, rejects=rejects):
            reason = f"{run.run_id} was not told what was said to {wait.wait_id}"
            yield _offence("lost", wait.activity_id, reason)


def _told(record: ActivityRecord, run: Run) -> Iterator[str]:
    """The run that is told, and those that make up for it."""
    yield run.run_id
    for following in record.runs[run.attempt :]:
        if following.wake_reason is not WakeReason.RETRY:
            return
        yield following.run_id


def _should_be_told(record: ActivityRecord, wait: Wait) -> bool:
    """A run was opened after the answer, or should have been: it was asked for, and blocked."""
    attempt = record.run(wait.run_id).attempt
    if any(
        run.attempt > attempt and wait.decided_at is not None and run.created_at >= wait.decided_at
        for run in record.runs
    ):
        return True
    is_done = record.activity.status is ActivityStatus.DONE
    return is_done and wait.is_blocking and wait.kind is not WaitKind.LINKED_APPROVAL


def _is_told(wait: Wait, context: Mapping[str, object], *, rejects: bool) -> bool:
    if wait.kind is WaitKind.SUBTASK:
        return (wait.output or wait.note or "") in str(context.get("subtaskOutput") or "")
    if not wait.kind.is_for_a_person:
        return True
    name = "rejectionNote" if rejects else "reviewerFeedback"
    return (wait.note or "") in str(context.get(name) or "")


def _subtasks(books: Books) -> Iterator[Offence]:
    """A parent hears of its subtask's end, and what became of it."""
    for _, wait in _all(books):
        if wait.kind is not WaitKind.SUBTASK or wait.decision is Decision.WITHDRAWN:
            continue
        child_id = wait.subtask_activity_id or ""
        child = books.records.get(child_id)
        if child is None:
            yield _offence("lost", wait.activity_id, f"its subtask {child_id} is not stored")
            continue
        status = child.activity.status
        if wait.is_open:
            if status.is_terminal:
                reason = f"its subtask {child_id} is {status}, and it never heard"
                yield _offence("stuck", wait.activity_id, reason)
            continue
        is_done = wait.decision is Decision.COMPLETED
        output = text_of(child.current_run.output) if is_done else None
        if is_done != (status is ActivityStatus.DONE) or wait.output != output:
            reason = f"its subtask {child_id} is {status}, it heard {wait.decision}"
            yield _offence("contradicted", wait.activity_id, reason)


def _linked(books: Books) -> Iterator[Offence]:
    """Who is named by an approval is held by it, and hears its decision."""
    for _, approval in _all(books):
        for activity_id in approval.linked_activity_ids:
            record = books.records.get(activity_id)
            if record is None:
                continue
            own = [wait for wait in record.waits if wait.approval_id == approval.wait_id]
            ended_at = record.activity.ended_at
            if len(own) > 1:
                reason = f"held {len(own)} times by {approval.wait_id}"
                yield _offence("doubled", activity_id, reason)
            elif not own and (ended_at is None or ended_at > approval.opened_at):
                yield _offence("stuck", activity_id, f"not held by {approval.wait_id}")
            elif own and own[0].is_open and approval.decision is not None:
                yield _offence("stuck", activity_id, f"{approval.wait_id} is decided; unheard of")
            elif own and own[0].decision not in {approval.decision, Decision.WITHDRAWN}:
                reason = f"{approval.wait_id} is {approval.decision}, heard {own[0].decision}"
                yield _offence("contradicted", activity_id, reason)


def _all(books: Books) -> Iterator[tuple[ActivityRecord, Wait]]:
    for record in books.records.values():
        for wait in record.waits:
            yield record, wait


def _offence(verdict: str, activity_id: str, reason: str) -> Offence:
    return Offence(verdict=verdict, activity_id=activity_id, reason=reason)


WAIT_RULES: Sequence[Callable[[Books], Iterator[Offence]]] = (
    _opened,
    _asks,
    _answers,
    _untold,
    _subtasks,
    _linked,
)
