"""What an activity waits for besides its run: a person's answer, another activity, an approval.

Plain immutable values. Not here: what opens and answers a wait (`waits`), how one is stored
(`store.wait_items`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST_WAIT = timedelta(days=30)
"""Of a wait that has no expiry of its own."""


class WaitKind(StrEnum):
    BLOCKER = "blocker"
    REVIEW = "review"
    APPROVAL = "approval"
    LINKED_APPROVAL = "linked_approval"
    """Another activity's approval, which names this activity."""

    SUBTASK = "subtask"
    HUMAN_TASK = "human_task"
    """The whole work, given to a person."""

    @property
    def is_decided(self) -> bool:
        """A person approves or rejects it."""
        return self in {WaitKind.REVIEW, WaitKind.APPROVAL}

    @property
    def is_resolved(self) -> bool:
        """A person says that it is done."""
        return self in {WaitKind.BLOCKER, WaitKind.HUMAN_TASK}

    @property
    def is_for_a_person(self) -> bool:
        return self.is_decided or self.is_resolved


class Decision(StrEnum):
    """How a wait was answered."""

    APPROVED = "approved"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    RESOLVED = "resolved"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """The activity that asked has ended."""


class BlockerType(StrEnum):
    CHANNEL_AUTH_EXPIRED = "channel_auth_expired"
    MISSING_INTEGRATION = "missing_integration"
    INSUFFICIENT_DATA = "insufficient_data"
    API_UNAVAILABLE = "api_unavailable"
    NEEDS_HUMAN_INPUT = "needs_human_input"


class ApprovalType(StrEnum):
    CONTENT_REVIEW = "content_review"
    CONTENT_DIRECTION = "content_direction"
    BRAND_DIRECTION = "brand_direction"
    STRATEGY_CHANGE = "strategy_change"
    BUDGET_AUTHORIZATION = "budget_authorization"
    CHANNEL_ACTION = "channel_action"


class RiskLevel(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def expires_after(self) -> timedelta:
        return _HOURS[self]

    @classmethod
    def of(cls, approval_type: ApprovalType) -> RiskLevel:
        return _RISKS[approval_type]


_HOURS = {
    RiskLevel.LOW: timedelta(hours=72),
    RiskLevel.MEDIUM: timedelta(hours=48),
    RiskLevel.HIGH: timedelta(hours=24),
}
_RISKS = {
    ApprovalType.CONTENT_REVIEW: RiskLevel.LOW,
    ApprovalType.CONTENT_DIRECTION: RiskLevel.LOW,
    ApprovalType.BRAND_DIRECTION: RiskLevel.MEDIUM,
    ApprovalType.STRATEGY_CHANGE: RiskLevel.MEDIUM,
    ApprovalType.BUDGET_AUTHORIZATION: RiskLevel.HIGH,
    ApprovalType.CHANNEL_ACTION: RiskLevel.HIGH,
}


class OnApprovalExpired(StrEnum):
    """What an approval or a review that nobody decided in time does to its activity."""

    FAIL = "fail"
    APPROVE = "approve"
    REJECT = "reject"
    ESCALATE = "escalate"
    """It stays open for `LONGEST_WAIT` more and is told of once more; then as `fail`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a wait is answered, by whom; `output` is a subtask's."""

    decision: Decision
    answered_by: str
    note: str = ""
    option: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that an activity waits for. All times are aware UTC.

    `run_id`: the run that asked, or the current one where nobody of the activity did.
    `request_sha256`: what was asked, so that a repeated request is known. `told_in`: the run that
    is told of the answer.
    """

    tenant: str
    activity_id: str
    wait_id: str
    number: int
    kind: WaitKind
    run_id: str
    opened_at: datetime
    version: int = 0
    is_blocking: bool = True
    requested_by: str = ""
    request_sha256: str = ""
    title: str = ""
    description: str = ""
    # Of a blocker.
    blocker_type: BlockerType | None = None
    channel_id: str | None = None
    resolution: str | None = None
    # Of a review or an approval.
    content_ref: str | None = None
    approval_type: ApprovalType | None = None
    risk_level: RiskLevel | None = None
    options: tuple[str, ...] = ()
    linked_activity_ids: tuple[str, ...] = ()
    # Of a linked approval: whose, and which.
    approval_id: str | None = None
    # Of a subtask, and of a task for a person.
    subtask_activity_id: str | None = None
    user_id: str | None = None
    # Until when a person may answer; when the sweeper looks.
    expires_at: datetime | None = None
    due_at: datetime | None = None
    escalated_at: datetime | None = None
    # The answer.
    decision: Decision | None = None
    option: str | None = None
    note: str | None = None
    output: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    told_in: str | None = None

    @property
    def is_open(self) -> bool:
        return self.decision is None

    @property
    def holds_until(self) -> datetime:
        """When it stops holding its activity, whatever anybody does."""
        return self.expires_at or self.opened_at + LONGEST_WAIT


def open_among(waits: Sequence[Wait]) -> tuple[Wait, ...]:
    return tuple(wait for wait in waits if wait.is_open)
