"""What an agent's past runs took: a decaying histogram of constant size.

The last 64 runs, newest first, each as the number of its bucket; buckets are 1.5 % wide, from a
second to thirty days, and a run weighs 3 % less than the one after it. Kept in order rather than
summed, so that the decay is exact and a change shows in the newest ones. Not here: what a plan
makes of it (`learned_plan`), where it is stored.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

RUNS_KEPT = 64
DECAY = 0.97
"""Per run. Of 64 runs the effective count (Kish) is 49."""

BUCKET_WIDTH = math.log(1.015)
LONGEST_SECONDS = 30 * 86_400
BUCKETS = math.ceil(math.log(LONGEST_SECONDS) / BUCKET_WIDTH) + 1

NEWEST = 5
"""How many of the newest runs are held against the older ones to notice a drift."""

FEWEST_OLDER = 20
DRIFT_STATISTIC = 29.6
"""Fisher's -2 sum(ln p) of five runs is chi-squared with ten degrees of freedom: above this in one
of a thousand cases. Five runs beyond twenty older ones reach it, or four beyond forty."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE = len(_DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationHistory:
    """Bucket numbers of the last runs, newest first; at most `RUNS_KEPT`."""

    buckets: tuple[int, ...] = ()

    @classmethod
    def of(cls, seconds: Sequence[float]) -> DurationHistory:
        """From durations in seconds, oldest first."""
        newest_first = [bucket_of(each) for each in reversed(seconds)]
        return cls(buckets=tuple(newest_first[:RUNS_KEPT]))

    @classmethod
    def from_text(cls, text: str) -> DurationHistory:
        """The inverse of `text`."""
        numbers = (int(text[at : at + 2], _BASE) for at in range(0, len(text), 2))
        return cls(buckets=tuple(numbers))

    @property
    def text(self) -> str:
        """Two characters a run: 128 at most."""
        return "".join(_DIGITS[each // _BASE] + _DIGITS[each % _BASE] for each in self.buckets)

    @property
    def effective_count(self) -> float:
        """How many equally weighted runs would say as much."""
        weights = [weight for _, weight in self.weighted()]
        return sum(weights) ** 2 / sum(weight**2 for weight in weights) if weights else 0.0

    def weighted(self) -> Iterator[tuple[float, float]]:
        """(natural logarithm of the seconds, weight); the newest weighs 1."""
        weight = 1.0
        for bucket in self.buckets:
            yield bucket * BUCKET_WIDTH, weight
            weight *= DECAY

    def then(self, seconds: float) -> DurationHistory:
        """With one more run. Where the newest ones tell that the agent has changed, what was
        before them is forgotten, so that the new ways are learned from the start."""
        longer = DurationHistory(buckets=(bucket_of(seconds), *self.buckets)[:RUNS_KEPT])
        return replace(longer, buckets=longer.buckets[:NEWEST]) if has_drifted(longer) else longer


NO_HISTORY = DurationHistory()


def bucket_of(seconds: float) -> int:
    """0 to `BUCKETS` - 1; shorter and longer durations fall into the outermost."""
    within = min(max(seconds, 1.0), LONGEST_SECONDS)
    return round(math.log(within) / BUCKET_WIDTH)


def has_drifted(history: DurationHistory) -> bool:
    """The newest runs do not look like the older ones.

    Each one's place among the older runs (probability integral transform) is made a two-sided p,
    and the five are combined as Fisher does. Few older runs say nothing.
    """
    newest, older = history.buckets[:NEWEST], history.buckets[NEWEST:]
    if len(older) < FEWEST_OLDER:
        return False
    return sum(-2 * math.log(_two_sided_p(each, older)) for each in newest) > DRIFT_STATISTIC


def _two_sided_p(bucket: int, older: Sequence[int]) -> float:
    """At least 1 in n + 1: beyond all of n older runs is no rarer than that."""
    below = sum(each < bucket for each in older)
    same = sum(each == bucket for each in older)
    place = (below + 0.5 * same + 0.5) / (len(older) + 1)
    return min(1.0, 2 * min(place, 1 - place))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDurations:
    """An agent's history as it is stored. `counted`: marks of the runs that it counted last, so
    that a repeated worker counts none twice."""

    tenant: str
    subject: str
    history: DurationHistory = NO_HISTORY
    counted: tuple[str, ...] = ()
    version: int = 0

    def counting(self, run_id: str, seconds: float) -> StoredDurations | None:
        """With one more run. None where it was among the last `RUNS_KEPT` counted."""
        mark = hashlib.sha256(run_id.encode()).hexdigest()[:8]
        if mark in self.counted:
            return None
        return replace(
            self,
            history=self.history.then(seconds),
            counted=(mark, *self.counted)[:RUNS_KEPT],
        )
