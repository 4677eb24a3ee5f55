"""The display of `watch` on a terminal: redrawn in place four times a second, so that ages tick.

Imports rich, which is slow: only commands that are about to draw import this module. Colours obey
NO_COLOR.
"""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agentruns_cli.describe import age_text, awaited_text, fault_of, fault_text
from agentruns_cli.durations import ago_text, moment_text, until_text
from agentruns_cli.follow import Sighting
from agentruns_cli.screen import one_line, printable
from agentruns_cli.streamed import StreamedText
from agentruns_cli.surroundings import Clock
from agentruns_cli.views import Activity, Run

_REFRESHES_PER_SECOND = 4
_TEXT_SHOWN = 1_000
"""Characters of an agent's text, the last ones: what is drawn has to fit the screen."""
_STYLES = {
    "done": "green",
    "completed": "green",
    "failed": "red",
    "timeout": "red",
    "aborted": "red",
    "cancelled": "yellow",
    "blocked": "yellow",
    "paused": "yellow",
    "start_unknown": "yellow",
}


class LiveDisplay:
    """A context manager; `show` replaces what is drawn, and the last state stays on the screen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sighting: Sighting | None = None
        self._streamed = StreamedText()
        self._text = ""
        self._live = Live(
            get_renderable=self._render,
            console=Console(highlight=False),
            refresh_per_second=_REFRESHES_PER_SECOND,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, sighting: Sighting) -> None:
        """Draw this sighting from now on."""
        self._sighting = sighting
        self._text = (self._text + self._streamed.of(sighting.told))[-_TEXT_SHOWN:]
        self._live.refresh()

    def _render(self) -> Table:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column(overflow="fold")
        if self._sighting is not None:
            self._fill(grid, self._sighting)
        return grid

    def _fill(self, grid: Table, sighting: Sighting) -> None:
        activity = sighting.activity
        now = self._clock.now()
        grid.add_row("activity", _text(activity.activity_id))
        if activity.title:
            grid.add_row("title", _text(activity.title))
        grid.add_row("status", _status(activity.status))
        grid.add_row("age", age_text(activity, now))
        run = activity.latest_run
        if run is not None:
            self._fill_run(grid, activity, run)
        if self._text:
            grid.add_row("text", Text(printable(self._text)))
        fault = fault_of(activity)
        if fault is not None:
            grid.add_row("error", Text(printable(fault_text(fault)), style="red"))
        if sighting.outage is not None:
            grid.add_row("connection", Text(f"{sighting.outage}; trying again", style="yellow"))

    def _fill_run(self, grid: Table, activity: Activity, run: Run) -> None:
        now = self._clock.now()
        grid.add_row(f"run {run.attempt}", _status(run.status))
        for label, value in run.provider_ids:
            grid.add_row(label, _text(value))
        grid.add_row("polls", f"{run.polls}, last {ago_text(run.last_checked_at, now)}")
        if run.ended_at is not None:
            grid.add_row("ended", moment_text(run.ended_at))
        elif run.next_check_at is not None:
            grid.add_row("next check", until_text(run.next_check_at, now))
        elif awaited := awaited_text(activity, run, now):
            grid.add_row("next", awaited)


def _status(status: str) -> Text:
    return Text(printable(status), style=_STYLES.get(status, "cyan"))


def _text(value: str) -> Text:
    return Text(printable(one_line(value)))
