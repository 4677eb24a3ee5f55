"""The checks of `make check` that need no test run, side by side: `python -m local.check`.

Each one's name and seconds are printed when it ends, with its output where it failed; exit code 1
where any did. Not here: the fast tests, which have the processors for themselves afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from local.stack import CHECKOUT

_PYTHON = (sys.executable, "-m")
CHECKS: Mapping[str, Sequence[str]] = {
    "format": (*_PYTHON, "ruff", "format", "--check", "."),
    "lint": (*_PYTHON, "ruff", "check", "."),
    "types": (*_PYTHON, "mypy"),
    "template": (".venvs/sam/bin/sam", "validate", "--lint", "--region", "us-east-1"),
    "state machine": (
        *(*_PYTHON, "local.lint_state_machine"),
        *sorted(str(path) for path in (CHECKOUT / "statemachines").glob("*.asl.json")),
    ),
}


class Checked(NamedTuple):
    """`output`: both streams, as the program wrote them."""

    name: str
    exit_code: int
    output: str
    seconds: float


def main() -> int:
    """All of CHECKS."""
    return run(CHECKS)


def run(checks: Mapping[str, Sequence[str]], *, shows_all: bool = False) -> int:
    """1 where any of these programs fails or is not there; the others come to their end.

    `shows_all`: what those that did not fail wrote, too.
    """
    with ThreadPoolExecutor(len(checks)) as threads:
        pending = [threads.submit(_check, *check) for check in checks.items()]
        checked = [_told(each.result(), shows_all) for each in as_completed(pending)]
    failed = sorted(each.name for each in checked if each.exit_code)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _check(name: str, command: Sequence[str]) -> Checked:
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=os.environ | {"SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        return Checked(name, 1, f"{error}\n", time.monotonic() - began)
    return Checked(name, done.returncode, done.stdout, time.monotonic() - began)


def _told(checked: Checked, shows_all: bool) -> Checked:
    verdict = "FAILED" if checked.exit_code else "ok"
    print(f"{verdict:6} {checked.name} ({checked.seconds:.1f} s)", flush=True)
    if checked.exit_code or shows_all:
        print(checked.output, end="", flush=True)
    return checked


if __name__ == "__main__":
    sys.exit(main())
