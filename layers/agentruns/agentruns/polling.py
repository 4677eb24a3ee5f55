"""When to look at a run again: one pure function, and the worst case it can cost.

Without history the wait is proportional to age, so that the delay of noticing an end is a constant
share of the run and the number of polls grows with the logarithm of its duration. Not here: waiting
itself (the state machine and the sweeper do), and what was seen.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from agentruns.statuses import RunStatus

PARK_FROM_SECONDS = 60.0
"""A wait this long is the sweeper's: the execution parks instead of looping."""

MAX_POLLS_IN_LOOP = 100
"""After so many the run is parked whatever its wait: a policy with a cap below a minute would
otherwise loop until the deadline, 9 history events a poll, and an execution ends at 25,000."""

SHORTEST_PARK_SECONDS = 900.0
"""A parked execution waits at least this long before it looks for itself."""

MAX_RETRY_AFTER_SECONDS = 300.0
FAILED_CHECK_BACKOFF_SECONDS = 5.0
"""After n failed checks in a row at least 5 x 2^(n-1) seconds, up to the cap of the cadence."""

TRANSITIONS_PER_POLL = 3
EVENTS_PER_POLL = 9
TRANSITIONS_PER_PARK = 2
EVENTS_PER_PARK = 8
TRANSITIONS_PER_LOOK_BY_ITSELF = 3
EVENTS_PER_LOOK_BY_ITSELF = 13
TRANSITIONS_OUTSIDE_THE_LOOP = 9
EVENTS_OUTSIDE_THE_LOOP = 32
"""Counted from execution histories; the workflow tests hold these numbers to the real ones."""

DOLLARS_PER_TRANSITION = 25 / 1_000_000
"""Standard workflows, us-east-1: https://aws.amazon.com/step-functions/pricing/"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How eagerly to look. `share` is the wait as a part of the age; the rest are seconds."""

    share: float = 0.25
    floor_seconds: float = 5.0
    cap_seconds: float = 60.0
    paused_floor_seconds: float = 60.0
    paused_cap_seconds: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCheck:
    """`wait_seconds` is whole (Step Functions waits in whole seconds). `park`: leave the loop."""

    wait_seconds: int
    park: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """The most a run can cost in one execution that never sees it end within its loop."""

    polls_in_loop: int
    polls_parked: int
    looks_by_itself: int
    transitions: int
    history_events: int
    dollars: float


def first_offset_seconds(run_id: str, policy: PollPolicy) -> float:
    """In [0, floor): spreads the first checks of runs that started together; same for a run."""
    share = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:4], "big") / 2**32
    return share * policy.floor_seconds


def plan_next_check(
    *,
    status: RunStatus,
    age_seconds: float,
    deadline_in_seconds: float,
    policy: PollPolicy,
    polls: int = 0,
    offset_seconds: float = 0.0,
    failed_checks: int = 0,
    retry_after_seconds: float | None = None,
) -> PlannedCheck:
    """Plan the next check of a followed run.

    `age_seconds`: how long it has been in its status (paused) or running. `polls`: how often it
    was looked at so far. `offset_seconds` is added once, to the first wait.
    `retry_after_seconds` wins over the plan, up to five minutes. The deadline is never overslept.
    """
    floor, cap = policy.floor_seconds, policy.cap_seconds
    if status is RunStatus.PAUSED:
        floor, cap = policy.paused_floor_seconds, policy.paused_cap_seconds
    wait = min(max(policy.share * age_seconds, floor), cap) + offset_seconds
    if failed_checks:
        backoff = FAILED_CHECK_BACKOFF_SECONDS * 2 ** min(failed_checks - 1, 10)
        wait = max(wait, min(backoff, cap))
    if retry_after_seconds is not None:
        wait = max(wait, min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS))
    park = math.ceil(wait) >= PARK_FROM_SECONDS or polls >= MAX_POLLS_IN_LOOP
    wait = min(wait, max(deadline_in_seconds, 0.0))
    return PlannedCheck(wait_seconds=max(1, math.ceil(wait)), park=park)


def plan_next_start(
    *, age_seconds: float, deadline_in_seconds: float, retry_after_seconds: float | None = None
) -> int:
    """Whole seconds until a start that was provably not taken is tried again.

    A quarter of the age, from 5 s to 15 min; past half a day 2 % of the age, so that an upstream
    that is down for a month costs a few hundred attempts and the history stays bounded.
    """
    wait = min(max(0.25 * age_seconds, 5.0), max(900.0, 0.02 * age_seconds))
    if retry_after_seconds is not None:
        wait = max(wait, min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS))
    return max(1, math.ceil(min(wait, max(deadline_in_seconds, 0.0))))


def longest_park(*, age_seconds: float, deadline_in_seconds: float) -> int:
    """Whole seconds after which a parked execution that nobody woke looks for itself.

    The sweeper comes each minute, so this is for when it is dead. A task's time limit cannot be
    extended and elapses also when all is well: four times the activity's age, it does so half a
    dozen times in 30 days.
    """
    by_itself = max(4 * age_seconds, SHORTEST_PARK_SECONDS)
    past_deadline = max(deadline_in_seconds, 0.0) + SHORTEST_PARK_SECONDS
    return math.ceil(min(by_itself, past_deadline))


def worst_case(policy: PollPolicy, deadline_seconds: float) -> WorstCase:
    """What a run costs that is `running` until its deadline: loops, parks, is swept, times out.

    Without a first offset: the earlier the first look, the more looks there are.
    """
    age, in_loop, parked, parked_from = 0.0, 0, 0, 0.0
    while age < deadline_seconds:
        plan = plan_next_check(
            status=RunStatus.RUNNING,
            age_seconds=age,
            deadline_in_seconds=deadline_seconds - age,
            policy=policy,
            polls=in_loop + parked,
        )
        if plan.park:
            parked_from = parked_from or age
            parked += 1
            age += max(plan.wait_seconds, PARK_FROM_SECONDS)  # the sweeper's minute tick
        else:
            in_loop += 1
            age += plan.wait_seconds
    transitions = TRANSITIONS_OUTSIDE_THE_LOOP + in_loop * TRANSITIONS_PER_POLL
    events = EVENTS_OUTSIDE_THE_LOOP + in_loop * EVENTS_PER_POLL
    looks_by_itself = 0
    if parked:
        looks_by_itself = _looks_by_itself(parked_from, deadline_seconds)
        transitions += TRANSITIONS_PER_PARK + looks_by_itself * TRANSITIONS_PER_LOOK_BY_ITSELF
        events += EVENTS_PER_PARK + looks_by_itself * EVENTS_PER_LOOK_BY_ITSELF
    return WorstCase(
        polls_in_loop=in_loop,
        polls_parked=parked,
        looks_by_itself=looks_by_itself,
        transitions=transitions,
        history_events=events,
        dollars=transitions * DOLLARS_PER_TRANSITION,
    )


def _looks_by_itself(parked_from_seconds: float, deadline_seconds: float) -> int:
    """Before the deadline, that is: the sweeper ends a run that is still parked there."""
    looks, age = 0, parked_from_seconds
    while True:
        age += longest_park(age_seconds=age, deadline_in_seconds=deadline_seconds - age)
        if age >= deadline_seconds:
            return looks
        looks += 1
