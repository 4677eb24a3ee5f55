"""One sweeper and many parked runs: looks a second, ticks, memory, and what a look writes.

The real sweeper, planner and thread pool over stores in memory; only their delays are made. Not
here: DynamoDB's own throughput, and Lambda's processor share. `python -m bench.sweeper`.
"""

from __future__ import annotations

import contextlib
import io
import math
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from agentruns.model import ActivityRequest, Run
from agentruns.providers import LeenaAopAdapter
from agentruns.store.items import run_row
from agentruns.store.values import to_item
from agentruns.sweeping import LOOKS_PER_CONNECTION, WORKERS, Swept
from bench.section import Section, verdict
from tests.fakes.clock import NOON
from tests.fakes.world import CONNECTION, World

RUNS = 10_000
CONNECTIONS = 4
LOOK_SECONDS = 0.050
STORE_SECONDS = 0.005
TICK_SECONDS = 55.0
CALLBACK_TOKEN_BYTES = 700
"""About what Step Functions hands out; 2,048 are allowed."""

DOLLARS_PER_MILLION_WRITES = 0.625
"""DynamoDB on demand, us-east-1, November 2026 as since November 2024:
https://aws.amazon.com/dynamodb/pricing/on-demand/"""

METHOD = (
    f"{RUNS:,} runs on {CONNECTIONS} connections, paused for half a day and all due at once, as "
    "after an outage of the sweeper. A look at the provider takes "
    f"{LOOK_SECONDS * 1000:.0f} ms, a call of the store {STORE_SECONDS * 1000:.0f} ms; a tick "
    f"begins looks for {TICK_SECONDS:.0f} s on {WORKERS} threads, {LOOKS_PER_CONNECTION} at a time "
    "per connection. Write units are counted from the stored row by DynamoDB's rules (1 KB each, "
    "an index entry that moves is deleted and put)."
)


@dataclass(slots=True)
class Delayed:
    """A port whose named calls take so many seconds, once `on`."""

    port: Any
    seconds: float
    switch: list[bool] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if self.switch:
            time.sleep(self.seconds)
        return getattr(self.port, name)


def measure() -> Section:
    switch: list[bool] = []
    delays = {"activities": STORE_SECONDS, "connections": STORE_SECONDS, "leena": LOOK_SECONDS}

    def wrap(name: str, port: Any) -> Any:
        return Delayed(port, delays[name], switch) if name in delays else port

    world = World(wrap=wrap)
    with contextlib.redirect_stdout(io.StringIO()):
        a_run = _park_all(world)
        world.clock.set(NOON + timedelta(hours=12))
        switch.append(True)
        tracemalloc.start()
        ticks = _tick_until_done(world)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    looks = sum(swept.still_parked for swept, _ in ticks)
    rate = looks / sum(took for _, took in ticks)
    whole, keys_alone = _write_units(a_run, whole=True), _write_units(a_run, whole=False)
    rows = [
        ("looks", f"{looks:,}, failed {sum(swept.failed for swept, _ in ticks)}", "", ""),
        ("ticks", ", ".join(f"{s.still_parked:,} in {took:.0f} s" for s, took in ticks), "", ""),
        ("looks a second", f"{rate:.0f}", ">= 167", verdict(rate >= RUNS / 60)),
        ("memory, peak above start", f"{peak:.0f} MB", "", ""),
        ("write units a look", f"{keys_alone} (the index with all attributes: {whole})", "", ""),
        (
            "dollars, 1,000 runs paused 7 days",
            f"{_dollars(keys_alone):.2f} (all attributes: {_dollars(whole):.2f})",
            "",
            "",
        ),
    ]
    missed = () if rate >= RUNS / 60 else ("10,000 parked runs within a minute",)
    return Section(
        title="Ten thousand parked runs",
        method=METHOD,
        columns=("figure", "measured", "target", "verdict"),
        rows=rows,
        missed=missed,
    )


def _park_all(world: World) -> Run:
    for number in range(CONNECTIONS):
        world.connections.put(replace(CONNECTION, name=f"hr-{number}"))
    world.leena.on_read_status("paused")
    for number in range(RUNS):
        adapter = LeenaAopAdapter(connection=f"hr-{number % CONNECTIONS}", aop_id="reset-vpn")
        task = world.started(ActivityRequest(adapter=adapter))
        world.check_run(task)
        world.park_run(task, f"{number:0{CALLBACK_TOKEN_BYTES}d}")
    run: Run = world.run(task)
    return run


def _tick_until_done(world: World) -> list[tuple[Swept, float]]:
    ticks: list[tuple[Swept, float]] = []
    while True:
        began = time.monotonic()
        swept = world.sweep(lambda: time.monotonic() - began < TICK_SECONDS)  # noqa: B023  # this tick's
        if not swept.due:
            return ticks
        ticks.append((swept, time.monotonic() - began))
        world.clock.advance(60)


def _write_units(run: Run, *, whole: bool) -> int:
    """Of one look that found nothing new: the row, and its entry in the index twice."""
    row = run_row(run)
    projected = ("pk", "sk", "due_pk", "due_sk", "tenant", "activity_id", "run_id", "due_at")
    entry = row if whole else {name: row[name] for name in projected}
    return _units({**row, "writer": "0" * 16}) + 2 * _units(entry)


def _units(row: Mapping[str, Any]) -> int:
    """Names and values, as
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    counts them."""
    values = to_item(row)
    size = sum(
        len(name) + sum(len(str(each)) for each in value.values()) for name, value in values.items()
    )
    return math.ceil(size / 1024)


def _dollars(units: int) -> float:
    """A paused run at the default cap of 15 minutes."""
    looks = 7 * 24 * 4
    return 1_000 * looks * units * DOLLARS_PER_MILLION_WRITES / 1_000_000


if __name__ == "__main__":
    print("\n".join(measure().lines()))
