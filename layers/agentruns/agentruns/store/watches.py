"""A watch as one attribute, so that what it holds is not in the definition of the index.

Short names, since the index holds it and every tick reads the index. Reading is remembered: the
next tick of a warm container reads the same text.
"""

from __future__ import annotations

import functools
from typing import Any

from agentruns.durations import DurationHistory
from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.statuses import RunStatus
from agentruns.store.values import read_json, read_time, write_json, write_time
from agentruns.watching import Watch

READ_KEPT = 20_000


def write_watch(watch: Watch) -> str:
    document: dict[str, Any] = {
        "c": watch.connection,
        "i": watch.aop_item_id,
        "s": watch.status.value,
        "f": write_time(watch.since),
        "d": write_time(watch.deadline_at),
        "p": watch.polls,
        "a": watch.seen,
    }
    if watch.detection != USUAL_DETECTION:
        document["r"] = watch.detection.relative_delay
        document["m"] = watch.detection.max_delay_seconds
    if watch.durations.buckets:
        document["h"] = watch.durations.text
    return write_json(document)


@functools.lru_cache(maxsize=READ_KEPT)
def read_watch(text: str) -> Watch:
    document = read_json(text)
    detection = USUAL_DETECTION
    if "r" in document:
        detection = Detection(relative_delay=document["r"], max_delay_seconds=document["m"])
    return Watch(
        connection=document["c"],
        aop_item_id=document["i"],
        status=RunStatus(document["s"]),
        since=read_time(document["f"]),
        deadline_at=read_time(document["d"]),
        polls=document["p"],
        seen=document["a"],
        detection=detection,
        durations=DurationHistory.from_text(document.get("h", "")),
    )
