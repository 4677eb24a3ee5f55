"""Waking a parked execution for what was stored: first the row, then the execution.

Where it could not be woken, the sweeper does it. Not here: what was stored, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentruns.model import ActivityRecord, Change, Run
from agentruns.polling import PollPolicy
from agentruns.ports import ActivityStore, Clock, Executions
from agentruns.routing import route
from agentruns.steps import NextStep
from agentruns.transact import Decide, transact


def wake(
    executions: Executions,
    callback_token: str | None,
    record: ActivityRecord,
    clock: Clock,
    policy: PollPolicy,
) -> None:
    """`callback_token`: of the execution that was parked before the change. Nothing happens where
    there is none, or where it has to stay parked."""
    if callback_token is None:
        return
    following = route(record, clock(), policy)
    if following.next_step is not NextStep.PARK:
        executions.wake(callback_token, following.to_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactAndWake:
    """As `transact`. A repetition that changes nothing wakes once more, which does no harm."""

    activities: ActivityStore
    executions: Executions
    clock: Clock
    policy: PollPolicy

    def __call__(self, tenant: str, activity_id: str, decide: Decide) -> ActivityRecord:
        """ActivityNotFound; StoreContention; whatever `decide` raises."""
        callback_token: str | None = None

        def noting_the_token(record: ActivityRecord) -> Change | Run | None:
            nonlocal callback_token
            callback_token = record.current_run.callback_token
            return decide(record)

        after = transact(self.activities, tenant, activity_id, noting_the_token)
        if callback_token is not None:
            self.wake(after, callback_token)
        return after

    def wake(self, record: ActivityRecord, callback_token: str) -> None:
        following = route(record, self.clock(), self.policy)
        if following.next_step is NextStep.PARK:
            return

        def forget_token(seen: ActivityRecord) -> Run | None:
            run = seen.current_run
            if run.callback_token != callback_token:
                return None
            return replace(run, callback_token=None)

        if self.executions.wake(callback_token, following.to_json()):
            activity = record.activity
            transact(self.activities, activity.tenant, activity.activity_id, forget_token)
