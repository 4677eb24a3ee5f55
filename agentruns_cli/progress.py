"""What a watch prints off the terminal: a short line per change, in columns, every id once.

Ids and errors stand on lines of their own under the change they came with, and are not repeated.
Not here: when there is a change (follow.py), and the display that redraws itself (live.py).
"""

from collections.abc import Iterator
from datetime import date, datetime

from agentruns_cli.describe import age_text, awaited_text, fault_of, fault_text
from agentruns_cli.screen import one_line
from agentruns_cli.views import Activity, Fault, Run

_WIDTHS = (8, 11, 19, 8, 11)
"""Of time, activity status, run, polls and age: the usual ones; a longer text pushes its line."""

_INDENT = " " * (_WIDTHS[0] + 2)
_LABEL_WIDTH = 18


class ProgressLines:
    """The lines of one watch; it remembers what it has told."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._provider_ids: set[tuple[str, str, str]] = set()
        self._fault: Fault | None = None

    def of(self, activity: Activity, now: datetime) -> Iterator[str]:
        """The lines for this state, seen at `now` (UTC): which day it is, where that is new, the
        state, and below it ids and errors that were not told yet."""
        if self._day != now.date():
            head = f"{activity.activity_id}  " if self._day is None else ""
            yield f"{head}{now:%Y-%m-%d}, times in UTC"
            self._day = now.date()
        run = activity.latest_run
        yield _state_line(activity, run, now)
        if run is not None:
            yield from self._new_provider_ids(run)
        fault = fault_of(activity)
        if fault is not None and fault != self._fault:
            yield _detail_line("error", fault_text(fault))
        self._fault = fault

    def _new_provider_ids(self, run: Run) -> Iterator[str]:
        for label, value in run.provider_ids:
            if (run.run_id, label, value) not in self._provider_ids:
                self._provider_ids.add((run.run_id, label, value))
                yield _detail_line(label, value)


def _detail_line(label: str, value: str) -> str:
    return f"{_INDENT}{label:<{_LABEL_WIDTH}}{one_line(value)}"


def _state_line(activity: Activity, run: Run | None, now: datetime) -> str:
    cells = (
        f"{now:%H:%M:%S}",
        activity.status,
        f"run {run.attempt} {run.status}" if run else "",
        f"polls {run.polls}" if run else "",
        f"age {age_text(activity, now)}",
    )
    awaited = awaited_text(activity, run, now) if run else ""
    columns = [one_line(cell).ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)]
    return "  ".join((*columns, awaited)).rstrip()
