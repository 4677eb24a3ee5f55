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
from typing import TYPE_CHECKING

from agentruns import telemetry
from agentruns.admission import admit, free_slots
from agentruns.errors import ConnectionNotFound, StoreConflict

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock, ConnectionStore
    from agentruns.waking import WakeExecution

ADMITTED_AT_ONCE = 10
ROUNDS = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitActivities:
    """Give a connection's free slots to those who wait for them."""

    activities: ActivityStore
    connections: ConnectionStore
    wake_execution: WakeExecution
    clock: Clock

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
        # one that is not parked yet is woken by ParkRun; what fails here is the sweeper's
        admitted = replace(record, activity=stored.activity, runs=stored.runs)
        callback_token = admitted.current_run.callback_token
        self.wake_execution(admitted, callback_token, even_to_park=True)
        return True
