"""Figure 9: what a run costs at any length, everything counted, and how late its end is noticed.

The real state machine's routes and the real use cases in simulated time (tests/fakes/driver.py);
each row that is written or read is measured with the stores' own rows. That histories are as long
as the planner says is figure 4's, what a sweeper's check costs figure 8's. Not here: what is paid
by the month (README).
"""

from __future__ import annotations

import contextlib
import io
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from agentruns.durations import NO_HISTORY, DurationHistory, StoredDurations
from agentruns.learning import subject_of
from agentruns.model import (
    Activity,
    ActivityInput,
    ActivityRecord,
    Change,
    Event,
    Idempotency,
    NewEvent,
    Run,
)
from agentruns.store.items import activity_row, event_row, input_row, run_row
from bench import prices
from bench.section import Section, verdict
from tests.fakes.clock import NOON
from tests.fakes.driver import TICK, Driver
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import TENANT, World

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SEED = 23
LEARNED_FROM = 50
CALLBACK_TOKEN = "c" * 700
LONGEST = 29 * DAY

MOST_TRANSITIONS, MOST_EVENTS = 60, 250
MOST_DOLLARS, MOST_DOLLARS_LEARNED = 1.80, 1.00

WORKER_SECONDS = 0.3
"""Assumed, of every call of a worker, the API and the stream: a warm one with a call upstream."""

SWEEPER_SECONDS_PER_CHECK = 0.003
"""Of the sweeper, as figure 8 measures it where many runs share a tick."""

RUNS_PER_CONNECTION = 1_000
"""That share a connection's mark."""

READS_PER_CALL = 1.5
"""Of a worker that calls the provider, beside the run: the connection, half a unit for its gate."""

LOG_BYTES_PER_CALL = 2_000
SECRETS_CALLS = 1
"""Of a run: a cold worker reads the token. A warm one makes none."""

WORKER_GB_SECONDS = WORKER_SECONDS * prices.WORKER_GB
WORKERS = {"OpenRun", "MintToken", "ExecuteAop", "CheckRun", "ParkRun", "SettleRun"}
CALLS_THE_PROVIDER = {"MintToken", "ExecuteAop", "CheckRun"}

EVENTS_OF_STATES = {"Task": 5, "Choice": 2, "Wait": 2, "Succeed": 2, "Fail": 1}
EVENTS_OF_PARKING = 1
"""Entered, Scheduled, Started, Succeeded, Exited of a Task; a parked one is also Submitted. One
that timed out says TimedOut instead of Succeeded."""

INDEX_ROW = ("pk", "sk", "due_pk", "due_sk", "tenant", "activity_id", "run_id", "due_at", "watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """`seconds`: of a run, or of its pause where it `is_paused`. `fixed_dollars`: of a fixed loop
    of 10 s, per 1,000 runs."""

    name: str
    seconds: float
    runs: int
    is_paused: bool = False

    @property
    def fixed_dollars(self) -> float:
        """Three transitions and a call of a quarter of a GB for a quarter of a second per check;
        the start and the end are five transitions more."""
        checks = math.ceil(self.seconds / 10)
        check = 3 * prices.TRANSITION + prices.LAMBDA_CALL + 0.0625 * prices.GB_SECOND
        return 1_000 * (checks * check + 4.8 * prices.TRANSITION)


LENGTHS = (
    Length(name="1 min", seconds=MINUTE, runs=40),
    Length(name="10 min", seconds=10 * MINUTE, runs=40),
    Length(name="1 h", seconds=HOUR, runs=30),
    Length(name="1 day", seconds=DAY, runs=8),
    Length(name="7 days paused", seconds=7 * DAY, runs=8, is_paused=True),
)
PLANS: Mapping[str, float | None] = {"by age": None, "learned, 0.1": 0.1, "learned, 0.3": 0.3}

METHOD = (
    "Runs of about that length (log-normal, sigma 0.1, or the plan's), each alone in simulated "
    "time with a tick of the sweeper each minute, at phases spread over the minute; learned plans "
    "know 50 other runs. Counted: states entered, history events by state, calls of workers, write "
    "and read units of every row (by its size; transactions twice, the index what moves), entries "
    "that ticks read, marks, events. Assumed: "
    f"{WORKER_SECONDS} s and {prices.WORKER_GB} GB a call, {SWEEPER_SECONDS_PER_CHECK * 1000:.0f} "
    f"ms of the sweeper a check (figure 8), {RUNS_PER_CONNECTION:,} runs to a connection's mark, "
    "one call of Secrets Manager a run. Transitions and events are those of the row's dearest run, "
    f"dollars the mean; {prices.NOTED}. The fixed loop is computed: a check each 10 s is three "
    "transitions and a quarter of a second of Lambda; at one minute it is cheaper than ours by age."
)


@dataclass(slots=True)
class Meter:
    """An activity store that counts DynamoDB's units, by the rows of the real one."""

    store: Any
    writes: float = 0.0
    reads: float = 0.0
    entry_bytes: int = 0
    _rows: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def create(
        self,
        activity: Activity,
        activity_input: ActivityInput,
        run: Run,
        events: Sequence[NewEvent],
        idempotency: Idempotency | None,
    ) -> None:
        self.store.create(activity, activity_input, run, events, idempotency)
        self._write(activity_row(activity), 2)
        self._write(input_row(activity, activity_input), 2)
        self._write(run_row(run), 2)
        self._write_events(activity, events)

    def apply(self, change: Change) -> ActivityRecord:
        stored: ActivityRecord = self.store.apply(change)
        self._write(activity_row(stored.activity), 2)
        for run in stored.runs:
            self._write(run_row(run), 2)
        self._write_events(stored.activity, change.events)
        return stored

    def save_run(self, run: Run) -> Run:
        stored: Run = self.store.save_run(run)
        self._write(run_row(stored), 1)
        return stored

    def read(self, tenant: str, activity_id: str) -> ActivityRecord:
        record: ActivityRecord = self.store.read(tenant, activity_id)
        rows = [activity_row(record.activity), *map(run_row, record.runs)]
        self.reads += prices.read_units(sum(map(prices.size_bytes, rows)), consistent=True)
        return record

    def read_input(self, tenant: str, activity_id: str) -> ActivityInput:
        self.reads += 1
        told: ActivityInput = self.store.read_input(tenant, activity_id)
        return told

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def _write_events(self, activity: Activity, events: Sequence[NewEvent]) -> None:
        for number, new in enumerate(events):
            event = Event(
                tenant=activity.tenant,
                activity_id=activity.activity_id,
                sequence=number,
                type=new.type,
                at=new.at,
                run_id=new.run_id,
                detail=new.detail,
            )
            self.writes += 2 * prices.write_units(event_row(event))

    def _write(self, row: Mapping[str, Any], times: int) -> None:
        if row.get("callback_token"):
            row = {**row, "callback_token": CALLBACK_TOKEN}
        row = {**row, "writer": "0" * 16}
        key = (row["pk"], row["sk"])
        before = self._rows.get(key)
        self._rows[key] = row
        self.writes += times * max(prices.write_units(each) for each in (row, before or row))
        if "listing_pk" in row:
            self.writes += prices.write_units(row)
        self.writes += _index_units(before, row)
        self.entry_bytes = max(self.entry_bytes, prices.size_bytes(_entry(row)))


def _index_units(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> float:
    """An entry that moves is a deletion and a put."""
    old, new = _entry(before or {}), _entry(after)
    if old == new:
        return 0.0
    is_same_key = old.get("due_sk") == new.get("due_sk")
    sides = [new] if is_same_key else [each for each in (old, new) if each]
    return float(sum(prices.write_units(each) for each in sides))


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in INDEX_ROW if name in row} if row.get("due_sk") else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one run."""

    transitions: int
    history_events: int
    checks: int
    delay_seconds: float
    dollars: Mapping[str, float]

    @property
    def all_dollars(self) -> float:
        return sum(self.dollars.values())


def cost_of(length: Length, seconds: float, history: DurationHistory, phase: float) -> Cost:
    """One run of so many seconds, alone; `phase` of the ticks in [0, 1)."""
    timeline = [(0.0, "in_progress"), (seconds, "completed")]
    if length.is_paused:
        timeline = [(0.0, "in_progress"), (4.0, "paused"), (4.0 + seconds, "completed")]
    meters: list[Meter] = []

    def wrap(name: str, port: Any) -> Any:
        if name != "activities":
            return port
        meters.append(Meter(port))
        return meters[-1]

    with contextlib.redirect_stdout(io.StringIO()):
        world = World(
            leena=lambda clock: TimedLeenaApi(clock, timeline),
            wrap=wrap,
            timeout_seconds=30 * 86_400,
        )
        activity_id = world.accept().activity_id
        if history.buckets:
            subject = subject_of(world.record(activity_id).activity)
            learned = StoredDurations(tenant=TENANT, subject=subject, history=history)
            world.durations.write(learned, NOON)
        driver = Driver(world)
        driver.next_tick = world.clock() + phase * TICK
        driver.run(seconds=LONGEST)
    run = world.record(activity_id).current_run
    (visited,) = driver.visits.values()
    ended_at = run.started_at + timedelta(seconds=timeline[-1][0])
    return Cost(
        transitions=len(visited),
        history_events=_history_events(driver, visited),
        checks=len(world.leena.status_reads),
        delay_seconds=(run.ended_at - ended_at).total_seconds(),
        dollars=_dollars(world, activity_id, visited, meters[0]),
    )


def _history_events(driver: Driver, visited: Sequence[str]) -> int:
    """With ExecutionStarted and ExecutionSucceeded."""
    states = driver.asl["States"]
    events = 2 + sum(EVENTS_OF_STATES[states[name]["Type"]] for name in visited)
    return events + visited.count("ParkRun") * EVENTS_OF_PARKING


def _dollars(
    world: World, activity_id: str, visited: Sequence[str], meter: Meter
) -> dict[str, float]:
    record, run = world.record(activity_id), world.record(activity_id).current_run
    told = len(world.events(activity_id))
    tasks = [name for name in visited if name in WORKERS]
    by_sweeper = len(world.leena.status_reads) - tasks.count("CheckRun")
    calls = len(tasks) + 1 + told  # the API's, and the stream's, an event each
    calling = sum(name in CALLS_THE_PROVIDER for name in tasks)
    minutes = (run.ended_at - record.activity.created_at).total_seconds() / 60
    index = minutes * meter.entry_bytes / 4096 / 2
    marks = world.marks.writes / RUNS_PER_CONNECTION
    reads = meter.reads + calling * READS_PER_CALL + 3 + index  # agent, durations twice
    return {
        "transitions": len(visited) * prices.TRANSITION,
        "workers": calls * (prices.LAMBDA_CALL + WORKER_GB_SECONDS * prices.GB_SECOND),
        "sweeper": by_sweeper * SWEEPER_SECONDS_PER_CHECK * prices.SWEEPER_GB * prices.GB_SECOND,
        "table": (meter.writes + 1 + marks) * prices.WRITE_UNIT + reads * prices.READ_UNIT,
        "rest": told * prices.BUS_EVENT
        + prices.API_REQUEST
        + SECRETS_CALLS * prices.SECRETS_CALL
        + calls * LOG_BYTES_PER_CALL / 1e9 * prices.LOG_GB,
    }


def measure() -> Section:
    rows: list[tuple[str, ...]] = []
    missed: list[str] = []
    for length in LENGTHS:
        for plan, sigma in PLANS.items():
            if length.is_paused and sigma is not None:
                continue  # a pause is looked at by its age
            costs = _costs(length, sigma)
            limit = MOST_DOLLARS if sigma is None else MOST_DOLLARS_LEARNED
            row, is_met = _row(length, plan, costs, limit)
            rows.append(row)
            if not is_met:
                missed.append(f"what a run costs: {length.name}, {plan}")
        fixed = f"{length.fixed_dollars:,.2f}"
        rows.append((length.name, "fixed 10 s, computed", *[""] * 5, *[""] * 4, fixed, "", ""))
    return Section(
        title="9. What a run costs",
        method=METHOD,
        columns=(
            *("length", "plan", "checks", "mean delay", "p95 delay", "transitions", "events"),
            *("transitions $", "workers $", "sweeper $", "table $"),
            *("per 1,000 runs $", "limit", "verdict"),
        ),
        rows=rows,
        missed=missed,
    )


def _costs(length: Length, sigma: float | None) -> list[Cost]:
    source = random.Random(f"{SEED} {length.name} {sigma}")  # noqa: S311  # seeded on purpose
    history = NO_HISTORY
    if sigma is not None:
        history = DurationHistory.of([_draw(source, length, sigma) for _ in range(LEARNED_FROM)])
    return [
        cost_of(length, _draw(source, length, sigma or 0.1), history, (number + 0.5) / length.runs)
        for number in range(length.runs)
    ]


def _draw(source: random.Random, length: Length, sigma: float) -> float:
    return source.lognormvariate(math.log(length.seconds), sigma)


def _row(
    length: Length, plan: str, costs: Sequence[Cost], limit: float
) -> tuple[tuple[str, ...], bool]:
    transitions = max(each.transitions for each in costs)
    events = max(each.history_events for each in costs)
    delays = sorted(each.delay_seconds for each in costs)
    dollars = 1_000 * statistics.fmean(each.all_dollars for each in costs)
    parts = [
        f"{1_000 * statistics.fmean(each.dollars[name] for each in costs):.2f}"
        for name in ("transitions", "workers", "sweeper", "table")
    ]
    is_met = transitions <= MOST_TRANSITIONS and events <= MOST_EVENTS and dollars <= limit
    return (
        length.name,
        plan,
        f"{statistics.fmean(each.checks for each in costs):.1f}",
        f"{statistics.fmean(delays):.0f} s",
        f"{delays[math.ceil(0.95 * len(delays)) - 1]:.0f} s",
        str(transitions),
        str(events),
        *parts,
        f"{dollars:.2f}",
        f"{limit:.2f}",
        verdict(is_met),
    ), is_met
