"""What one activity's story means for another: a subtask's end for its parent, an approval for
those that wait for it.

Everything is read off the rows, so doing it again changes nothing: the table's stream brings it
about at once, and the sweeper makes up for what was lost. Not here: the rules (`waits`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agentruns import waits
from agentruns.errors import ActivityNotFound
from agentruns.ids import activity_id_of_wait
from agentruns.model import ActivityRecord, Change, Event
from agentruns.run_outputs import read_text
from agentruns.statuses import ActivityStatus
from agentruns.transitions import touched
from agentruns.wait import Answer, Decision, Wait, WaitKind
from agentruns.wait_errors import ApprovalNotFound

if TYPE_CHECKING:
    from agentruns.commenting import FollowMentions
    from agentruns.outputs import OutputStore
    from agentruns.ports import ActivityStore, Clock
    from agentruns.waking import TransactAndWake

VISIT_EVERY = timedelta(hours=1)
"""How often the sweeper looks what became of the other activity."""

OUTPUT_LIMIT_CHARACTERS = 64_000
LONGEST_CHAIN = 10

_CONCERNING = ("parent_activity_id", "linked_activity_ids")
"""An event that has one of them is of interest to another activity."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkActivities:
    """Tell the other activities what they wait to hear."""

    activities: ActivityStore
    outputs: Callable[[], OutputStore]
    transact_and_wake: TransactAndWake
    clock: Clock

    def __call__(self, event: Event) -> None:
        if not any(event.detail.get(name) for name in _CONCERNING):
            return
        record = self.activities.read(event.tenant, event.activity_id)
        for wait in record.waits:
            self.tell_linked(wait)
        self._tell_parent(record)

    def tell_linked(self, wait: Wait) -> None:
        """Of an approval: those that it names are held while it is open, and let go with its
        decision."""
        for activity_id in wait.linked_activity_ids:
            self._tell_one(wait, activity_id)

    def look(self, wait: Wait) -> None:
        """Of a subtask or a linked approval that is open: what became of the other activity."""
        if wait.kind is WaitKind.SUBTASK and wait.subtask_activity_id is not None:
            self._tell_parent(self.activities.read(wait.tenant, wait.subtask_activity_id))
        if wait.kind is WaitKind.LINKED_APPROVAL and wait.approval_id is not None:
            activity_id = activity_id_of_wait(wait.approval_id, ApprovalNotFound)
            for other in self.activities.read(wait.tenant, activity_id).waits:
                if other.wait_id == wait.approval_id:
                    self._tell_one(other, wait.activity_id)

    def _tell_one(self, approval: Wait, activity_id: str) -> None:
        for _ in range(LONGEST_CHAIN):  # it may have been given on, and again
            record = self.transact_and_wake(
                approval.tenant, activity_id, lambda seen: self._told(seen, approval)
            )
            if record.activity.reassigned_as is None:
                return
            activity_id = record.activity.reassigned_as

    def _told(self, record: ActivityRecord, approval: Wait) -> Change | None:
        if record.activity.status.is_terminal:
            return None
        now = self.clock()
        own = next((each for each in record.waits if each.approval_id == approval.wait_id), None)
        if approval.decision is None:
            if own is not None:
                return None
            run = record.current_run
            held = waits.new_wait(
                record,
                WaitKind.LINKED_APPROVAL,
                run,
                now,
                title=approval.title,
                requested_by=approval.requested_by,
                approval_id=approval.wait_id,
                due_at=now + VISIT_EVERY,
            )
            return waits.opened(record, held, now)
        if own is None or not own.is_open:
            return None
        answer = Answer(
            decision=approval.decision,
            answered_by=approval.decided_by or "",
            note=approval.note or "",
            option=approval.option,
        )
        return waits.answered(record, own, answer, now)

    def _tell_parent(self, child: ActivityRecord) -> None:
        parent_id = child.activity.parent_activity_id
        if parent_id is None or not child.activity.status.is_terminal:
            return

        def decide(parent: ActivityRecord) -> Change | None:
            for wait in parent.waits:
                if wait.is_open and wait.subtask_activity_id == child.activity.activity_id:
                    return self._ended(parent, wait, child)
            return None

        try:
            self.transact_and_wake(child.activity.tenant, parent_id, decide)
        except ActivityNotFound:
            logger.warning("parent_not_found", extra={"parent_activity_id": parent_id})

    def _ended(self, parent: ActivityRecord, wait: Wait, child: ActivityRecord) -> Change:
        now = self.clock()
        activity = child.activity
        if activity.status is ActivityStatus.REASSIGNED:
            following = replace(wait, subtask_activity_id=activity.reassigned_as)
            return Change(activity=touched(parent.activity, now), waits=(following,))
        is_done = activity.status is ActivityStatus.DONE
        output = read_text(self.outputs, child.current_run) if is_done else None
        answer = Answer(
            decision=Decision.COMPLETED if is_done else Decision.FAILED,
            answered_by=f"activity:{activity.activity_id}",
            note="" if is_done else _why(child),
            output=output[:OUTPUT_LIMIT_CHARACTERS] if output else None,
        )
        return waits.answered(parent, wait, answer, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFromStream:
    """Feeds `LinkActivities` and `FollowMentions` with a batch of DynamoDB stream records."""

    link_activities: LinkActivities
    follow_mentions: FollowMentions
    event_of_record: Callable[[Mapping[str, Any]], Event | None]

    def __call__(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """The sequence number of the first record that failed, for Lambda to go on from
        (ReportBatchItemFailures)."""
        for record in records:
            event = self.event_of_record(record)
            if event is None:
                continue
            try:
                self.link_activities(event)
                self.follow_mentions(event)
            except Exception:  # the rest is delivered again with it
                logger.exception("link_failed", extra={"activity_id": event.activity_id})
                return [str(record["dynamodb"]["SequenceNumber"])]
        return []


def _why(child: ActivityRecord) -> str:
    activity = child.activity
    said = f": {activity.error.message}" if activity.error else ""
    return f"the subtask ended {activity.status}{said}"
