"""Makes the clock of our Lambda workers run faster, for figure 7 alone.

Python imports a module of this name when it starts, wherever PYTHONPATH names its folder; the
benchmark gives it to MiniStack, whose workers inherit it. Where the package's `wiring_parts` is
imported, and it is by workers only, its clock is replaced; the product knows nothing of it.
SFN_WAIT_SCALE does the same to the waits of the state machine. Not here: timeouts of calls, which
stay real.
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

SPEED_VARIABLE, EPOCH_VARIABLE = "BENCH_CLOCK_SPEED", "BENCH_CLOCK_EPOCH"


def fast_now() -> datetime:
    """So many times as far from the epoch (s since 1970) as the machine's clock."""
    speed, epoch = float(os.environ[SPEED_VARIABLE]), float(os.environ[EPOCH_VARIABLE])
    real = datetime.now(UTC).timestamp()
    return datetime.fromtimestamp(epoch + (real - epoch) * speed, UTC)


class FastClock(MetaPathFinder):
    """Finds `agentruns.wiring_parts` as Python does, and replaces its clock once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "agentruns.wiring_parts":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_with_fast_clock(module: ModuleType) -> None:
            load(module)
            module.__dict__["now"] = fast_now

        spec.loader.exec_module = load_with_fast_clock  # type: ignore[method-assign]  # of this spec
        return spec


if SPEED_VARIABLE in os.environ:
    sys.meta_path.insert(0, FastClock())
