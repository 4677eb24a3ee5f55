"""What a run asks for while it goes on: a person's help, a review, an approval.

Each is stored once however often it is sent: the same request of the same run is the first one.
Not here: subtasks and reassignment, which open another activity (`subtasks`, `reassigning`),
comments (`commenting`), who the caller is (the agent API).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns import waits
from agentruns.agent_calls import agent_name, require_going_on
from agentruns.errors import ActivityNotFound, InvalidRequest
from agentruns.idempotency import body_sha256_of
from agentruns.ids import activity_id_of, require_activity_id
from agentruns.transact import transact
from agentruns.wait import (
    LONGEST_WAIT,
    ApprovalType,
    BlockerType,
    RiskLevel,
    Wait,
    WaitKind,
)

if TYPE_CHECKING:
    from agentruns.linking import LinkActivities
    from agentruns.model import ActivityRecord, Change
    from agentruns.ports import ActivityStore, Clock

WAITS_LIMIT = 50
"""An activity that asks for more goes in a circle."""

LINKED_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """`resolution`: what the agent suggests that a person does."""

    blocker_type: BlockerType
    description: str
    channel_id: str | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewWanted:
    title: str
    description: str
    content_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWanted:
    title: str
    approval_type: ApprovalType
    description: str = ""
    options: tuple[str, ...] = ()
    linked_activity_ids: tuple[str, ...] = ()
    is_blocking: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The record after it was asked, and what stands open in it."""

    record: ActivityRecord
    wait: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlocker:
    """The activity cannot go on until a person has done something."""

    activities: ActivityStore
    clock: Clock

    def __call__(self, tenant: str, run_id: str, blocker: Blocker) -> Asked:
        """RunEnded; ActivityNotFound; RunNotFound; InvalidRequest for too many waits."""
        now = self.clock()
        fields = {
            "title": blocker.blocker_type.value.replace("_", " "),
            "description": blocker.description,
            "blocker_type": blocker.blocker_type,
            "channel_id": blocker.channel_id,
            "resolution": blocker.resolution,
            "expires_at": now + LONGEST_WAIT,
        }
        return ask(self.activities, tenant, run_id, WaitKind.BLOCKER, blocker, fields, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReview:
    """A person looks at the work in progress."""

    activities: ActivityStore
    clock: Clock

    def __call__(self, tenant: str, run_id: str, wanted: ReviewWanted) -> Asked:
        """As ReportBlocker."""
        now, risk = self.clock(), RiskLevel.of(ApprovalType.CONTENT_REVIEW)
        fields = {
            "title": wanted.title,
            "description": wanted.description,
            "content_ref": wanted.content_ref,
            "risk_level": risk,
            "expires_at": now + risk.expires_after,
        }
        return ask(self.activities, tenant, run_id, WaitKind.REVIEW, wanted, fields, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApproval:
    """A person allows what writes; the linked activities wait for it too.

    Should the function die before they are held, the table's stream makes up for it.
    """

    activities: ActivityStore
    link_activities: LinkActivities
    clock: Clock

    def __call__(self, tenant: str, run_id: str, wanted: ApprovalWanted) -> Asked:
        """As ReportBlocker; InvalidRequest also for a linked activity that is none."""
        self._require_linked(tenant, run_id, wanted.linked_activity_ids)
        now, risk = self.clock(), RiskLevel.of(wanted.approval_type)
        fields = {
            "title": wanted.title,
            "description": wanted.description,
            "approval_type": wanted.approval_type,
            "risk_level": risk,
            "options": wanted.options,
            "linked_activity_ids": wanted.linked_activity_ids,
            "is_blocking": wanted.is_blocking,
            "expires_at": now + risk.expires_after,
        }
        asked = ask(self.activities, tenant, run_id, WaitKind.APPROVAL, wanted, fields, now)
        self.link_activities.tell_linked(asked.wait)
        return asked

    def _require_linked(self, tenant: str, run_id: str, linked: Sequence[str]) -> None:
        for place, activity_id in enumerate(linked):
            field = f"linkedActivityIds.{place}"
            if activity_id == activity_id_of(run_id):
                raise InvalidRequest([(field, "is the activity that asks")])
            try:
                self.activities.read(tenant, require_activity_id(activity_id))
            except ActivityNotFound as error:
                raise InvalidRequest([(field, str(error))]) from error


def ask(
    activities: ActivityStore,
    tenant: str,
    run_id: str,
    kind: WaitKind,
    request: Any,
    fields: dict[str, Any],
    now: datetime,
) -> Asked:
    """Open a wait once. `request`: what was sent, by which a repetition is known."""
    sha256 = body_sha256_of(request)

    def decide(record: ActivityRecord) -> Change | None:
        run = require_going_on(record, run_id)
        if asked_before(record, run_id, kind, sha256) is not None:
            return None
        require_room(record)
        wait = waits.new_wait(
            record,
            kind,
            run,
            now,
            requested_by=agent_name(record),
            request_sha256=sha256,
            due_at=fields["expires_at"],
            **fields,
        )
        return waits.opened(record, wait, now)

    record = transact(activities, tenant, activity_id_of(run_id), decide)
    wait = asked_before(record, run_id, kind, sha256)
    if wait is None:
        raise AssertionError("what was asked is stored")
    return Asked(record=record, wait=wait)


def asked_before(record: ActivityRecord, run_id: str, kind: WaitKind, sha256: str) -> Wait | None:
    for wait in record.waits:
        if (wait.run_id, wait.kind, wait.request_sha256) == (run_id, kind, sha256):
            return wait
    return None


def require_room(record: ActivityRecord) -> None:
    if len(record.waits) >= WAITS_LIMIT:
        fault = f"the activity has asked {len(record.waits)} times; at most {WAITS_LIMIT} are taken"
        raise InvalidRequest([("body", fault)])
