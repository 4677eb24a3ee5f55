"""Figure 3: many activities at once, end to end."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from bench.cold_starts import describe, describe_starts
from bench.embedded import BenchStack
from bench.machine import describe_load, watched_memory
from bench.section import Section, verdict

ACTIVITIES = 200
AOP_SECONDS = 60
LIMIT_SECONDS = 170
AOP_ID = "bench_crowd"

METHOD = (
    f"{ACTIVITIES} activities are opened by the API over 8 connections as fast as it takes them; "
    f"their AOP runs {AOP_SECONDS} s, so that all are open together. Then every one is listed by "
    f"the API and its starts are counted in the provider's ledger. Memory: proportional set size "
    f"of MiniStack and all its Lambda workers, every 2 s. Time runs from the first request to the "
    f"last end, the AOPs' {AOP_SECONDS} s included; everything shares this machine's cores."
)


def measure(bench: BenchStack) -> Section:
    bench.define_aop(
        AOP_ID,
        [{"status": "in_progress", "seconds": AOP_SECONDS}, {"status": "completed", "polls": 1}],
    )
    load_before = describe_load()
    with watched_memory(bench.deployed.pids["ministack"]) as peak:
        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            opened = list(threads.map(lambda _: bench.start(AOP_ID), range(ACTIVITIES)))
        opened_seconds = time.monotonic() - began
        most_open = bench.count_running(set(opened))
        bench.wait_until_ended(LIMIT_SECONDS, set(opened))
        seconds = time.monotonic() - began
    statuses = Counter(item["status"] for item in bench.activities(AOP_ID))
    starts = bench.starts_by_activity(AOP_ID)
    all_done = statuses == {"done": ACTIVITIES} and len(set(opened)) == ACTIVITIES
    once = len(starts) == ACTIVITIES and set(starts.values()) == {1}
    opened_per_second = f"{opened_seconds:.1f} s, {ACTIVITIES / opened_seconds:.0f}/s"
    return Section(
        title=f"3. {ACTIVITIES} activities at once",
        method=METHOD,
        columns=("figure", "measured", "target", "verdict"),
        rows=(
            ("ended", describe(statuses), f"done {ACTIVITIES}", verdict(all_done)),
            ("starts per activity", describe_starts(starts), "exactly 1", verdict(once)),
            ("opened in", f"{opened_per_second}; {most_open} open then", "", ""),
            ("all ended after", f"{seconds:.0f} s ({load_before} before)", "", ""),
            ("throughput", f"{ACTIVITIES / seconds:.1f} activities/s", "", ""),
            ("peak memory", f"{peak.megabytes:,.0f} MB, {peak.processes} processes", "", ""),
        ),
        missed=[
            target
            for target, met in (("all activities done", all_done), ("one start each", once))
            if not met
        ],
    )
