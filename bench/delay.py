"""Figure 2: what we add between the provider's end of a run and the activity's end."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable
from datetime import datetime

from agentruns.model import ActivityRecord
from bench.embedded import BenchStack
from bench.machine import describe_load
from bench.section import Section, verdict

AOP_SECONDS = (3.1, 5.3, 7.2, 9.4, 11.3, 13.6, 15.2, 17.5, 19.4, 21.7)
TARGET_SECONDS = 1.0
LIMIT_SECONDS = 60
LOOK_SECONDS = 0.2

METHOD = (
    f"{len(AOP_SECONDS)} activities whose AOPs end at a known moment, {AOP_SECONDS[0]} to "
    f"{AOP_SECONDS[-1]} s after their start, once per AOP. Overhead = the activity's ended_at - "
    f"max(the emulator's completed_at, the last next_check_at). next_check_at is the planner's "
    f"decision, read from the run's row five times a second while it goes on; what it postpones "
    f"the discovery by is the plan, not overhead. So the overhead is the Wait's lateness, CheckRun "
    f"with its call, SettleRun and two choices; not the last state's transition."
)


def measure(bench: BenchStack) -> tuple[Section, dict[str, ActivityRecord]]:
    """The section, and the ended activities by id."""
    started = [bench.start(define(bench, seconds)) for seconds in AOP_SECONDS]
    planned, ended = follow(bench, started)
    items = bench.leena("GET", "items")["items"]
    completed_at = {item["aop_item_id"]: item["completed_at"] for item in items}
    overheads, plans = [], []
    for activity_id, record in ended.items():
        upstream = moment(completed_at[record.current_run.remote_id])
        due = max(upstream, planned[activity_id])
        ended_at = record.activity.ended_at or due
        overheads.append((ended_at - due).total_seconds())
        plans.append((due - upstream).total_seconds())
    overheads, plans = overheads or [math.inf], plans or [math.inf]
    overhead = statistics.median(overheads)
    met = len(ended) == len(AOP_SECONDS) and overhead <= TARGET_SECONDS
    section = Section(
        title="2. From the provider's end to the activity's end",
        method=METHOD,
        columns=("figure", "measured", "target", "verdict"),
        rows=(
            ("overhead, median", f"{overhead:.2f} s", f"<= {TARGET_SECONDS:.0f} s", verdict(met)),
            ("overhead, least and most", f"{min(overheads):.2f} s, {max(overheads):.2f} s", "", ""),
            ("planned wait, median", f"{statistics.median(plans):.2f} s", "", ""),
            ("runs", f"{len(ended)} ({describe_load()})", f"{len(AOP_SECONDS)}", ""),
        ),
        missed=[] if met else ["median overhead"],
    )
    return section, ended


def define(bench: BenchStack, seconds: float) -> str:
    aop_id = f"bench_{seconds:.1f}_seconds".replace(".", "_")
    bench.define_aop(
        aop_id,
        [{"status": "in_progress", "seconds": seconds}, {"status": "completed", "polls": 1}],
    )
    return aop_id


def follow(
    bench: BenchStack, activity_ids: Iterable[str]
) -> tuple[dict[str, datetime], dict[str, ActivityRecord]]:
    """The last planned check of each activity, and the activities that ended."""
    planned: dict[str, datetime] = {}
    ended: dict[str, ActivityRecord] = {}
    waiting = list(activity_ids)
    until = time.monotonic() + LIMIT_SECONDS
    while waiting and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        for activity_id in list(waiting):
            record = bench.read(activity_id)
            if record.activity.status.is_terminal:
                ended[activity_id] = record
                waiting.remove(activity_id)
            elif record.current_run.next_check_at is not None:
                planned[activity_id] = record.current_run.next_check_at
    return planned, ended


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
