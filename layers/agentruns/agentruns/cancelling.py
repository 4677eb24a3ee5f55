"""Ending an activity by hand, and with it the subtasks that nobody wants any more.

First the rows, then the executions. The wait for a subtask that is to end stays due until that is
done, so the sweeper finishes what a function that died has left, and does all of it where a parent
failed or was given on. Not here: which end leaves which subtask (`transitions`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentruns import lifecycle
from agentruns.errors import ActivityEnded
from agentruns.model import ActivityRecord, Admission, Change, EvidenceSource, Run
from agentruns.providers import HUMAN, LEAP, WEBHOOK
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.transact import transact
from agentruns.transitions import leaves_subtask
from agentruns.wait import Decision, Wait

if TYPE_CHECKING:
    from agentruns.admitting import AdmitActivities
    from agentruns.parking import CountLooks
    from agentruns.ports import ActivityStore, Clock, Executions

LONGEST_CHAIN = 10
"""How often a subtask may have been given on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """`provider_stopped` is False where the provider has no way to stop what it began."""

    record: ActivityRecord
    provider_stopped: bool
    detail: str
    subtasks: tuple[Cancelled, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelActivity:
    """End an activity and its open subtasks. Repeating it changes nothing."""

    activities: ActivityStore
    executions: Executions
    admit_activities: AdmitActivities
    count_looks: CountLooks
    clock: Clock

    def __call__(self, tenant: str, activity_id: str, reason: str) -> Cancelled:
        """ActivityNotFound; ActivityEnded where it ended otherwise."""
        cancelled = self._cancel(tenant, activity_id, reason, EvidenceSource.HUMAN)
        return replace(cancelled, subtasks=self.subtasks_of(cancelled.record))

    def subtasks_of(self, parent: ActivityRecord) -> tuple[Cancelled, ...]:
        """Of an activity that has ended: the subtasks that end with it, save those that ended by
        themselves."""
        found: list[Cancelled] = []
        for wait in parent.waits:
            if wait.decision is not Decision.WITHDRAWN:
                continue
            if leaves_subtask(wait, parent.activity.status):
                found += self._cancel_subtask(parent, wait)
                self._tick_off(wait)
        return tuple(found)

    def _cancel_subtask(self, parent: ActivityRecord, wait: Wait) -> list[Cancelled]:
        """None of them where it ended by itself."""
        activity, child_id = parent.activity, wait.subtask_activity_id
        is_human = activity.status is ActivityStatus.CANCELLED
        source = EvidenceSource.HUMAN if is_human else EvidenceSource.WORKFLOW
        reason = f"subtask of {activity.activity_id}, which is {activity.status}"
        if activity.error is not None:
            reason += f": {activity.error.message}"
        for _ in range(LONGEST_CHAIN):
            if child_id is None:
                break
            try:
                return [self._cancel(activity.tenant, child_id, reason, source)]
            except ActivityEnded:
                child = self.activities.read(activity.tenant, child_id)
                child_id = child.activity.reassigned_as
        return []

    def _tick_off(self, wait: Wait) -> None:
        def decide(seen: ActivityRecord) -> Change | None:
            for each in seen.waits:
                if each.wait_id == wait.wait_id and each.due_at is not None:
                    return Change(activity=seen.activity, waits=(replace(each, due_at=None),))
            return None

        transact(self.activities, wait.tenant, wait.activity_id, decide)

    def _cancel(
        self, tenant: str, activity_id: str, reason: str, source: EvidenceSource
    ) -> Cancelled:
        now = self.clock()

        def decide(record: ActivityRecord) -> Change | None:
            status = record.activity.status
            if status is ActivityStatus.CANCELLED:
                return None
            if status.is_terminal:
                raise ActivityEnded(activity_id, status)
            return lifecycle.cancel(self.count_looks(record), reason, now, source)

        record = transact(self.activities, tenant, activity_id, decide)
        if record.activity.execution_arn is not None:
            self.executions.stop(record.activity.execution_arn, "the activity is cancelled")
        if record.activity.admission is Admission.LEFT:
            self.admit_activities(tenant, record.activity.adapter.connection)
        stopped, detail = _what_the_provider_does(record)
        return Cancelled(record=record, provider_stopped=stopped, detail=detail)


def _what_the_provider_does(record: ActivityRecord) -> tuple[bool, str]:
    run, provider = record.current_run, record.activity.adapter.provider
    if run.status in {RunStatus.COMPLETED, RunStatus.FAILED}:
        return True, "its run had ended"
    if provider == HUMAN:
        return True, "it was a person's task; it is in the inbox no more"
    if run.remote_id is None and run.dispatch_id is None:
        return True, "the provider had not been asked to start it"
    return False, f"cancel_unsupported: {_what_goes_on(provider, run)}"


def _what_goes_on(provider: str, run: Run) -> str:
    """Of a run whose start was sent: where, and what to look for."""
    if provider == WEBHOOK:
        return (
            f"an agent is not told; its next call for {run.run_id} is answered 401, and until then "
            "it may go on"
        )
    is_leap = provider == LEAP
    if run.remote_id is None:
        where = f"in Leap for a run whose webhook URL has {run.run_id}"
        mark = where if is_leap else f"for agentruns_run_id {run.run_id} in Leena AI"
        return f"the start was sent and its answer is not known; look {mark}"
    if is_leap:
        return f"Leap has no call to stop a workflow; run {run.remote_id} goes on there"
    return (
        f"Leena AI has no call to stop an AOP; item {run.remote_id} goes on there. Abort it in the "
        "Leena AI dashboard if it must stop"
    )
