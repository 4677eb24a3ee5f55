"""`python -m bench [FIGURE ...]`: measure, print, and exit 1 where a target was missed."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator

from agentruns.model import ActivityRecord
from bench import (
    cold_starts,
    compressed,
    costs,
    crowd,
    delay,
    histories,
    init_cost,
    machine,
    poll_plans,
    sweeper,
)
from bench.embedded import bench_stack
from bench.section import Section

FIGURES = ("burst", "delay", "crowd", "histories", "init", "polls", "compressed", "parked", "costs")
WITH_OTHER_STACK = {"polls", "compressed", "parked", "costs"}
"""None at all, or one of its own."""

SWITCHES = {"LAMBDA_WARM_TTL_SECONDS": "60"}
"""Idle workers end after a minute, as memory is measured; MiniStack's own is five."""


def measure(wanted: list[str]) -> Iterator[Section]:
    """The stack is cold for the first figure and warm for the others."""
    if "polls" in wanted:
        yield poll_plans.measure()
    if "compressed" in wanted:
        yield compressed.measure()
    if "parked" in wanted:
        yield sweeper.measure()
    if "costs" in wanted:
        yield costs.measure()
    if set(wanted) <= WITH_OTHER_STACK:
        return
    if wanted == ["init"] and init_cost.BUILD.exists():
        yield init_cost.measure()
        return
    with bench_stack(SWITCHES) as bench:
        bench.connect()
        if "burst" in wanted:
            yield cold_starts.measure(bench)
        if "histories" in wanted:
            started = histories.start(bench)
        ended: dict[str, ActivityRecord] = {}
        if "delay" in wanted or "histories" in wanted:
            section, ended = delay.measure(bench)
            yield section
        if "crowd" in wanted:
            yield crowd.measure(bench)
        if "histories" in wanted:
            yield histories.measure(bench, started, ended.values())
    if "init" in wanted:
        yield init_cost.measure()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[[], *FIGURES], help="default: all")
    wanted = parser.parse_args().figures or list(FIGURES)
    # an ended terminal ends the stack as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    missed: list[str] = []
    print(f"make bench: {machine.describe()}\n", flush=True)
    try:
        for section in measure(wanted):
            print("\n".join(section.lines()), flush=True)
            missed += section.missed
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"{time.monotonic() - began:.0f} s, {machine.describe_load()} at the end; ", end="")
    print(f"missed: {'; '.join(missed)}" if missed else "every target met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
