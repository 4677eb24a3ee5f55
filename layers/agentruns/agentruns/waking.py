"""Waking a parked execution for what was stored: first the row, then the execution.

Where it could not be woken, the sweeper does it. Not here: what was stored, and why.
"""

from __future__ import annotations

from agentruns.model import ActivityRecord
from agentruns.polling import PollPolicy
from agentruns.ports import Clock, Executions
from agentruns.routing import route
from agentruns.steps import NextStep


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
