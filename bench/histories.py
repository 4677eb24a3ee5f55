"""Figure 4: state transitions and history events, counted, and what the planner says about them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from agentruns import polling
from agentruns.model import ActivityRecord
from agentruns.polling import PollPolicy, WorstCase, worst_case
from bench.embedded import STACK_NAME, BenchStack
from bench.section import Section, verdict

DEADLINE_SECONDS = 30
LIMIT_SECONDS = 100
PLANS = ((3600, "1 h"), (86_400, "24 h"), (30 * 86_400, "30 d"))

METHOD = (
    "Every row with a verdict is one execution of this run: transitions are the states entered, "
    "events those of get_execution_history. MiniStack writes no TaskStarted and no TaskSubmitted, "
    "AWS writes one per Task and one per parking; they are added. Beside them stands what "
    "agentruns.polling says for as many polls (transitions "
    f"{polling.TRANSITIONS_OUTSIDE_THE_LOOP} + {polling.TRANSITIONS_PER_POLL} per poll + "
    f"{polling.TRANSITIONS_PER_PARK} for parking, events {polling.EVENTS_OUTSIDE_THE_LOOP} + "
    f"{polling.EVENTS_PER_POLL} + {polling.EVENTS_PER_PARK}; "
    "one event less where the execution fails, since a Fail state writes no exit). The "
    "rows `worst case` are what worst_case() says of a run that never ends until its deadline, at "
    "25 dollars per million transitions; it counts on checks without offset and delay, so a run "
    "polls a little less. What the sweeper's own looks cost is not in it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One execution. `events` includes those that AWS writes and MiniStack does not."""

    polls_in_loop: int
    parks: int
    transitions: int
    events: int
    failed: bool

    @property
    def planned_transitions(self) -> int:
        in_loop = self.polls_in_loop * polling.TRANSITIONS_PER_POLL
        parked = self.parks * polling.TRANSITIONS_PER_PARK
        return polling.TRANSITIONS_OUTSIDE_THE_LOOP + in_loop + parked

    @property
    def planned_events(self) -> int:
        in_loop = self.polls_in_loop * polling.EVENTS_PER_POLL
        parked = self.parks * polling.EVENTS_PER_PARK
        unwritten_exit = 1 if self.failed else 0
        return polling.EVENTS_OUTSIDE_THE_LOOP + in_loop + parked - unwritten_exit

    @property
    def as_planned(self) -> bool:
        return (self.transitions, self.events) == (self.planned_transitions, self.planned_events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Activity ids of the two runs that take their time."""

    to_deadline: str
    parked: str


def start(bench: BenchStack) -> Started:
    """Start them early: they go on while other figures are measured."""
    bench.define_aop("bench_never", [{"status": "in_progress"}])
    bench.define_aop(
        "bench_paused", [{"status": "paused", "seconds": 30}, {"status": "completed", "polls": 1}]
    )
    return Started(
        to_deadline=bench.start("bench_never", timeout_seconds=DEADLINE_SECONDS),
        parked=bench.start("bench_paused"),
    )


def measure(bench: BenchStack, started: Started, ended: Iterable[ActivityRecord]) -> Section:
    """`ended`: activities of this stack that ran in the loop to their end."""
    sweep_until_ended(bench, started.parked)
    bench.wait_until_ended(LIMIT_SECONDS)
    in_loop = {each.polls_in_loop: each for each in (count(bench, record) for record in ended)}
    deadline = count(bench, bench.read(started.to_deadline))
    parked = count(bench, bench.read(started.parked))
    worst = worst_case(PollPolicy(), DEADLINE_SECONDS)
    rows = [row(f"polls: {polls}, then completed", in_loop[polls]) for polls in sorted(in_loop)]
    rows.append(row("paused: parked once, then completed", parked))
    rows.append(
        row(f"polls: {deadline.polls_in_loop}, then the deadline of {DEADLINE_SECONDS} s", deadline)
    )
    rows.append(plan_row(f"{DEADLINE_SECONDS} s", worst))
    rows += [plan_row(name, worst_case(PollPolicy(), seconds)) for seconds, name in PLANS]
    as_planned = all(each.as_planned for each in (*in_loop.values(), deadline, parked))
    targets = {
        "the planner's numbers are the counted ones": as_planned and bool(in_loop),
        "no more than worst_case": deadline.transitions <= worst.transitions
        and deadline.events <= worst.history_events,
        "the paused run parks once": parked.parks == 1,
    }
    return Section(
        title="4. State transitions and history events",
        method=METHOD,
        columns=("execution", "transitions", "planner", "events", "planner", "dollars", "verdict"),
        rows=rows,
        missed=[target for target, met in targets.items() if not met],
    )


def sweep_until_ended(bench: BenchStack, activity_id: str) -> None:
    """Call the sweeper instead of waiting for its minute tick."""
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until and not bench.read(activity_id).activity.status.is_terminal:
        bench.functions.invoke(FunctionName=f"{STACK_NAME}-sweep", Payload=b"{}")
        time.sleep(1)


def count(bench: BenchStack, record: ActivityRecord) -> Counted:
    history = bench.history(record.activity.execution_arn or "")
    types = Counter(event["type"] for event in history)
    entered = Counter(
        event["stateEnteredEventDetails"]["name"]
        for event in history
        if "stateEnteredEventDetails" in event
    )
    started_on_aws = types["TaskScheduled"] - types["TaskStarted"]
    submitted_on_aws = entered["ParkRun"] - types["TaskSubmitted"]
    return Counted(
        polls_in_loop=entered["CheckRun"],
        parks=entered["ParkRun"],
        transitions=sum(entered.values()),
        events=len(history) + started_on_aws + submitted_on_aws,
        failed="ExecutionFailed" in types,
    )


def row(name: str, counted: Counted) -> tuple[str, ...]:
    return (
        name,
        str(counted.transitions),
        str(counted.planned_transitions),
        str(counted.events),
        str(counted.planned_events),
        f"{counted.transitions * polling.DOLLARS_PER_TRANSITION:.5f}",
        verdict(counted.as_planned),
    )


def plan_row(name: str, worst: WorstCase) -> tuple[str, ...]:
    polls = f"{worst.polls_in_loop} polls in the loop, {worst.polls_parked:,} parked"
    return (
        f"worst case {name}: {polls}",
        "",
        str(worst.transitions),
        "",
        str(worst.history_events),
        f"{worst.dollars:.5f}",
        "",
    )
