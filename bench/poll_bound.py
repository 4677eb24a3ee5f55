"""How few looks for how little delay any plan can have, and what a plan has: both by arithmetic.

Pure: densities of durations, the lower bound, and the looks and delays of a plan over given
durations. The derivation is in docs/decisions/0017-learned-poll-plan.md. Not here: which plans and
durations are compared (`poll_plans`).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Density = Callable[[float], float]
"""Per second, of a duration in seconds."""

NextWait = Callable[[float], float]
"""The seconds from a look at an age in seconds to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Per run: `looks` until its end is seen, that look included; delays in seconds."""

    looks: float
    mean_delay: float
    p95_delay: float

    @property
    def product(self) -> float:
        return self.looks * self.mean_delay


def root_integral(density: Density, *, until: float, steps: int = 20_000) -> float:
    """The integral of sqrt(f S) from a second to `until`, by trapezoids on a logarithmic grid.

    The density is normalized to what lies there, so it may be given without its constant.
    """
    ages = [math.exp(math.log(until) * step / steps) for step in range(steps + 1)]
    f = [density(age) for age in ages]
    survival = [0.0] * (steps + 1)
    for i in reversed(range(steps)):
        survival[i] = survival[i + 1] + (f[i] + f[i + 1]) / 2 * (ages[i + 1] - ages[i])
    roots = [math.sqrt(each * s) for each, s in zip(f, survival, strict=True)]
    area = sum((roots[i] + roots[i + 1]) / 2 * (ages[i + 1] - ages[i]) for i in range(steps))
    return area / survival[0]


def least_product(*root_integrals: float) -> float:
    """Looks times delay (s): at least half the square of the integral, or of its mean where the
    durations are drawn from several densities in turn and the plan knows which."""
    return statistics.fmean(root_integrals) ** 2 / 2


def look_ages(next_wait: NextWait, *, until: float) -> list[float]:
    """The ages in seconds at which a run that never ends is looked at, the last not before
    `until`."""
    ages = [next_wait(0.0)]
    while ages[-1] < until:
        ages.append(ages[-1] + next_wait(ages[-1]))
    return ages


def looks_and_delay(ages: Sequence[float], duration: float) -> tuple[int, float]:
    """How many looks until the end at `duration` (s) is seen, and how late it is (s)."""
    at = bisect_left(ages, duration)
    return at + 1, ages[at] - duration


def outcome(seen: Sequence[tuple[int, float]]) -> Outcome:
    """Over the runs' looks and delays."""
    delays = sorted(delay for _, delay in seen)
    return Outcome(
        looks=statistics.fmean(looks for looks, _ in seen),
        mean_delay=statistics.fmean(delays),
        p95_delay=delays[math.ceil(0.95 * len(delays)) - 1],
    )
