"""What waits for people as text for people: the inbox, an activity's waits, its comments.

Not here: the rest of an activity (describe.py), where the text goes (screen.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agentruns_cli.durations import ago_text, moment_text, until_text
from agentruns_cli.screen import one_line, table
from agentruns_cli.views import parse_moment

_LONGEST_TITLE = 48
_DECIDED, _RESOLVED = ("approval", "review"), ("blocker", "human_task")


def inbox_table(items: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """A page of the inbox as a table."""
    heads = ("ID", "KIND", "AGE", "EXPIRES", "AGENT", "TITLE")
    return table(heads, (_inbox_row(item, now) for item in items))


def wait_lines(waits: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """One line per wait of an activity, and one for what was asked and answered."""
    lines: list[str] = []
    for wait in waits:
        state = str(wait.get("decision") or "open")
        about = " ".join(
            one_line(str(wait[name]))
            for name in ("blocker_type", "approval_type", "subtask_activity_id", "approval_id")
            if wait.get(name)
        )
        lines += [
            "",
            f"{wait.get('kind', '')}  {wait.get('wait_id', '')}  {state}  {about}".rstrip(),
        ]
        fields = (
            ("title", wait.get("title")),
            ("description", wait.get("description")),
            ("suggested", wait.get("resolution")),
            ("options", ", ".join(wait.get("options") or ())),
            ("opened", _ago(wait.get("opened_at"), now)),
            ("expires", _until(wait.get("expires_at"), now) if state == "open" else None),
            ("decided by", wait.get("decided_by")),
            ("option", wait.get("option")),
            ("note", wait.get("note")),
        )
        lines += [f"  {label:<18}{one_line(str(value))}" for label, value in fields if value]
    return lines


def wait_advice(
    waits: Iterable[Mapping[str, Any]], command_text: Callable[..., str]
) -> Iterator[str]:
    """How a person answers each wait that is open."""
    for wait in waits:
        if wait.get("decision"):
            continue
        kind, wait_id = wait.get("kind"), str(wait.get("wait_id", ""))
        if kind in _DECIDED:
            options = ", ".join(one_line(str(option)) for option in wait.get("options") or ())
            offered = f" (options: {options})" if options else ""
            chosen = ("--option", "OPTION") if options else ()
            yield f"It waits for a decision: {one_line(str(wait.get('title', '')))}{offered}"
            yield f"  {command_text('approve', wait_id, *chosen)}"
            yield f"  {command_text('reject', wait_id, '--note', 'WHY')}"
        elif kind in _RESOLVED:
            yield f"It waits for a person: {one_line(str(wait.get('description', '')))}"
            yield f"  {command_text('resolve', wait_id, '--note', 'WHAT_WAS_DONE')}"


def comment_lines(comments: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One line per comment: moment, author, text."""
    for comment in comments:
        moment = parse_moment(str(comment.get("created_at", "")))
        author, text = comment.get("author", ""), one_line(str(comment.get("text", "")))
        yield f"{moment_text(moment)}  {author}  {text}"


def notification_lines(comment: Mapping[str, Any]) -> Iterator[str]:
    """Which of the agents that a comment mentions are told of it, and why others are not."""
    for each in comment.get("notified") or ():
        yield f"Notified: {each.get('agent_role', '')}  {each.get('activity_id', '')}"
    for each in comment.get("not_notified") or ():
        reason = str(each.get("reason", "")).replace("_", " ")
        yield f"Not notified: {each.get('agent_role', '')} ({reason})"


def _inbox_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    title = one_line(str(item.get("title") or ""))
    shown = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"
    age = (_ago(item.get("since"), now) or "-").removesuffix(" ago")
    return (
        str(item.get("id", "")),
        str(item.get("kind", "")).replace("_", " "),
        age,
        _until(item.get("expires_at"), now) or "-",
        str(item.get("agent_role") or "-"),
        shown,
    )


def _ago(text: Any, now: datetime) -> str | None:
    return ago_text(parse_moment(text), now) if isinstance(text, str) else None


def _until(text: Any, now: datetime) -> str | None:
    return until_text(parse_moment(text), now) if isinstance(text, str) else None
