"""Waking a parked execution for what was stored: first the row, then the execution.

Where it could not be woken, the sweeper does it. Not here: what was stored, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentruns.lifecycle import EXECUTION_GRACE
from agentruns.routing import route
from agentruns.steps import NextStep, Step
from agentruns.transact import Decide, transact

if TYPE_CHECKING:
    from agentruns.model import Activity, ActivityRecord, Change, Run
    from agentruns.polling import PollPolicy
    from agentruns.ports import ActivityStore, Clock, Executions


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeExecution:
    """Let a parked execution go on where the row says. Once more does no harm."""

    activities: ActivityStore
    executions: Executions
    clock: Clock
    policy: PollPolicy

    def __call__(
        self,
        record: ActivityRecord,
        callback_token: str | None,
        following: Step | None = None,
        *,
        even_to_park: bool = False,
        forgets_token: bool = True,
    ) -> bool:
        """Whether it was woken; not where it is not parked, has to stay so, or is gone.

        `following`: where it goes on, if not where the row says. `even_to_park`: it parks anew,
        with another time to look. `forgets_token`: the row has it no more; not needed where it
        was never stored, or the run is settled next, which forgets it.
        """
        if callback_token is None:
            return False
        following = following or route(record, self.clock(), self.policy)
        if following.next_step is NextStep.PARK and not even_to_park:
            return False
        is_woken = self.executions.wake(callback_token, following.to_json())
        if is_woken and forgets_token:
            self._forget(record.activity, callback_token)
        return is_woken

    def _forget(self, activity: Activity, callback_token: str) -> None:
        def decide(seen: ActivityRecord) -> Run | None:
            run = seen.current_run
            if run.callback_token != callback_token:
                return None
            return replace(run, callback_token=None, due_at=self.clock() + EXECUTION_GRACE)

        transact(self.activities, activity.tenant, activity.activity_id, decide)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactAndWake:
    """As `transact`, then wakes the execution that was parked before the change."""

    activities: ActivityStore
    wake_execution: WakeExecution

    def __call__(self, tenant: str, activity_id: str, decide: Decide) -> ActivityRecord:
        """ActivityNotFound; StoreContention; whatever `decide` raises."""
        callback_token: str | None = None

        def noting_the_token(record: ActivityRecord) -> Change | Run | None:
            nonlocal callback_token
            callback_token = record.current_run.callback_token
            return decide(record)

        after = transact(self.activities, tenant, activity_id, noting_the_token)
        self.wake_execution(after, callback_token)
        return after
