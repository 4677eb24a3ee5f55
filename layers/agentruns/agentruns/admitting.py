"""Who may be under way over a connection that limits how many are: by priority, then by age.

An activity of such a connection begins in its queue and gets one of its numbered slots, `0` to
`max_concurrent_runs - 1`; a slot is a row that one activity can hold, written and deleted in the
transaction that moves the activity, so that none is ever lost or given twice. Everybody goes by the
queue, newcomers too. Whoever ends an activity gives its slot on. Retries: a lost race is looked at
again a few times, then left to who won it; the sweeper visits those who wait. Not here: the rules
(`admission`), requests per minute.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from agentruns import telemetry
from agentruns.admission import admit, free_slots
from agentruns.errors import ConnectionNotFound, StoreConflict
from agentruns.model import ActivityRecord, Run
from agentruns.polling import PollPolicy
from agentruns.ports import ActivityStore, Clock, ConnectionStore, Executions
from agentruns.routing import route
from agentruns.transact import transact

ADMITTED_AT_ONCE = 10
ROUNDS = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitActivities:
    """Give a connection's free slots to those who wait for them."""

    activities: ActivityStore
    connections: ConnectionStore
    executions: Executions
    clock: Clock
    policy: PollPolicy

    def __call__(self, tenant: str, connection: str) -> int:
        """How many were admitted. A connection that has no limit any more, or is gone, admits
        all; what is left after some rounds is the next caller's."""
        limit = self._limit(tenant, connection)
        admitted = 0
        for _ in range(ROUNDS):
            slots = self.activities.read_slots(tenant, connection, ADMITTED_AT_ONCE)
            pairs = list(zip(slots.waiting, free_slots(slots, limit), strict=False))
            if not pairs:
                break
            admitted += sum(self._admit(tenant, *pair) for pair in pairs)
        return admitted

    def _limit(self, tenant: str, connection: str) -> int | None:
        try:
            return self.connections.get(tenant, connection).limits.max_concurrent_runs
        except ConnectionNotFound:
            return None  # what is admitted then fails with this error, and says so

    def _admit(self, tenant: str, activity_id: str, slot: int) -> bool:
        """False where somebody else was faster with the activity or with the slot."""
        now = self.clock()
        record = self.activities.read(tenant, activity_id)
        change = admit(record, slot, now)
        if change is None:
            return False
        try:
            stored = self.activities.apply(change)
        except StoreConflict:
            return False
        waited = (now - record.activity.created_at).total_seconds()
        telemetry.measure("AdmissionWaitSeconds", waited)
        logger.info("activity_admitted", extra={"admitted_id": activity_id, "slot": slot})
        self._wake(replace(record, activity=stored.activity, runs=stored.runs))
        return True

    def _wake(self, record: ActivityRecord) -> None:
        """An execution that is not parked yet is woken by ParkRun; one that is gone is the
        sweeper's, and so is what fails here."""
        callback_token = record.current_run.callback_token
        if callback_token is None:
            return
        activity = record.activity

        def forget_token(seen: ActivityRecord) -> Run | None:
            run = seen.current_run
            return (
                replace(run, callback_token=None) if run.callback_token == callback_token else None
            )

        following = route(record, self.clock(), self.policy)
        if self.executions.wake(callback_token, following.to_json()):
            transact(self.activities, activity.tenant, activity.activity_id, forget_token)
