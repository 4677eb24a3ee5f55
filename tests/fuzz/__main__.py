"""`python -m tests.fuzz [--requests N] [--seed N]`: what was answered; exit code 1 where it is
not good: a 5xx, an answer against its description, or fewer than 30 % answered 2xx.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import time

from tests.fuzz.walk import walk
from tests.unit.api.both import APIS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    wanted = parser.parse_args()
    print(f"fuzz: {wanted.requests} requests, --seed {wanted.seed}", flush=True)
    began = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):  # the metrics that the apps write
        tally = walk(APIS, wanted.requests, wanted.seed)
    print(f"{tally.report()}\n{time.monotonic() - began:.0f} s")
    return 0 if tally.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
