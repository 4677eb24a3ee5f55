"""The machine that is measured: what it is, how busy it is, what a stack's processes take of it."""

from __future__ import annotations

import os
import platform
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
SAMPLE_SECONDS = 2.0


def describe() -> str:
    cores = os.cpu_count() or 1
    system = f"{platform.system()} {platform.machine()}"
    return f"{cores} cores, {system}, Python {platform.python_version()}, {describe_load()}"


def describe_load() -> str:
    """Processes that want a core, over the last minute: above the cores, times are inflated."""
    return f"load average {os.getloadavg()[0]:.1f}"


@dataclass(slots=True)
class PeakMemory:
    """The most that the processes of a group took at once, and how many they were then."""

    megabytes: float = 0.0
    processes: int = 0

    def see(self, megabytes: float, processes: int) -> None:
        if megabytes > self.megabytes:
            self.megabytes, self.processes = megabytes, processes


@contextmanager
def watched_memory(group: int) -> Iterator[PeakMemory]:
    """Look every two seconds at the processes of that process group."""
    peak, done = PeakMemory(), threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_SECONDS):
            sizes = [_megabytes(pid) for pid in _group_members(group)]
            peak.see(sum(sizes), len(sizes))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _group_members(group: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-axo", "pid=,pgid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, its_group in pairs if int(its_group) == group]


def _megabytes(pid: int) -> float:
    """Proportional set size, in which shared pages are shared out; resident without /proc."""
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        if _PROC.joinpath("self").exists():
            return 0.0  # it ended meanwhile
    answer = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return int(answer) / 1024 if answer else 0.0
