"""Tells a person what a start is doing. Not here: what is done."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steps:
    """Tells on standard error what is being done and how long it took; silent when not wanted."""

    wanted: bool = True

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the title when the step begins, its seconds when it ends."""
        began = time.monotonic()
        self._print(f"  {title} ... ", end="")
        try:
            yield
        except BaseException:
            self._print("failed")
            raise
        self._print(f"{time.monotonic() - began:.1f} s")

    def note(self, text: str) -> None:
        """Print a line that is no step."""
        self._print(f"  {text}")

    def _print(self, text: str, end: str = "\n") -> None:
        if self.wanted:
            print(text, end=end, file=sys.stderr, flush=True)
