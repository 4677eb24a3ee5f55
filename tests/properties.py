"""A property that `make test` tries more often than `make check`.

Its test takes the number of times as a parameter, and the large one is marked `slow`. Not here:
properties that are quick enough to be tried as often everywhere, with hypothesis' own decorators.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy


def tried(times: int, holds: Callable[..., None], **values: SearchStrategy[object]) -> None:
    """`holds` with so many sets of these values."""
    settings(max_examples=times, deadline=None)(given(**values)(holds))()
