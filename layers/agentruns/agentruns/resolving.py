"""What a person found out about a start that nobody knew the outcome of."""

from __future__ import annotations

from dataclasses import dataclass

from agentruns import lifecycle
from agentruns.errors import RunNotUnknown
from agentruns.ids import activity_id_of
from agentruns.model import ActivityRecord, Change, EvidenceSource
from agentruns.polling import PollPolicy
from agentruns.ports import ActivityStore, Clock, Executions
from agentruns.routing import route
from agentruns.statuses import RunStatus
from agentruns.transact import transact


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRun:
    """Go on from a `start_unknown` run: follow what it became, or open another run."""

    activities: ActivityStore
    executions: Executions
    clock: Clock
    policy: PollPolicy

    def __call__(self, tenant: str, run_id: str, remote_id: str | None) -> ActivityRecord:
        """`remote_id` None: nothing was started. Resolving twice alike changes nothing.

        RunNotFound; ActivityNotFound; RunNotUnknown where the run is anything else. An execution
        that could not be woken is the sweeper's.
        """
        now = self.clock()
        callback_token = None

        def decide(record: ActivityRecord) -> Change | None:
            nonlocal callback_token
            run = record.run(run_id)
            if run.status is not RunStatus.START_UNKNOWN:
                if _is_resolved(record, run_id, remote_id):
                    return None
                raise RunNotUnknown(run_id, run.status)
            callback_token = run.callback_token
            if remote_id is None:
                return lifecycle.declare_not_started(record, now)
            return lifecycle.bind_start(record, remote_id, EvidenceSource.HUMAN, now)

        record = transact(self.activities, tenant, activity_id_of(run_id), decide)
        if callback_token is not None:
            following = route(record, now, self.policy)
            self.executions.wake(callback_token, following.to_json())
        return record


def _is_resolved(record: ActivityRecord, run_id: str, remote_id: str | None) -> bool:
    run = record.run(run_id)
    if remote_id is not None:
        return run.remote_id == remote_id
    return run.error is not None and run.error.code == lifecycle.NOT_STARTED
