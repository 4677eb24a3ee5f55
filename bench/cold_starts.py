"""Figure 1: how many tokens and starts a burst on a cold stack costs the provider."""

from __future__ import annotations

import time
from collections import Counter

from bench.embedded import BenchStack
from bench.section import Section, verdict

ACTIVITIES = 100
MOST_MINTS = 2
LIMIT_SECONDS = 150
MINT_SECONDS = 5
AOP_ID = "bench_burst"

METHOD = (
    f"A fresh stack: no function has run but the operator API, no token was ever minted. "
    f"{ACTIVITIES} executions are started at once, as EventBridge Scheduler does, each a firing of "
    f"its own. The emulator takes {MINT_SECONDS} s over a token, so that the others come while the "
    f"first is being minted. Mints and starts are counted in the provider emulator's ledger, cold "
    f"starts in MiniStack's log: a worker is a process of its own with nothing in memory, as a "
    f"Lambda container, and takes the next invocation when it is free."
)


def measure(bench: BenchStack) -> Section:
    bench.define_aop(AOP_ID, [{"status": "in_progress", "polls": 1}, {"status": "completed"}])
    slow_mint = {"operation": "token", "kind": "delay", "seconds": MINT_SECONDS}
    bench.leena("POST", "faults", [slow_mint])
    began = time.monotonic()
    bench.start_scheduled(AOP_ID, ACTIVITIES)
    opened_seconds = time.monotonic() - began
    bench.wait_until_ended(LIMIT_SECONDS)
    seconds = time.monotonic() - began
    bench.leena("DELETE", "faults")
    mints = bench.count_mints()
    starts = bench.starts_by_activity(AOP_ID)
    statuses = Counter(item["status"] for item in bench.activities(AOP_ID))
    once = len(starts) == ACTIVITIES and set(starts.values()) == {1}
    all_done = statuses == {"done": ACTIVITIES}
    cold = ", ".join(
        f"{bench.count_workers_started(function)} {function}"
        for function in ("open-run", "mint-token", "execute-aop")
    )
    return Section(
        title=f"1. {ACTIVITIES} activities at once on a cold stack",
        method=METHOD,
        columns=("figure", "measured", "target", "verdict"),
        rows=(
            ("token mints", str(mints), f"<= {MOST_MINTS}", verdict(mints <= MOST_MINTS)),
            ("starts per activity", describe_starts(starts), "exactly 1", verdict(once)),
            ("ended", describe(statuses), f"done {ACTIVITIES}", verdict(all_done)),
            ("cold starts", cold, "", ""),
            ("time", f"opened in {opened_seconds:.1f} s, ended after {seconds:.0f} s", "", ""),
        ),
        missed=[
            target
            for target, met in (
                ("token mints", mints <= MOST_MINTS),
                ("starts per activity", once),
                ("all activities done", all_done),
            )
            if not met
        ],
    )


def describe_starts(starts: Counter[str]) -> str:
    by_number = Counter(starts.values())
    return ", ".join(f"{times} x {count} activities" for times, count in sorted(by_number.items()))


def describe(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
