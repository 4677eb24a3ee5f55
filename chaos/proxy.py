"""microburst between the functions and AWS: throttles, broken connections, answers that get lost.

A process of its own from `.venvs/microburst`. Its luck is seeded; since calls of many workers race
for it, a seed repeats the shape of a run, not each fault. Not here: which faults a scenario wants.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from local.processes import LOOPBACK, spawn, stop_group, wait_until_ready
from local.stack import CHECKOUT, StackFailed

SEEDED = (
    "import random, sys; random.seed(int(sys.argv.pop(1)));"
    " from microburst.cli import main; sys.exit(main())"
)
FAULTS_TOTAL = re.compile(
    r'^microburst_faults_total{service="[^"]*",operation="([^"]*)",action="([^"]*)"} (\d+)$', re.M
)
Rule = Mapping[str, Any]


class FaultProxy:
    """The control endpoints of a running microburst."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        self._control = requests.Session()

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """These and no others; none: everything passes."""
        answer = self._control.post(
            f"{self.url}/_microburst/rules", json=[dict(rule) for rule in rules], timeout=10
        )
        answer.raise_for_status()

    def fired(self) -> Counter[str]:
        """Faults since microburst is up, by `<operation> <action>`."""
        answer = self._control.get(f"{self.url}/_microburst/metrics", timeout=10)
        answer.raise_for_status()
        return Counter(
            {
                f"{operation} {action}": int(number)
                for operation, action, number in FAULTS_TOTAL.findall(answer.text)
            }
        )


@contextmanager
def fault_proxy(port: int, upstream: str, seed: int, log_file: Path) -> Iterator[FaultProxy]:
    """The proxy on that port for the time of the block. StackFailed where it does not start."""
    python = CHECKOUT / ".venvs/microburst/bin/python"
    process = spawn(
        [
            *(str(python), "-c", SEEDED, str(seed)),
            *("--upstream", upstream, "--port", str(port), "--host", LOOPBACK),
        ],
        environment={"PATH": os.defpath, "HOME": str(log_file.parent), "LANG": "C.UTF-8"},
        log_file=log_file,
    )
    try:
        if not wait_until_ready(process, port):
            raise StackFailed(f"microburst did not start (log: {log_file})")
        yield FaultProxy(port)
    finally:
        stop_group(process)
