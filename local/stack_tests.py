"""The tests that wait more than they compute, in two groups side by side, each with a stack of its
own where it needs one: `python -m local.stack_tests`.

Each group's output comes when it ends; exit code 1 where a test failed. Not here: the fast tests
and the fault suite, which have the processors for themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from local.check import run

_PYTEST = (sys.executable, "-m", "pytest", "-q")
GROUPS: Mapping[str, Sequence[str]] = {
    "workflow tests": (*_PYTEST, "tests/workflow"),
    "integration, end-to-end and documentation tests": (
        *_PYTEST,
        *("tests/integration", "tests/e2e", "tests/docs"),
    ),
}

if __name__ == "__main__":
    sys.exit(run(GROUPS, shows_all=True))
