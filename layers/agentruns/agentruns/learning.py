"""What the end of a run teaches its agent: how long such runs take.

Best effort on both sides: a history that cannot be read is thin, one that cannot be written misses
a run. Neither ever holds up a start or an end. Not here: what a plan makes of it (`learned_plan`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns.durations import NO_HISTORY, DurationHistory
from agentruns.errors import StoreConflict
from agentruns.model import Activity, EvidenceSource, Run

if TYPE_CHECKING:
    from agentruns.ports import Clock, DurationStore

_SEEN = frozenset({EvidenceSource.POLL, EvidenceSource.WEBHOOK})

ATTEMPTS = 4
"""Lost races after which a run is not counted: the others that ended just now are."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnDurations:
    """The history of an activity's agent: read before a start, written after an end."""

    durations: DurationStore
    clock: Clock

    def recall(self, activity: Activity) -> DurationHistory:
        """One read. Empty where it fails."""
        try:
            return self.durations.read(activity.tenant, subject_of(activity)).history
        except Exception:  # a start does not depend on how it will be polled
            logger.exception("durations_not_read")
            return NO_HISTORY

    def count(self, activity: Activity, run: Run) -> None:
        """A read and a conditional write. Counting a run twice changes nothing."""
        seconds = duration_seconds(run)
        if seconds is None:
            return
        try:
            self._count(activity, run.run_id, seconds)
        except Exception:  # nor does an end depend on what is learned from it
            logger.exception("duration_not_counted")

    def _count(self, activity: Activity, run_id: str, seconds: float) -> None:
        for _ in range(ATTEMPTS):
            stored = self.durations.read(activity.tenant, subject_of(activity))
            counted = stored.counting(run_id, seconds)
            if counted is None:
                return
            try:
                self.durations.write(counted, self.clock())
            except StoreConflict:
                continue
            return
        logger.warning("duration_not_counted", extra={"attempts": ATTEMPTS})


def subject_of(activity: Activity) -> str:
    """Whose runs are alike: those of one role with one AOP or workflow; without a role, of
    the latter.

    None of the three may hold a space."""
    adapter = activity.adapter
    return f"{activity.agent_role or '-'} {adapter.connection} {adapter.work_id}"


def duration_seconds(run: Run) -> float | None:
    """What the run took as the provider tells it, else until its end was seen.

    None where nobody saw it end by itself: at the deadline, by a person, by an error of ours.
    """
    is_seen = any(each.decided and each.source in _SEEN for each in run.evidence)
    if not is_seen or run.started_at is None or run.ended_at is None:
        return None
    until_seen = (run.ended_at - run.started_at).total_seconds()
    if run.initiated_at is None or run.completed_at is None:
        return until_seen
    return min(max((run.completed_at - run.initiated_at).total_seconds(), 0.0), until_seen)
