"""What a provider's webhook makes of a run: believed only after a second look.

The URL's mac says that the provider, and nobody else, speaks for that run (`hook_urls`). Where the
provider can be asked, what it sends is a hint and the run is read before it is believed; where it
cannot, the ids that it sends must be those of the stored run. A body that is too large to be read
is a hint all the same. Not here: HTTP (`api.hooks`), the rules of what is observed (`evidence`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentruns import evidence, telemetry
from agentruns.checking import count_unknown_status
from agentruns.errors import ActivityNotFound, RunNotFound
from agentruns.event_types import EventType
from agentruns.ids import activity_id_of
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapWorkflowAdapter
from agentruns.refusals import WorkflowRunNotFound
from agentruns.request_errors import HookRefused, RequestTooLarge
from agentruns.routing import planned
from agentruns.transact import transact
from agentruns.workflows import LookAtWorkflowRun, observation_of

if TYPE_CHECKING:
    from agentruns.hook_urls import HookedRun, HookUrls
    from agentruns.model import ActivityRecord, Change, Run
    from agentruns.polling import PollPolicy
    from agentruns.ports import ActivityStore, Clock
    from agentruns.waking import WakeExecution

BODY_LIMIT_BYTES = 1024 * 1024

ParseHook = Callable[[bytes, bool], WorkflowRun]
"""A webhook's body as a run object, or (True) a bulk run's; ValueError says what is wrong."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptHook:
    """Take one delivery. Early, late, twice or out of order: each ends as `evidence` says.

    First the row, then the execution: one that could not be woken is the sweeper's.
    """

    activities: ActivityStore
    wake_execution: WakeExecution
    hook_urls: HookUrls
    look: LookAtWorkflowRun
    parse: ParseHook
    clock: Clock
    policy: PollPolicy

    def __call__(self, name: str, body: bytes) -> None:
        """`name`: the last part of the URL.

        HookRefused alike for a URL that is none of ours, a body that is no run object, a run that
        is missing, and one that is another's. TransientError where the provider was to be asked
        and could not: the sender may try again, and a planned look makes up for it.
        RequestTooLarge where the body is all there is to go by; the run remembers that.
        """
        hooked = self.hook_urls.read(name)
        if hooked is None:
            raise HookRefused
        telemetry.bind(tenant=hooked.tenant, run_id=hooked.run_id)
        if len(body) > BODY_LIMIT_BYTES:
            self._take_oversized(hooked, len(body))
            return
        record = self._read(hooked)
        told = self._parse(record, body)
        seen = self._second_look(record, told)
        self._store(hooked, record, seen or told, can_be_asked=seen is not None)

    def _take_oversized(self, hooked: HookedRun, size_bytes: int) -> None:
        """Look at the run that it is about, as the URL says; not at what it says."""
        record = self._read(hooked)
        remote_id = record.run(hooked.run_id).remote_id
        seen = None if remote_id is None else self._seen(record, remote_id)
        if seen is not None:
            self._store(hooked, record, seen, can_be_asked=True)
            return
        logger.warning("hook_too_large", extra={"size_bytes": size_bytes})
        too_large = RequestTooLarge(size_bytes, BODY_LIMIT_BYTES)
        self._remember(hooked, record, str(too_large))
        raise too_large

    def _remember(self, hooked: HookedRun, record: ActivityRecord, reason: str) -> None:
        def decide(seen: ActivityRecord) -> Run | None:
            return evidence.hook_not_taken(seen.run(hooked.run_id), reason)

        transact(self.activities, record.activity.tenant, record.activity.activity_id, decide)

    def _parse(self, record: ActivityRecord, body: bytes) -> WorkflowRun:
        """What was started says which object it is, never the object itself."""
        try:
            return self.parse(body, record.activity.is_bulk)
        except ValueError as error:
            logger.warning("hook_unreadable", extra={"problem": str(error)[:200]})
            raise HookRefused from error

    def _read(self, hooked: HookedRun) -> ActivityRecord:
        try:
            record = self.activities.read(hooked.tenant, activity_id_of(hooked.run_id))
            record.run(hooked.run_id)
        except (ActivityNotFound, RunNotFound) as error:
            raise HookRefused from error
        return record

    def _second_look(self, record: ActivityRecord, told: WorkflowRun) -> WorkflowRun | None:
        """The run as the provider shows it. None where it cannot be asked, and what was sent is
        believed, if it is of the activity's workflow."""
        if told.workflow_id not in {None, record.activity.adapter.work_id}:
            raise HookRefused
        seen = self._seen(record, told.workflow_run_id)
        if seen is None and told.workflow_id is None:
            raise HookRefused
        return seen

    def _seen(self, record: ActivityRecord, workflow_run_id: str) -> WorkflowRun | None:
        """None where the provider cannot be asked."""
        if not isinstance(record.activity.adapter, LeapWorkflowAdapter):
            raise HookRefused
        try:
            return self.look.find(record, workflow_run_id)
        except WorkflowRunNotFound as error:
            raise HookRefused from error

    def _store(
        self, hooked: HookedRun, record: ActivityRecord, told: WorkflowRun, *, can_be_asked: bool
    ) -> None:
        observation = observation_of(told)
        if observation.status is None:
            count_unknown_status(record.activity, observation)
        is_duplicate = False

        def decide(seen: ActivityRecord) -> Change | None:
            nonlocal is_duplicate
            now, run = self.clock(), seen.run(hooked.run_id)
            change = evidence.webhook_observed(seen, run, told.workflow_run_id, observation, now)
            is_duplicate = change is not None and any(
                event.type is EventType.DUPLICATE_START_DETECTED for event in change.events
            )
            if change is None or not change.runs[0].status.is_followed or is_duplicate:
                return change
            followed = replace(change.runs[0], next_check_at=None)
            if can_be_asked:
                followed = planned(change.activity, followed, now, self.policy)
            return replace(change, runs=(followed,))

        after = transact(
            self.activities, record.activity.tenant, record.activity.activity_id, decide
        )
        if is_duplicate:
            connection = record.activity.adapter.connection
            telemetry.count("DuplicateStartDetected", connection=connection)
            logger.error("duplicate_start", extra={"remote_id": told.workflow_run_id})
        self.wake_execution(after, after.current_run.callback_token, forgets_token=False)
