"""What the sweeper does with waits that are due: expires them, looks at what they wait for, and
cancels the subtasks that an activity which has ended left.

Idempotent, as all that the sweeper does. Not here: when (`Wait.due_at`), the rules (`waits`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentruns import telemetry, waits
from agentruns.linking import VISIT_EVERY, LinkActivities
from agentruns.model import ActivityRecord, Admission, Change
from agentruns.transitions import touched
from agentruns.wait import Decision, Wait

if TYPE_CHECKING:
    from agentruns.admitting import AdmitActivities
    from agentruns.cancelling import CancelActivity
    from agentruns.ports import Clock
    from agentruns.waking import TransactAndWake


@dataclass(frozen=True, slots=True, kw_only=True)
class TendWaits:
    transact_and_wake: TransactAndWake
    link_activities: LinkActivities
    admit_activities: AdmitActivities
    cancel_activity: CancelActivity
    clock: Clock

    def __call__(self, record: ActivityRecord) -> ActivityRecord:
        """The record after every wait of it that is due had its turn."""
        was_going_on = not record.activity.status.is_terminal
        for wait in record.waits:
            if self._is_due(wait):
                record = self._tend(wait)
        activity = record.activity
        if activity.status.is_terminal and was_going_on:
            telemetry.count("ActivitiesEnded", status=activity.status.value)
            if activity.admission is Admission.LEFT:
                self.admit_activities(activity.tenant, activity.adapter.connection)
        if any(_has_left_subtask(wait) for wait in record.waits):
            self.cancel_activity.subtasks_of(record)
        return record

    def _tend(self, due: Wait) -> ActivityRecord:
        if not due.kind.is_for_a_person:
            self.link_activities.look(due)

        def decide(seen: ActivityRecord) -> Change | None:
            now = self.clock()
            for wait in seen.waits:
                if wait.wait_id == due.wait_id and self._is_due(wait):
                    return waits.expired(seen, wait, now) or _later(seen, wait, self.clock)
            return None

        return self.transact_and_wake(due.tenant, due.activity_id, decide)

    def _is_due(self, wait: Wait) -> bool:
        return wait.is_open and wait.due_at is not None and wait.due_at <= self.clock()


def _has_left_subtask(wait: Wait) -> bool:
    return wait.decision is Decision.WITHDRAWN and wait.due_at is not None


def _later(record: ActivityRecord, wait: Wait, clock: Clock) -> Change:
    now = clock()
    later = replace(wait, due_at=wait.expires_at or now + VISIT_EVERY)
    return Change(activity=touched(record.activity, now), waits=(later,))
