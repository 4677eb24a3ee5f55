"""Figure 8: one sweeper and ten thousand parked runs: its speed, and what a check costs.

The real sweeper, planner and thread pool over stores in memory; only their delays are made. Not
here: DynamoDB's own throughput, and Lambda's processor share.
"""

from __future__ import annotations

import contextlib
import io
import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from agentruns.definitions import ActivityRequest
from agentruns.model import Run
from agentruns.ports import DueRun
from agentruns.providers import LeenaAopAdapter
from agentruns.store.activities import DUE_PAGE_SIZE, DynamoDbActivityStore
from agentruns.store.items import run_row
from agentruns.store.keys import DUE_SHARDS
from agentruns.store.table import DynamoDbTable
from agentruns.store.values import to_item
from agentruns.sweeping import LOOKS_PER_CONNECTION, WORKERS, Swept
from bench import prices
from bench.section import Section, verdict
from tests.fakes.clock import NOON
from tests.fakes.world import CONNECTION, World

RUNS = 10_000
CONNECTIONS = 4
LOOK_SECONDS = 0.050
STORE_SECONDS = 0.005
TICK_SECONDS = 55.0
STEADY_TICKS = 15
CALLBACK_TOKEN_BYTES = 700
"""About what Step Functions hands out; 2,048 are allowed."""

PROJECTED = ("pk", "sk", "due_pk", "due_sk", "tenant", "activity_id", "run_id", "due_at", "watch")
MARK_BYTES = 250
MOST_A_MONTH = 20.0

METHOD = (
    f"{RUNS:,} runs on {CONNECTIONS} connections, paused one after the other for over half a day. "
    "First all are due at once, as after an outage of the sweeper; then "
    f"{STEADY_TICKS} ticks a minute apart, in which each is looked at once, as planned. A look at "
    f"the provider takes {LOOK_SECONDS * 1000:.0f} ms, a call of the store "
    f"{STORE_SECONDS * 1000:.0f} ms; a tick begins looks for {TICK_SECONDS:.0f} s on {WORKERS} "
    f"threads, {LOOKS_PER_CONNECTION} at a time per connection. Requests are counted at the ports. "
    "Units are DynamoDB's, from the size of the entries: a tick reads the index of all parked runs "
    "(eventually consistent) and writes one mark per connection that had looks. The reading of "
    f"{RUNS:,} entries is timed with the real store over pages made beforehand. Dollars: "
    f"{prices.NOTED}."
)


@dataclass(slots=True)
class Delayed:
    """A port whose calls take so many seconds and are counted, once `on`."""

    port: Any
    seconds: float
    calls: Counter[str]
    switch: list[bool] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if self.switch:
            time.sleep(self.seconds)
            self.calls[name] += 1
        return getattr(self.port, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What `STEADY_TICKS` ordinary ticks came to; `read_seconds`: reading the index once."""

    looks: int
    failed: int
    seconds: float
    calls: Counter[str]
    entry_bytes: float
    read_seconds: float

    @property
    def read_units(self) -> float:
        """Of one tick: the index, and the marks, which are read consistently."""
        index = prices.read_units(round(self.entry_bytes * RUNS), consistent=False)
        return index + prices.read_units(CONNECTIONS * MARK_BYTES, consistent=True)

    @property
    def write_units(self) -> float:
        return self.calls["write"] / STEADY_TICKS

    @property
    def gb_seconds(self) -> float:
        return (self.seconds / STEADY_TICKS + self.read_seconds) * prices.SWEEPER_GB

    @property
    def tick_dollars(self) -> float:
        return (
            self.read_units * prices.READ_UNIT
            + self.write_units * prices.WRITE_UNIT
            + self.gb_seconds * prices.GB_SECOND
            + prices.LAMBDA_CALL
        )

    @property
    def row_requests(self) -> int:
        """Reads and writes of runs, of which a look that finds nothing new makes none."""
        return sum(self.calls[name] for name in ("read", "save_run", "apply"))

    def per_check(self, amount: float) -> float:
        return amount * STEADY_TICKS / self.looks


def measure() -> Section:
    switch: list[bool] = []
    calls: Counter[str] = Counter()
    delays = {
        **dict.fromkeys(("activities", "connections", "marks"), STORE_SECONDS),
        "leena": LOOK_SECONDS,
    }

    def wrap(name: str, port: Any) -> Any:
        return Delayed(port, delays[name], calls, switch) if name in delays else port

    world = World(wrap=wrap, timeout_seconds=30 * 86_400)
    with contextlib.redirect_stdout(io.StringIO()):
        park_all(world)
        world.clock.set(world.clock() + timedelta(hours=12))
        switch.append(True)
        tracemalloc.start()
        ticks = _tick_until_done(world)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        steady = _steady_ticks(world, calls)
    return _section(ticks, peak, steady)


def park_all(world: World) -> None:
    """One after the other within a quarter of an hour, so that their looks are spread over it."""
    for number in range(CONNECTIONS):
        world.connections.put(replace(CONNECTION, name=f"hr-{number}"))
    world.leena.on_read_status("paused")
    for number in range(RUNS):
        adapter = LeenaAopAdapter(connection=f"hr-{number % CONNECTIONS}", aop_id="reset-vpn")
        request = ActivityRequest(adapter=adapter, timeout_seconds=30 * 86_400)
        task = world.started(request)
        world.check_run(task)
        world.park_run(task, f"{number:0{CALLBACK_TOKEN_BYTES}d}")
        world.clock.advance(900 / RUNS)


def _tick_until_done(world: World) -> list[tuple[Swept, float]]:
    ticks: list[tuple[Swept, float]] = []
    while True:
        began = time.monotonic()
        swept = world.sweep(lambda: time.monotonic() - began < TICK_SECONDS)  # noqa: B023  # this tick's
        if not swept.due:
            return ticks
        ticks.append((swept, time.monotonic() - began))
        if not swept.not_reached:
            return ticks
        world.clock.advance(60)


def _steady_ticks(world: World, calls: Counter[str]) -> Steady:
    calls.clear()
    looks = failed = 0
    seconds = 0.0
    for _ in range(STEADY_TICKS):
        world.clock.advance(60)
        began = time.monotonic()
        swept = world.sweep(lambda: True)
        seconds += time.monotonic() - began
        looks += swept.still_parked
        failed += swept.failed
    runs = [
        world.store.read(each.tenant, each.activity_id).current_run
        for each in world.store.list_due_runs(world.clock(), RUNS)
    ]
    entries = [_entry(run) for run in runs]
    return Steady(
        looks=looks,
        failed=failed,
        seconds=seconds,
        calls=Counter(calls),
        entry_bytes=sum(map(prices.size_bytes, entries)) / len(entries),
        read_seconds=_time_reading(entries),
    )


def _entry(run: Run) -> dict[str, Any]:
    row = run_row(run)
    return {name: row[name] for name in PROJECTED}


class _Pages:
    """A DynamoDB client that has the index ready, page by page."""

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        items = [to_item(entry) for entry in entries]
        share = -(-len(items) // DUE_SHARDS)
        self._shards = [items[at : at + share] for at in range(0, len(items), share)]

    def query(self, **query: Any) -> dict[str, Any]:
        shard = int(query["ExpressionAttributeValues"][":pk"]["S"].rpartition("#")[2])
        start = int(query.get("ExclusiveStartKey", {"at": {"N": "0"}})["at"]["N"])
        end = start + DUE_PAGE_SIZE
        more = (
            {"LastEvaluatedKey": {"at": {"N": str(end)}}} if end < len(self._shards[shard]) else {}
        )
        return {"Items": self._shards[shard][start:end], **more}


def _time_reading(entries: Sequence[dict[str, Any]]) -> float:
    """The second time, as in a warm container."""
    pages: Any = _Pages(entries)
    store = DynamoDbActivityStore(DynamoDbTable("bench", lambda: pages))
    read: tuple[DueRun, ...] = ()
    for _ in range(2):
        began = time.process_time()
        read = store.list_due_runs(NOON + timedelta(days=3650), 2 * RUNS)
        took = time.process_time() - began
    if len(read) != len(entries):
        raise RuntimeError(f"read {len(read)} of {len(entries)} entries")
    return took


def _section(ticks: list[tuple[Swept, float]], peak: float, steady: Steady) -> Section:
    looks = sum(swept.still_parked for swept, _ in ticks)
    rate = looks / sum(took for _, took in ticks)
    month = steady.tick_dollars * prices.TICKS_A_MONTH
    read_month = steady.read_units * prices.READ_UNIT * prices.TICKS_A_MONTH
    met = {
        "10,000 parked runs within a minute": rate >= RUNS / 60,
        "every run is looked at as planned": steady.looks == RUNS and not steady.failed,
        "no read and no write of a run": steady.row_requests == 0,
        f"the sweeper under {MOST_A_MONTH:.0f} dollars a month": month <= MOST_A_MONTH,
    }
    minute, planned, no_row, cheap = (verdict(each) for each in met.values())
    tick_ms = (steady.seconds / STEADY_TICKS + steady.read_seconds) * 1000
    per_check = steady.per_check
    at_once = ", ".join(f"{swept.still_parked:,} in {took:.0f} s" for swept, took in ticks)
    index = f"{steady.entry_bytes:.0f} bytes a run, {steady.read_units:.0f} read units a tick"
    marks = f"1 to the provider, {per_check(steady.write_units):.4f} writes of marks"
    units = f"{per_check(steady.read_units):.2f} read, {per_check(steady.write_units):.4f} write"
    a_week = month / RUNS / 730 * 168 * 1000
    rows = [
        ("due at once: looks", f"{looks:,}, failed {sum(s.failed for s, _ in ticks)}", "", ""),
        ("  ticks", at_once, "", ""),
        ("  looks a second", f"{rate:.0f}", f">= {RUNS // 60}", minute),
        ("  memory, peak above start", f"{peak:.0f} MB", "", ""),
        ("a tick a minute: looks in 15 ticks", f"{steady.looks:,}", f"{RUNS:,}", planned),
        ("  reads and writes of runs", f"{steady.row_requests}", "0", no_row),
        ("  a tick", f"{tick_ms:.0f} ms ({steady.read_seconds * 1000:.0f} for reading)", "", ""),
        ("  the index", index, "", ""),
        ("a parked check: requests", marks, "", ""),
        ("  units", units, "", ""),
        ("  Lambda", f"{per_check(tick_ms):.1f} ms of {prices.SWEEPER_GB:.2f} GB", "", ""),
        ("  dollars per million checks", f"{per_check(steady.tick_dollars) * 1e6:.2f}", "", ""),
        ("10,000 paused runs for a month: reading", f"{read_month:.2f} USD", "", ""),
        ("  all of the sweeper", f"{month:.2f} USD", f"<= {MOST_A_MONTH:.0f}", cheap),
        ("  for 1,000 of them, 7 days", f"{a_week:.2f} USD", "", ""),
    ]
    return Section(
        title="8. Ten thousand parked runs",
        method=METHOD,
        columns=("figure", "measured", "target", "verdict"),
        rows=rows,
        missed=[target for target, is_met in met.items() if not is_met],
    )
