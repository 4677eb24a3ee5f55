"""Figure 7: looks against delay once more, end to end: real workers, compressed time.

The state machine, the handlers, the table and the sweeper as they are deployed; the provider is
the emulator, and all clocks run faster alike. Not here: many runs, and other plans than ours; the
simulation (`poll_plans`) has those.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from agentruns.model import ActivityRecord
from agentruns.polling import (
    Detection,
    PlannedCheck,
    PollPolicy,
    first_offset_seconds,
    plan_next_check,
)
from agentruns.statuses import RunStatus
from bench.embedded import CONNECTION, STACK_NAME, BenchStack, bench_stack
from bench.fast_clock import sitecustomize as fast_clock
from bench.machine import describe_load
from bench.poll_bound import (
    Outcome,
    least_product,
    look_ages,
    looks_and_delay,
    outcome,
    root_integral,
)
from bench.poll_plans import LEARNED_FROM, log_normal, log_normal_durations
from bench.section import Section, verdict
from local.leena_emulator import LeenaEmulator

SPEED = 15
MEDIAN_SECONDS, SIGMA = 300.0, 0.1
FLOOR_SECONDS = 10.0
TICK_SECONDS = 10.0
"""Between two calls of the sweeper, in compressed time: what it adds is to be small here."""

LOOK_SECONDS, READ_SECONDS, LIMIT_SECONDS = 0.02, 3.0, 240.0
START_EVERY_SECONDS = 0.25
"""By the machine's clock, so that a few workers are enough and warm."""

DEADLINE_SECONDS = 86_400.0
SEED = 17
SIMULATED_DURATIONS = 200
NEIGHBOURS = 20
STANDARD_ERRORS = 3

FIXED, BY_AGE, LEARNED = "fixed 20 s", "ours, no history", "ours, learned"
DETECTIONS = {
    FIXED: Detection(relative_delay=None, max_delay_seconds=20),
    BY_AGE: Detection(relative_delay=0.05),
    LEARNED: Detection(relative_delay=0.05),
}
RUNS = {FIXED: 15, BY_AGE: 15, LEARNED: 30}
ROLES = {FIXED: "bench_fixed", BY_AGE: "bench_by_age", LEARNED: "bench_learned"}
WHILE_LEARNING = Detection(relative_delay=None, max_delay_seconds=59)
"""How the runs that teach are followed does not matter: the provider tells their duration."""

METHOD = (
    f"A stack of its own on which {SPEED} s pass in one: the waits of the state machine, the "
    "clocks of the Lambda workers and of the provider emulator. All seconds below are compressed "
    f"ones. Durations: log-normal, median {MEDIAN_SECONDS:.0f} s, sigma {SIGMA}. The agent learns "
    f"from {LEARNED_FROM} runs of its own before its others are measured. Deployed with a floor of "
    f"{FLOOR_SECONDS:.0f} s; max_delay_seconds 20 for the fixed loop, relative_delay 0.05 for both "
    "of ours. Looks are those in the provider's ledger, delays go from the provider's end to the "
    f"run's in our rows; the sweeper is called each {TICK_SECONDS:.0f} s. Simulated: what the "
    "planner alone says for these runs, with their offsets and histories, each over "
    f"{SIMULATED_DURATIONS} durations, where each look comes as late after its plan as one of that "
    "row's really came at about that age. Met: the mean delay is the simulated one within "
    f"{STANDARD_ERRORS} of its standard errors (after +-), and learned has the least product. The "
    "fixed loop's product does not depend on its pace. The bound knows no lateness, no whole "
    "seconds and no look that sees the end."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A run that has ended. Seconds since its start, compressed."""

    record: ActivityRecord
    look_ages: Sequence[float]
    duration: float
    delay: float

    @property
    def looks(self) -> int:
        return len(self.look_ages)


class Provider:
    """Ends each item of an AOP after the next of the durations that were given for it, and notes
    from its ledger when an item was looked at, to `LOOK_SECONDS` of the machine's clock."""

    def __init__(self, leena: LeenaEmulator) -> None:
        self.leena = leena
        self._durations: dict[str, list[float]] = {}
        self._seen = 0
        self._ends: dict[str, datetime] = {}
        self.looks: dict[str, list[datetime]] = {}

    def give(self, aop_id: str, durations: Sequence[float]) -> None:
        self.leena.define_aop(aop_id, [{"status": "in_progress"}])
        self._durations[aop_id] = list(durations)

    def go_on(self) -> None:
        """Note what was looked at, end what is due."""
        now = fast_clock.fast_now()
        for item_id, noted in self.looks.items():
            noted += [now] * (self.leena.ledger.status_reads(item_id) - len(noted))
        executes = self.leena.ledger.executes()
        for entry in executes[self._seen :]:
            if entry.item is not None:
                seconds = self._durations[entry.item.aop_id].pop()
                ends_at = entry.item.initiated_at + timedelta(seconds=seconds)
                self._ends[entry.item.aop_item_id] = ends_at
                self.looks[entry.item.aop_item_id] = []
        self._seen = len(executes)
        for item_id, ends_at in list(self._ends.items()):
            if ends_at <= now:
                self.leena.items.force_status(item_id, "completed")
                del self._ends[item_id]


def measure() -> Section:
    """Brings the stack up and ends it."""
    environment = {
        fast_clock.SPEED_VARIABLE: str(SPEED),
        fast_clock.EPOCH_VARIABLE: str(time.time()),
    }
    os.environ.update(environment)  # the emulator is in this process
    switches = {
        **environment,
        "PYTHONPATH": str(Path(fast_clock.__file__).parent),
        "SFN_WAIT_SCALE": str(1 / SPEED),
    }
    parameters = {"PollFloorSeconds": f"{FLOOR_SECONDS:.0f}"}
    with (
        bench_stack(switches, parameters) as bench,
        LeenaEmulator(clock=fast_clock.fast_now) as leena,
    ):
        bench.connect(leena.url)
        provider = Provider(leena)
        with (
            repeating(provider.go_on, LOOK_SECONDS),
            repeating(partial(sweep, bench), TICK_SECONDS / SPEED),
        ):
            followed = follow_all(bench, provider)
    return section(followed)


def follow_all(bench: BenchStack, provider: Provider) -> dict[str, list[Followed]]:
    """The runs without history while others teach the agent, the fixed loop beside the learned."""
    source = random.Random(SEED)  # noqa: S311  # seeded on purpose
    teaching = log_normal_durations("", SIGMA).sample(source, LEARNED_FROM)
    put_agent(bench, LEARNED, WHILE_LEARNING)
    provider.give(ROLES[LEARNED], [each * MEDIAN_SECONDS / 3600 for each in teaching])
    by_age = prepare(bench, provider, BY_AGE)
    ended = follow(bench, [LEARNED] * LEARNED_FROM + by_age)
    both = prepare(bench, provider, FIXED) + prepare(bench, provider, LEARNED)
    source.shuffle(both)
    ended = {BY_AGE: ended[BY_AGE]} | follow(bench, both)
    return {name: [seen(provider, each) for each in ended[name]] for name in DETECTIONS}


def prepare(bench: BenchStack, provider: Provider, name: str) -> list[str]:
    """The agent and its durations; its name as often as it is to be started."""
    put_agent(bench, name, DETECTIONS[name])
    provider.give(ROLES[name], durations_of(random.Random(name), RUNS[name]))  # noqa: S311  # seeded
    return [name] * RUNS[name]


def put_agent(bench: BenchStack, name: str, detection: Detection) -> None:
    adapter = {"type": "leena_aop", "connection": CONNECTION, "aop_id": ROLES[name]}
    setting: dict[str, Any] = {"max_delay_seconds": detection.max_delay_seconds}
    if detection.max_delay_seconds is None:
        setting = {"relative_delay": detection.relative_delay}
    bench.call("PUT", f"/v1/agents/{ROLES[name]}", {"adapter": adapter, "detection": setting})


def follow(bench: BenchStack, names: Sequence[str]) -> dict[str, list[ActivityRecord]]:
    """Starts them one after the other, and waits until all have ended."""
    started: dict[str, str] = {}
    for name in names:
        body = {"agent_role": ROLES[name], "message": "measured"}
        started[bench.call("POST", "/v1/activities", body)["activity_id"]] = name
        time.sleep(START_EVERY_SECONDS)
    ended: dict[str, list[ActivityRecord]] = {name: [] for name in names}
    give_up_at = time.monotonic() + LIMIT_SECONDS
    while started:
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{len(started)} of {len(names)} go on after {LIMIT_SECONDS:.0f} s")
        time.sleep(READ_SECONDS)
        for record in [bench.read(each) for each in started]:
            if record.activity.status.is_terminal:
                ended[started.pop(record.activity.activity_id)].append(record)
    return ended


@contextmanager
def repeating(action: Callable[[], object], every_seconds: float) -> Iterator[None]:
    """In a thread of its own, with a pause between two times, until the block ends."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(every_seconds):
            action()

    with ThreadPoolExecutor(1) as thread:
        repeated = thread.submit(repeat)
        try:
            yield
        finally:
            done.set()
        repeated.result()


def sweep(bench: BenchStack) -> None:
    """Beside its deployed minute tick."""
    bench.functions.invoke(FunctionName=f"{STACK_NAME}-sweep", Payload=b"{}")


def seen(provider: Provider, record: ActivityRecord) -> Followed:
    run = record.current_run
    if run.started_at is None or run.ended_at is None or run.completed_at is None:
        raise ValueError(f"run {run.run_id!r} is {run.status} without its times")
    looks = provider.looks[run.remote_id or ""]
    return Followed(
        record=record,
        look_ages=[(each - run.started_at).total_seconds() for each in looks],
        duration=(run.completed_at - run.started_at).total_seconds(),
        delay=(run.ended_at - run.completed_at).total_seconds(),
    )


Lateness = Callable[[float], float]
"""How late a look comes, in seconds, by the age (s) of the run at the look before."""


def look_ages_of(
    each: Followed, policy: PollPolicy, lateness: Lateness, until: float
) -> list[float]:
    """When the planner alone would look at that run, if its looks came so late."""
    offset = [first_offset_seconds(each.record.current_run.run_id, policy)]

    def next_wait(age: float) -> float:
        plan = planned(each, policy, age, offset.pop() if offset else 0.0)
        return plan.wait_seconds + lateness(age) + (TICK_SECONDS / 2 if plan.park else 0.0)

    return look_ages(next_wait, until=until)


def planned(each: Followed, policy: PollPolicy, age: float, offset: float = 0.0) -> PlannedCheck:
    return plan_next_check(
        status=RunStatus.RUNNING,
        age_seconds=age,
        deadline_in_seconds=DEADLINE_SECONDS - age,
        policy=policy,
        offset_seconds=offset,
        history=each.record.activity.durations,
    )


def lateness_of(runs: Sequence[Followed], policy: PollPolicy) -> Lateness:
    """As late as some look of theirs in the loop at about that age, drawn anew each time."""
    source = random.Random(SEED)  # noqa: S311  # seeded on purpose
    late = sorted(
        (before, after - before - plan.wait_seconds)
        for each in runs
        for before, after in pairwise(each.look_ages)
        if not (plan := planned(each, policy, before)).park
    )
    ages = [age for age, _ in late]

    def lateness(age: float) -> float:
        first = min(bisect_left(ages, age) - NEIGHBOURS // 2, len(late) - NEIGHBOURS)
        return max(source.choice(late[max(first, 0) :][:NEIGHBOURS])[1], 0.0)

    return lateness


def simulated(runs: Sequence[Followed], policy: PollPolicy, lateness: Lateness) -> Outcome:
    source = random.Random(SEED + 2)  # noqa: S311  # seeded on purpose
    durations = durations_of(source, SIMULATED_DURATIONS)
    looks: list[tuple[int, float]] = []
    for each in runs:
        ages = look_ages_of(each, policy, lateness, max(durations))
        looks += [looks_and_delay(ages, duration) for duration in durations]
    return outcome(looks)


def durations_of(source: random.Random, count: int) -> list[float]:
    """One of each part of the distribution, in no order."""
    hours = log_normal_durations("", SIGMA).one_of_each_part(source, count)
    source.shuffle(hours)
    return [each * MEDIAN_SECONDS / 3600 for each in hours]


def section(followed: Mapping[str, list[Followed]]) -> Section:
    deployed = PollPolicy(floor_seconds=FLOOR_SECONDS)
    policies = {name: each.applied_to(deployed) for name, each in DETECTIONS.items()}
    lateness = {name: lateness_of(runs, policies[name]) for name, runs in followed.items()}
    mean_lateness = statistics.fmean(lateness[FIXED](MEDIAN_SECONDS) for _ in range(1000))
    measured = {
        name: outcome([(each.looks, each.delay) for each in runs])
        for name, runs in followed.items()
    }
    planned = {
        name: simulated(runs, policies[name], lateness[name]) for name, runs in followed.items()
    }
    errors = {name: standard_error(runs) for name, runs in followed.items()}
    is_met = {
        name: abs(measured[name].mean_delay - planned[name].mean_delay) <= STANDARD_ERRORS * error
        for name, error in errors.items()
    }
    is_least = measured[LEARNED].product < min(measured[FIXED].product, measured[BY_AGE].product)
    is_met[LEARNED] &= is_least
    bound = least_product(root_integral(log_normal(MEDIAN_SECONDS, SIGMA), until=DEADLINE_SECONDS))
    return Section(
        title=f"7. Looks against delay, end to end ({describe_load()})",
        method=METHOD,
        columns=(
            *("plan", "runs", "looks", "mean delay", "p95 delay", "looks x delay"),
            *("simulated: looks", "mean delay", "p95 delay", "looks x delay", "verdict"),
        ),
        rows=[
            *(
                (
                    name,
                    str(len(runs)),
                    *cells(measured[name], f" +- {errors[name]:.1f}"),
                    *cells(planned[name]),
                    verdict(is_met[name]),
                )
                for name, runs in followed.items()
            ),
            ("the bound", *[""] * 4, f"{bound:.0f}", *[""] * 5),
            ("a look came late by", *[""] * 2, f"{mean_lateness:.1f} s", *[""] * 7),
        ],
        missed=[f"{name}, end to end" for name, met in is_met.items() if not met],
    )


def standard_error(runs: Sequence[Followed]) -> float:
    """Of their mean delay, in seconds."""
    return statistics.stdev(each.delay for each in runs) / math.sqrt(len(runs))


def cells(figures: Outcome, precision: str = "") -> tuple[str, ...]:
    return (
        f"{figures.looks:.1f}",
        f"{figures.mean_delay:.1f}{precision} s",
        f"{figures.p95_delay:.0f} s",
        f"{figures.product:.0f}",
    )


if __name__ == "__main__":
    print("\n".join(measure().lines()))
