"""An event bus that keeps what it was given."""

from __future__ import annotations

from collections.abc import Sequence

from agentruns.model import Event


class RecordingEventBus:
    """`published` holds what it took, in order."""

    def __init__(self) -> None:
        self.published: list[Event] = []
        self._refusals: list[tuple[int, ...]] = []

    def publish(self, events: Sequence[Event]) -> tuple[int, ...]:
        refused = self._refusals.pop(0) if self._refusals else ()
        self.published += [event for i, event in enumerate(events) if i not in refused]
        return tuple(i for i in refused if i < len(events))

    def refuse_next(self, *indexes: int) -> None:
        """The next publish does not take the events at these indexes."""
        self._refusals.append(indexes)
