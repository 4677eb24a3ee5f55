"""What is refused of waits: asking when it is too late, and answering what has its answer.

The tree of all errors is drawn in `errors`. Not here: what a refusal means over HTTP (`api`).
"""

from __future__ import annotations

from agentruns.errors import Conflict, NotFound


class ApprovalNotFound(NotFound):
    code = "approval_not_found"
    noun = "approval"


class HumanTaskNotFound(NotFound):
    code = "human_task_not_found"
    noun = "human task"


class RunEnded(Conflict):
    code = "run_ended"

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(f"run {run_id!r} is {status}; it cannot ask for anything any more")
        self.run_id = run_id
        self.status = status


class AlreadyAnswered(Conflict):
    code = "already_answered"

    def __init__(self, wait_id: str, decision: str, decided_by: str) -> None:
        super().__init__(
            f"{wait_id!r} has its answer, {decision} by {decided_by}; this one is not kept"
        )
        self.wait_id = wait_id
        self.decision = decision


class AnswerTooLate(Conflict):
    code = "answer_too_late"

    def __init__(self, wait_id: str, expired_at: str) -> None:
        super().__init__(f"{wait_id!r} expired at {expired_at}")
        self.wait_id = wait_id


class OwnRequest(Conflict):
    code = "own_request"

    def __init__(self, wait_id: str, requested_by: str) -> None:
        super().__init__(f"{wait_id!r} was requested by {requested_by}; somebody else decides it")
        self.wait_id = wait_id
