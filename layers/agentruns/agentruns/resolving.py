"""What a person found out about a start that nobody knew the outcome of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns import lifecycle, starts
from agentruns.errors import InvalidRequest, RunNotUnknown
from agentruns.ids import activity_id_of
from agentruns.model import ActivityRecord, Change, EvidenceSource
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LEAP_WORKFLOW, LEENA_AOP
from agentruns.refusals import WorkflowRunNotFound
from agentruns.statuses import RunStatus
from agentruns.transact import transact

if TYPE_CHECKING:
    from agentruns.ports import ActivityStore, Clock
    from agentruns.waking import WakeExecution

FindWorkflowRun = Callable[[ActivityRecord, str], WorkflowRun | None]
"""`workflows.LookAtWorkflowRun.find`."""

FOUND_FIELDS = {LEENA_AOP: "bind.aop_item_id", LEAP_WORKFLOW: "bind.workflow_run_id"}
"""Where the id stands that a run of an adapter's type is bound to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a person found at the provider: its id there, and which type of adapter's it is."""

    adapter_type: str
    remote_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFound:
    """Whether what was found can be a run's, as far as that can be told before it is bound."""

    activities: ActivityStore
    find_workflow_run: FindWorkflowRun

    def __call__(self, tenant: str, run_id: str, found: Found) -> None:
        """InvalidRequest where it is of another provider, and where Leap can be asked and shows
        no such run of the activity's workflow; RunNotFound; ActivityNotFound; TransientError and
        UpstreamRejected where Leap was to be asked and did not say."""
        record = self.activities.read(tenant, activity_id_of(run_id))
        run, own_type = record.run(run_id), record.activity.adapter.type
        field = FOUND_FIELDS[found.adapter_type]
        if found.adapter_type != own_type:
            raise InvalidRequest([(field, f"run {run_id} is of type {own_type}{_hint(own_type)}")])
        if own_type != LEAP_WORKFLOW or run.status is not RunStatus.START_UNKNOWN:
            return
        try:
            self.find_workflow_run(record, found.remote_id)
        except WorkflowRunNotFound as error:
            raise InvalidRequest([(field, str(error))]) from error


def _hint(own_type: str) -> str:
    if own_type in FOUND_FIELDS:
        return f"; give {FOUND_FIELDS[own_type]} instead"
    return (
        ", whose runs have no id at a provider: what took it says so by its first call; give "
        "not_started where nothing was"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRun:
    """Go on from a `start_unknown` run: follow what it became, or open another run."""

    activities: ActivityStore
    wake_execution: WakeExecution
    clock: Clock

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
                return starts.declare_not_started(record, now)
            return starts.bind_start(record, remote_id, EvidenceSource.HUMAN, now)

        record = transact(self.activities, tenant, activity_id_of(run_id), decide)
        self.wake_execution(record, callback_token, even_to_park=True)
        return record


def _is_resolved(record: ActivityRecord, run_id: str, remote_id: str | None) -> bool:
    run = record.run(run_id)
    if remote_id is not None:
        return run.remote_id == remote_id
    return run.error is not None and run.error.code == lifecycle.NOT_STARTED
