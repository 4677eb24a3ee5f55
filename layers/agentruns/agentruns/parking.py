"""Parked runs: what the sweeper has to know of one, and what became of it that is written nowhere.

Not here: the plan (`polling`), the looks that follow from it (`watching`), looking itself (`aop`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from agentruns.durations import NO_HISTORY
from agentruns.polling import PollPolicy, learned_until
from agentruns.providers import LEENA
from agentruns.statuses import RunStatus
from agentruns.watching import SHORTEST_PARKED_WAIT, PlannedLooks, Watch, mark_of_answer

if TYPE_CHECKING:
    from agentruns.model import Activity, ActivityRecord, Observation, Run
    from agentruns.ports import LookMarkStore


def parked(
    activity: Activity, run: Run, next_check_at: datetime, now: datetime, policy: PollPolicy
) -> Run:
    """The run with its first look by the sweeper written down, and what the others need.

    The first is at a rung, not after the planned time; after a failed look, and where the provider
    asked to wait, it is at that time.
    """
    watch, earliest_at = _watch(activity, run, policy), now + SHORTEST_PARKED_WAIT
    if watch is not None and not run.failed_checks:
        rung = PlannedLooks(watch, earliest_at, policy).rung_after(earliest_at)
        next_check_at = min(next_check_at, rung)
    first_at = min(max(next_check_at, earliest_at), activity.deadline_at)
    return replace(run, next_check_at=first_at, is_swept_next=True, due_at=first_at, watch=watch)


def age_counts_from(run: Run) -> datetime:
    """A pause's age is the pause's, a run's age counts from its start."""
    since = run.status_since if run.status is RunStatus.PAUSED else run.started_at
    return since or run.created_at


def is_news(watch: Watch, answer: Observation) -> bool:
    """Whether a look's answer says anything that is not stored."""
    return answer.status is not watch.status or seen(answer) != watch.seen


def seen(answer: Observation) -> str:
    return mark_of_answer(
        answer.provider_status, answer.reference_id, answer.initiated_at, answer.completed_at
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLooks:
    """Counts in the looks at a parked run that found nothing new and were written nowhere.

    They are those that were planned until the lane's mark: where the sweeper was late, several
    that it made as one count as they were planned.
    """

    marks: LookMarkStore
    policy: PollPolicy

    def __call__(self, record: ActivityRecord) -> ActivityRecord:
        """As it is, without a read, where the current run is not watched."""
        run = record.current_run
        if not run.is_watched:
            return record
        done_until = self._done_until(run)
        looks = planned_looks(run, self.policy)
        if done_until is None or not looks.count(done_until):
            return record
        counted = replace(
            run,
            polls=run.polls + looks.count(done_until),
            last_checked_at=looks.last_until(done_until),
        )
        return replace(record, runs=(*record.runs[:-1], counted))

    def with_next(self, record: ActivityRecord) -> ActivityRecord:
        """To be shown, not stored: with the next planned look as well."""
        run = record.current_run
        if not run.is_watched:
            return record
        next_check_at = planned_looks(run, self.policy).next_after(self._done_until(run))
        counted = self(record)
        shown = replace(counted.current_run, next_check_at=next_check_at)
        return replace(counted, runs=(*counted.runs[:-1], shown))

    def _done_until(self, run: Run) -> datetime | None:
        connection = run.watch.connection if run.watch else ""
        return self.marks.read(run.tenant, connection).done_until(run.run_id)


def planned_looks(run: Run, policy: PollPolicy) -> PlannedLooks:
    """Of a run that is watched."""
    if run.watch is None or run.due_at is None:
        raise ValueError(f"run {run.run_id!r} is not watched")
    return PlannedLooks(run.watch, run.due_at, policy)


def _watch(activity: Activity, run: Run, policy: PollPolicy) -> Watch | None:
    if activity.adapter.provider != LEENA:
        return None  # Leap tells us itself, and its looks are few
    if run.remote_id is None or not run.status.is_followed:
        return None
    own_policy = activity.detection.applied_to(policy)
    is_learned = run.status is RunStatus.RUNNING and learned_until(own_policy, activity.durations)
    answer = (run.provider_status, run.reference_id, run.initiated_at, run.completed_at)
    return Watch(
        connection=activity.adapter.connection,
        aop_item_id=run.remote_id,
        status=run.status,
        since=age_counts_from(run),
        deadline_at=activity.deadline_at,
        polls=run.polls,
        seen=mark_of_answer(*answer),
        detection=activity.detection,
        durations=activity.durations if is_learned else NO_HISTORY,
    )
