"""A person's answers: approvals and reviews are decided, blockers and tasks resolved.

Not here: who may call (the operator API), the rules (`waits`), unknown starts (`resolving`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns import waits
from agentruns.errors import ActivityNotFound, InvalidRequest, NotFound
from agentruns.ids import activity_id_of_wait
from agentruns.wait import Answer, Decision, Wait, WaitKind
from agentruns.wait_errors import ApprovalNotFound, HumanTaskNotFound

if TYPE_CHECKING:
    from agentruns.model import ActivityRecord, Change
    from agentruns.ports import Clock
    from agentruns.transact import Decide
    from agentruns.waking import TransactAndWake

_NEED_A_NOTE = frozenset({Decision.REJECTED, Decision.CHANGES_REQUESTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    record: ActivityRecord
    wait: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApproval:
    """Approve, reject or ask for changes. The same decision once more changes nothing."""

    transact_and_wake: TransactAndWake
    clock: Clock

    def __call__(self, tenant: str, approval_id: str, answer: Answer) -> Answered:
        """ApprovalNotFound; InvalidRequest for a missing note or an option that is none;
        AlreadyAnswered, ActivityEnded, AnswerTooLate, OwnRequest."""
        if answer.decision in _NEED_A_NOTE and not answer.note.strip():
            raise InvalidRequest([("note", f"is required where it is {answer.decision}")])
        now = self.clock()

        def decide(record: ActivityRecord) -> Change | None:
            wait = _find(record, approval_id, ApprovalNotFound)
            if not wait.kind.is_decided:
                raise ApprovalNotFound(approval_id)
            if answer.option is not None and answer.option not in wait.options:
                raise InvalidRequest([("option", f"should be one of {list(wait.options)}")])
            return waits.decide(record, wait, answer, now)

        return _answered(self.transact_and_wake, tenant, approval_id, ApprovalNotFound, decide)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveHumanTask:
    """What blocked is gone, or the work is done."""

    transact_and_wake: TransactAndWake
    clock: Clock

    def __call__(self, tenant: str, task_id: str, note: str, resolved_by: str) -> Answered:
        """HumanTaskNotFound; InvalidRequest for work that is done without a note, which is its
        output; AlreadyAnswered, ActivityEnded, AnswerTooLate, OwnRequest."""
        now = self.clock()
        answer = Answer(decision=Decision.RESOLVED, answered_by=resolved_by, note=note)

        def decide(record: ActivityRecord) -> Change | None:
            wait = _find(record, task_id, HumanTaskNotFound)
            if not wait.kind.is_resolved:
                raise HumanTaskNotFound(task_id)
            if wait.kind is WaitKind.HUMAN_TASK and not note.strip():
                raise InvalidRequest([("note", "is required: it is the output of the work")])
            return waits.decide(record, wait, answer, now)

        return _answered(self.transact_and_wake, tenant, task_id, HumanTaskNotFound, decide)


def _answered(
    transact_and_wake: TransactAndWake,
    tenant: str,
    wait_id: str,
    not_found: type[NotFound],
    decide: Decide,
) -> Answered:
    activity_id = activity_id_of_wait(wait_id, not_found)
    try:
        record = transact_and_wake(tenant, activity_id, decide)
    except ActivityNotFound as error:
        raise not_found(wait_id) from error
    return Answered(record=record, wait=_find(record, wait_id, not_found))


def _find(record: ActivityRecord, wait_id: str, not_found: type[NotFound]) -> Wait:
    for wait in record.waits:
        if wait.wait_id == wait_id:
            return wait
    raise not_found(wait_id)
