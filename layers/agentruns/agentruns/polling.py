"""When to look at a run again: one pure function, and the worst case it can cost.

Without history the wait is proportional to age, so that the delay of noticing an end is a constant
share of the run and the number of polls grows with the logarithm of its duration. With the
durations of past runs the looks go where ends are likely (`learned_plan`), for the same mean delay.
Not here: waiting itself (the state machine and the sweeper do), and what was seen.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, replace

from agentruns.durations import NO_HISTORY, DurationHistory
from agentruns.learned_plan import Aim, LearnedPlan, learn
from agentruns.statuses import RunStatus

TICK_SECONDS = 60.0
"""The sweeper's: a parked run is looked at no more often."""

PARK_FROM_SECONDS = 45.0
"""A wait this long by age is the sweeper's: the execution parks instead of looping. Each wait is
longer than the one before, so from here on the sweeper, half a minute late on average, is about as
late as the plan, and a look in the loop costs three transitions. By a learned plan one long wait
may be followed by short ones: there the execution parks where the delay that is aimed at reaches a
tick, however long the wait."""

MAX_POLLS_IN_LOOP = 100
"""After so many the run is parked whatever its wait: a policy with a cap below a minute would
otherwise loop until the deadline, 9 history events a poll, and an execution ends at 25,000."""

FEWER_LEARNED_POLLS_IN_LOOP = 3
"""A run that follows a learned plan is parked for good so many polls before one that goes by age
would be: it may park early, be woken, and look for itself once more, and `worst_case` holds."""

LONGEST_LEARNED_WAIT_SECONDS = 3600.0
"""However sure the history is: a run that ends when none did before is noticed within the hour."""

SHORTEST_PARK_SECONDS = 900.0
"""A parked execution waits at least this long before it looks for itself."""

PARKED_AGES = 24
"""And so many times the activity's age: twice in 30 days for a run that was parked at three
minutes, after an hour and a half and after a day and a half."""

MAX_RETRY_AFTER_SECONDS = 300.0
FAILED_CHECK_BACKOFF_SECONDS = 5.0
"""After n failed checks in a row at least 5 x 2^(n-1) seconds, up to the cap of the cadence."""

TRANSITIONS_PER_POLL = 3
EVENTS_PER_POLL = 9
TRANSITIONS_PER_PARK = 2
EVENTS_PER_PARK = 8
TRANSITIONS_PER_LOOK_BY_ITSELF = 3
EVENTS_PER_LOOK_BY_ITSELF = 13
TRANSITIONS_OUTSIDE_THE_LOOP = 8
EVENTS_OUTSIDE_THE_LOOP = 30
"""Counted from execution histories; the workflow tests hold these numbers to the real ones."""

DOLLARS_PER_TRANSITION = 25 / 1_000_000
"""Standard workflows, us-east-1: https://aws.amazon.com/step-functions/pricing/"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How eagerly to look. `share` is the wait as a part of the age; the rest are seconds.

    `longest_seconds`: no wait of a learned plan is longer at an age at which runs ended before.
    """

    share: float = 0.25
    floor_seconds: float = 5.0
    cap_seconds: float = 60.0
    paused_floor_seconds: float = 60.0
    paused_cap_seconds: float = 900.0
    paused_share: float = 0.25
    longest_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How late the end of an agent's runs may be noticed, against how many polls: one of the two.

    `relative_delay`: as a share of the run's age, within the deployment's floor and cap.
    `max_delay_seconds`: at most so many seconds, whatever the age and the deployment's cap.
    """

    relative_delay: float | None = 0.25
    max_delay_seconds: int | None = None

    def applied_to(self, policy: PollPolicy) -> PollPolicy:
        """The deployment's policy with this agent's setting. What concerns pauses stays."""
        if self.max_delay_seconds is not None:
            longest = max(float(self.max_delay_seconds), policy.floor_seconds)
            return replace(policy, share=1.0, cap_seconds=longest, longest_seconds=longest)
        if self.relative_delay is not None:
            return replace(policy, share=self.relative_delay)
        return policy


USUAL_DETECTION = Detection()


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
    history: DurationHistory = NO_HISTORY,
) -> PlannedCheck:
    """Plan the next check of a followed run.

    `age_seconds`: how long it has been in its status (paused) or running. `polls`: how often it
    was looked at so far. `offset_seconds` is added once, to the first wait.
    `retry_after_seconds` wins over the plan, up to five minutes. The deadline is never overslept.
    `history`: what the agent's past runs took. It counts while the run runs and is younger than
    they became; after a failed check, which told nothing, the wait goes by age.
    """
    cap = policy.paused_cap_seconds if status is RunStatus.PAUSED else policy.cap_seconds
    polls_in_loop = MAX_POLLS_IN_LOOP
    if status is not RunStatus.PAUSED and learn(history, _aim(policy)) is not None:
        polls_in_loop = _learned_polls_in_loop(policy, age_seconds + deadline_in_seconds)
    known = NO_HISTORY if failed_checks else history
    wait = undisturbed_wait(status, age_seconds, policy, known) + offset_seconds
    if failed_checks:
        backoff = FAILED_CHECK_BACKOFF_SECONDS * 2 ** min(failed_checks - 1, 10)
        wait = max(wait, min(backoff, cap))
    if retry_after_seconds is not None:
        wait = max(wait, min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS))
    is_learned = status is not RunStatus.PAUSED and age_seconds < learned_until(policy, known)
    if is_learned:
        is_long = _aimed_delay(policy, age_seconds + wait) >= TICK_SECONDS
    else:
        is_long = math.ceil(wait) >= PARK_FROM_SECONDS
    park = is_long or polls >= polls_in_loop
    wait = min(wait, max(deadline_in_seconds, 0.0))
    return PlannedCheck(wait_seconds=max(1, math.ceil(wait)), park=park)


def undisturbed_wait(
    status: RunStatus, age_seconds: float, policy: PollPolicy, history: DurationHistory
) -> float:
    """The plan itself, in seconds: nothing failed, nobody asked to wait, no deadline is near."""
    if status is RunStatus.PAUSED:
        by_age = max(policy.paused_share * age_seconds, policy.paused_floor_seconds)
        return min(by_age, policy.paused_cap_seconds)
    plan = learn(history, _aim(policy))
    learned = None if plan is None else _learned_wait(plan, policy, age_seconds)
    if learned is not None:
        return learned
    return min(max(policy.share * age_seconds, policy.floor_seconds), policy.cap_seconds)


def learned_until(policy: PollPolicy, history: DurationHistory) -> float:
    """The age in seconds up to which a learned plan is followed; 0 where there is none."""
    plan = learn(history, _aim(policy))
    return 0.0 if plan is None else plan.outlived_after


def _aimed_delay(policy: PollPolicy, age_seconds: float) -> float:
    """How late the end of a run of that age may be noticed."""
    return min(policy.share * age_seconds, policy.cap_seconds)


def _aim(policy: PollPolicy) -> Aim:
    return Aim(
        share=policy.share,
        floor_seconds=policy.floor_seconds,
        cap_seconds=policy.cap_seconds,
        longest_seconds=policy.longest_seconds,
    )


def _learned_wait(plan: LearnedPlan, policy: PollPolicy, age_seconds: float) -> float | None:
    """None for a run that outlived the history."""
    next_look = plan.next_look(age_seconds)
    if next_look is None:
        return None
    wait = next_look - max(age_seconds, 0.0)
    return min(max(wait, policy.floor_seconds), LONGEST_LEARNED_WAIT_SECONDS)


def _learned_polls_in_loop(policy: PollPolicy, deadline_seconds: float) -> int:
    by_age, _ = _polls_in_loop(policy, math.floor(deadline_seconds))
    return max(by_age - FEWER_LEARNED_POLLS_IN_LOOP, 0)


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


def plan_next_visit(age_seconds: float) -> int:
    """Whole seconds until the sweeper asks again for a slot for a waiting activity.

    Whoever frees a slot gives it on at once; this is for when he died. A quarter of the age, from
    a minute to a quarter of an hour.
    """
    return math.ceil(min(max(0.25 * age_seconds, 60.0), 900.0))


def longest_park(*, age_seconds: float, deadline_in_seconds: float) -> int:
    """Whole seconds after which a parked execution that nobody woke looks for itself.

    The sweeper comes each minute, so this is for when it is dead. A task's time limit cannot be
    extended and elapses also when all is well, so it grows with the activity's age; past the
    deadline it looks in any case.
    """
    by_itself = max(PARKED_AGES * age_seconds, SHORTEST_PARK_SECONDS)
    past_deadline = max(deadline_in_seconds, 0.0) + SHORTEST_PARK_SECONDS
    return math.ceil(min(by_itself, past_deadline))


def worst_case(policy: PollPolicy, deadline_seconds: float) -> WorstCase:
    """What a run costs that is `running` until its deadline: loops, parks, is swept, times out.

    Without a first offset: the earlier the first look, the more looks there are. A run that
    follows a learned plan costs no more (`FEWER_LEARNED_POLLS_IN_LOOP`).
    """
    in_loop, parked_from = _polls_in_loop(policy, deadline_seconds)
    parked, age = 0, parked_from
    while age < deadline_seconds:
        plan = _plan_by_age(policy, age, deadline_seconds, in_loop + parked)
        parked += 1
        age += max(plan.wait_seconds, TICK_SECONDS)
    transitions = TRANSITIONS_OUTSIDE_THE_LOOP + in_loop * TRANSITIONS_PER_POLL
    events = EVENTS_OUTSIDE_THE_LOOP + in_loop * EVENTS_PER_POLL
    looks_by_itself = 0
    if parked:
        looks_by_itself = _looks_by_itself(parked_from, deadline_seconds)
        parked += 1 + looks_by_itself  # whatever is stored plans one more look before its rungs
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


@functools.lru_cache(maxsize=256)
def _polls_in_loop(policy: PollPolicy, deadline_seconds: float) -> tuple[int, float]:
    """By age: how many, and the age in seconds at which they end by parking or the deadline."""
    age, polls = 0.0, 0
    while age < deadline_seconds:
        plan = _plan_by_age(policy, age, deadline_seconds, polls)
        if plan.park:
            break
        polls += 1
        age += plan.wait_seconds
    return polls, age


def _plan_by_age(
    policy: PollPolicy, age_seconds: float, deadline_seconds: float, polls: int
) -> PlannedCheck:
    return plan_next_check(
        status=RunStatus.RUNNING,
        age_seconds=age_seconds,
        deadline_in_seconds=deadline_seconds - age_seconds,
        policy=policy,
        polls=polls,
    )


def _looks_by_itself(parked_from_seconds: float, deadline_seconds: float) -> int:
    """Before the deadline, that is: the sweeper ends a run that is still parked there."""
    looks, age = 0, parked_from_seconds
    while True:
        age += longest_park(age_seconds=age, deadline_in_seconds=deadline_seconds - age)
        if age >= deadline_seconds:
            return looks
        looks += 1
