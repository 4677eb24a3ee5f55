"""How densely to look at a run of an agent whose past runs are known.

A plan is a density of looks n(t) over the age t of a run. For durations with density f and survival
S the least product of looks and delay has n proportional to sqrt(f/S)
(docs/decisions/0017-learned-poll-plan.md). Here: f from the history by a kernel estimate over the
logarithm of the duration, n tabulated and summed up. Pure. Not here: the limits of a wait, parking.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentruns.durations import LONGEST_SECONDS, DurationHistory, has_drifted

FEWEST_RUNS = 8.0
"""A history whose effective count is smaller is thin: no plan is made of it."""

SURPRISE = 0.25
"""Of this many runs, spread over all durations alike by their logarithm, a history is thought to
have one more kind: so a run that ends when none did before is looked at, rarely."""

NARROWEST = 0.02
WIDTHS = (1.0, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12)
"""Kernel widths that are tried, as parts of the normal-reference one (1.06 sigma n^-1/5); the one
under which each run is likeliest, seen from the others, is taken."""

REACH = 4.0
"""A kernel ends so many of its widths from its middle."""

STEPS_MOST = 240
EARLY_STEP = 0.2

TRIALS = 12
TRIAL_STEP = 1.15
TOLERANCE = 1.05
"""A plan of few looks has more delay than its density says: it is made denser, step by step, until
its own mean delay is the one asked for, to 5 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is asked of a plan: the mean delay of the age-proportional curve with these limits.

    `share` of the age; the others are seconds. `longest_seconds`, where set, also limits the wait
    at any age at which runs of the history ended.
    """

    share: float
    floor_seconds: float
    cap_seconds: float
    longest_seconds: float | None = None

    def spacing(self, age_seconds: float) -> float:
        """The wait of the age-proportional curve, in seconds."""
        return min(max(self.share * age_seconds, self.floor_seconds), self.cap_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPlan:
    """`looks[i]`: how many looks a run of age `ages[i]` (s) has had. Both ascend from 0."""

    ages: tuple[float, ...]
    looks: tuple[float, ...]

    @property
    def outlived_after(self) -> float:
        """The age in seconds from which the history says nothing."""
        return self.ages[-1]

    def next_look(self, age_seconds: float) -> float | None:
        """The age of the next look: where the looks are one more than now.

        At the latest where the history ends; None for a run that outlived it.
        """
        if age_seconds >= self.ages[-1]:
            return None
        had = _interpolated(max(age_seconds, 0.0), self.ages, self.looks)
        if had + 1 >= self.looks[-1]:
            return self.ages[-1]
        return _interpolated(had + 1, self.looks, self.ages)


@functools.lru_cache(maxsize=256)
def learn(history: DurationHistory, aim: Aim) -> LearnedPlan | None:
    """None where the history is thin or has drifted."""
    if history.effective_count < FEWEST_RUNS or has_drifted(history):
        return None
    points = _normalized(history)
    known = _estimate(points, history.effective_count)
    mean_delay = sum(share * aim.spacing(math.exp(log)) for log, share in points) / 2
    area = _integral(known.ages, [math.sqrt(f * s) for f, s in known.pairs()])
    surprise = SURPRISE / history.effective_count
    scale = area / (2 * mean_delay)
    for _ in range(TRIALS):
        plan = _plan(known, aim, scale, surprise)
        if _mean_delay(plan, known) <= TOLERANCE * mean_delay:
            break
        scale *= TRIAL_STEP
    return plan


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Density (per second) and survival at ages (s), ascending from 0."""

    ages: tuple[float, ...]
    density: tuple[float, ...]
    survival: tuple[float, ...]

    def pairs(self) -> Iterator[tuple[float, float]]:
        return zip(self.density, self.survival, strict=True)


def _estimate(points: Sequence[tuple[float, float]], count: float) -> _Known:
    """Up to the age at which the history expects less than half a run more."""
    width = _width(points, count)
    logs = _grid(points, width)
    density = [_density(log, points, width) for log in logs]
    survival = _survival(logs, density)
    known = sum(each >= 0.5 / (count + 1) for each in survival)
    ages = [math.exp(log) for log in logs[:known]]
    return _Known(
        ages=(0.0, *ages),
        density=(0.0, *(f / age for f, age in zip(density, ages, strict=False))),
        survival=(1.0, *survival[:known]),
    )


def _plan(known: _Known, aim: Aim, scale: float, surprise: float) -> LearnedPlan:
    everything = math.log(LONGEST_SECONDS)
    rates = []
    for age, (f, s) in zip(known.ages, known.pairs(), strict=True):
        log = math.log(max(age, 1.0))
        any_f = 1 / (everything * max(age, 1.0))
        any_s = max(1 - log / everything, 0.0)
        mixed_f = (1 - surprise) * f + surprise * any_f
        mixed_s = (1 - surprise) * s + surprise * any_s
        rate = min(scale * math.sqrt(mixed_f / mixed_s), 1 / aim.floor_seconds)
        if aim.longest_seconds is not None and s < 1.0:
            rate = max(rate, 1 / aim.longest_seconds)
        rates.append(rate)
    return LearnedPlan(ages=known.ages, looks=tuple(_summed(known.ages, rates)))


def _mean_delay(plan: LearnedPlan, known: _Known) -> float:
    """Of the plan's own looks, in seconds: between two looks at a and b that is the integral of
    S(a) - S(t)."""
    lived = tuple(_summed(known.ages, known.survival))
    delay, age = 0.0, 0.0
    following = plan.next_look(age)
    while following is not None:
        survives = _interpolated(age, known.ages, known.survival)
        between = _interpolated(following, known.ages, lived) - _interpolated(
            age, known.ages, lived
        )
        delay += survives * (following - age) - between
        age, following = following, plan.next_look(following)
    return delay


def _normalized(history: DurationHistory) -> list[tuple[float, float]]:
    total = sum(weight for _, weight in history.weighted())
    return [(log, weight / total) for log, weight in history.weighted()]


def _width(points: Sequence[tuple[float, float]], count: float) -> float:
    """Of the kernels, in the logarithm of the duration: by likelihood, each run left out once."""
    mean = sum(share * log for log, share in points)
    sigma = math.sqrt(sum(share * (log - mean) ** 2 for log, share in points))
    reference = 1.06 * sigma * math.pow(count, -0.2)
    widths = [max(part * reference, NARROWEST) for part in WIDTHS]
    return max(dict.fromkeys(widths), key=lambda width: _likelihood(points, width))


def _likelihood(points: Sequence[tuple[float, float]], width: float) -> float:
    """Each pair's kernel is computed once, since it is the same from both sides."""
    others = [0.0] * len(points)
    for i, (log, share) in enumerate(points):
        for j in range(i):
            other, its_share = points[j]
            distance = (log - other) / width
            if abs(distance) < REACH:
                kernel = math.exp(-0.5 * distance * distance)
                others[i] += its_share * kernel
                others[j] += share * kernel
    scale = width * math.sqrt(2 * math.pi)
    return sum(
        share * math.log(max(each / scale / (1 - share), 1e-9))
        for each, (_, share) in zip(others, points, strict=True)
    )


def _density(log: float, points: Sequence[tuple[float, float]], width: float) -> float:
    total = 0.0
    for other, share in points:
        distance = (log - other) / width
        if abs(distance) < REACH:
            total += share * math.exp(-0.5 * distance * distance)
    return total / (width * math.sqrt(2 * math.pi))


def _grid(points: Sequence[tuple[float, float]], width: float) -> list[float]:
    """Logarithms of ages: coarse up to the first kernel, fine from there to the end of the last."""
    first = min(log for log, _ in points) - REACH * width
    last = max(log for log, _ in points) + REACH * width
    step = max(width / 4, (last - first) / STEPS_MOST)
    early = math.ceil(max(first, 0.0) / EARLY_STEP)
    logs = [first * i / early for i in range(early)]
    steps = math.ceil((last - first) / step)
    return logs + [first + (last - first) * i / steps for i in range(steps + 1)]


def _survival(logs: Sequence[float], density: Sequence[float]) -> list[float]:
    """1 - distribution, summed by trapezoids and made to end at 0."""
    masses = [
        (density[i] + density[i + 1]) / 2 * (logs[i + 1] - logs[i]) for i in range(len(logs) - 1)
    ]
    total, left = sum(masses), sum(masses)
    survival = [1.0]
    for mass in masses:
        left -= mass
        survival.append(max(left / total, 0.0))
    return survival


def _integral(xs: Sequence[float], ys: Sequence[float]) -> float:
    """By trapezoids."""
    *_, total = _summed(xs, ys)
    return total


def _summed(xs: Sequence[float], ys: Sequence[float]) -> Iterator[float]:
    """The integral up to each x."""
    total = 0.0
    yield total
    for i in range(len(xs) - 1):
        total += (ys[i] + ys[i + 1]) / 2 * (xs[i + 1] - xs[i])
        yield total


def _interpolated(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    i = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    part = (x - xs[i - 1]) / (xs[i] - xs[i - 1])
    return ys[i - 1] + part * (ys[i] - ys[i - 1])
