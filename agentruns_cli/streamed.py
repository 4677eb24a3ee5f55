"""What an agent says while it works: its text as it comes, its tool calls as lines.

Not here: asking the API at all (follow.py), the lines about states (progress.py).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from agentruns.providers import WEBHOOK_AGENT
from agentruns_cli.screen import one_line
from agentruns_cli.views import Activity, Event, parse_event

if TYPE_CHECKING:
    from agentruns_cli.client import ApiClient

TEXT_DELTA = "TextDelta"
TEXT_GAP = "TextGap"
TOOL_CALLED = "ToolCalled"
_TOLD = {TEXT_DELTA, TEXT_GAP, TOOL_CALLED}


class LogReader:
    """Reads what is new in the logs of an activity's runs; only agents of one's own say anything
    that their activity does not show."""

    def __init__(self, client: "ApiClient") -> None:
        self._client = client
        self._cursors: dict[str, str] = {}
        self._done: set[str] = set()

    def news(self, activity: Activity) -> tuple[Event, ...]:
        """Text, gaps and tool calls that were not read yet. ApiUnavailable."""
        if activity.adapter.get("type") != WEBHOOK_AGENT:
            return ()
        found: list[Event] = []
        for run in activity.runs:
            if run.run_id in self._done:
                continue
            cursor = self._cursors.get(run.run_id, "0")
            for entry in map(parse_event, self._client.all_events(run.run_id, after=cursor)):
                found.append(entry)
                self._cursors[run.run_id] = entry.cursor
            if run.ended_at is not None:
                self._done.add(run.run_id)
        return tuple(entry for entry in found if entry.type in _TOLD)


class StreamedText:
    """The text of one watch: whose it is, and whether its last line is still open."""

    def __init__(self) -> None:
        self._is_open = False
        self._run_id: str | None = None

    def of(self, told: Iterable[Event]) -> str:
        """What to append for these entries."""
        return "".join(self._heading(entry) + self._piece(entry) for entry in told)

    def closed(self) -> str:
        """What ends an open line."""
        was_open, self._is_open = self._is_open, False
        return "\n" if was_open else ""

    def _heading(self, entry: Event) -> str:
        """Before the first words of another run."""
        before, self._run_id = self._run_id, entry.run_id
        if before in (None, entry.run_id) or entry.run_id is None:
            return ""
        return f"{self.closed()}  [run {entry.run_id.rpartition('_')[2]}]\n"

    def _piece(self, entry: Event) -> str:
        detail = entry.detail
        text = str(detail.get("text", ""))
        if entry.type == TEXT_DELTA and not detail.get("late"):
            self._is_open = not text.endswith("\n") if text else self._is_open
            return text
        return f"{self.closed()}  {said_of(entry)}\n"


def said_of(entry: Event) -> str:
    """A gap, late text or a tool call, on one line."""
    detail = entry.detail
    if entry.type == TEXT_GAP:
        first, last = detail.get("from"), detail.get("to")
        return (
            f"[text {first} is missing]" if first == last else f"[text {first}-{last} is missing]"
        )
    if entry.type == TEXT_DELTA:
        return f"[text {detail.get('number')}, late] {one_line(str(detail.get('text', '')))}"
    cost = f", {detail['cost_usd']} USD" if detail.get("cost_usd") else ""
    return one_line(
        f"[tool {detail.get('tool_name')}.{detail.get('method')} {detail.get('status')}, "
        f"{detail.get('duration_ms')} ms{cost}]"
    )
