"""The API's objects as text for people.

Not here: where the text goes (screen.py), and the display that redraws itself (live.py).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agentruns.model import Admission, WakeReason
from agentruns.providers import LEAP_WORKFLOW, WEBHOOK_AGENT
from agentruns.statuses import RunStatus
from agentruns_cli.describe_waits import wait_advice, wait_lines
from agentruns_cli.durations import ago_text, duration_text, moment_text, until_text
from agentruns_cli.screen import one_line, table
from agentruns_cli.views import Activity, Check, Considered, Event, Fault, Run

_LABEL_WIDTH = 18
_WORK = ("aop_id", "workflow_id", "url", "user_id", "type")
"""What an adapter runs: the first that it has."""
_WHERE_TO_LOOK = {
    False: (
        "in Leena AI for an item whose context has this id as agentruns_run_id",
        *("--item", "AOP_ITEM_ID"),
    ),
    True: (
        "in Leap for a run whose webhook URL has this id (its webhook, where it still comes, "
        "settles it by itself)",
        *("--workflow-run", "WORKFLOW_RUN_ID"),
    ),
}
"""Of a run whose start is unknown: where, and what `resolve` takes of it. By: is it a workflow?"""
_LONGEST_TITLE = 48
_WRAPPED_WIDTH = 76
_LIMITS = {"max_concurrent_runs": "RUNS AT ONCE", "requests_per_minute": "REQUESTS/MIN"}


def activity_table(activities: Sequence[Activity], now: datetime) -> str:
    """A page of the list as a table."""
    heads = ("ACTIVITY", "STATUS", "AGENT", "AGE", "TITLE")
    return table(heads, (_activity_row(activity, now) for activity in activities))


def redrive_table(considered: Sequence[Considered]) -> str:
    """What became, or would become, of each activity of a bulk redrive, as a table."""
    rows = (
        (
            item.activity_id,
            moment_text(item.created_at),
            item.agent_role or "-",
            item.error.code if item.error else "-",
            _redrive_outcome(item),
        )
        for item in considered
    )
    return table(("ACTIVITY", "CREATED", "AGENT", "ERROR", "OUTCOME"), rows)


def activity_in_full(
    activity: Activity,
    events: Iterable[Event],
    now: datetime,
    first_pages: Mapping[str, str] | None = None,
) -> str:
    """One activity in full: its own fields, its runs and its events. `first_pages`: by run id how
    its output begins, where that is large."""
    lines = [f"{activity.activity_id}  {activity.status}", *_activity_fields(activity, now)]
    for run in activity.runs:
        lines += ["", f"run {run.attempt}  {run.run_id}  {run.status}", *_run_fields(run, now)]
        lines += _wrapped((first_pages or {}).get(run.run_id, ""))
    lines += wait_lines(activity.waits, now)
    lines += ["", "events", *(f"  {line}" for line in event_lines(events))]
    return "\n".join(lines)


def event_lines(events: Iterable[Event]) -> Iterator[str]:
    """One line per entry: sequence, moment, type, run, detail. Text is quoted, on its line."""
    for event in events:
        detail = " ".join(
            f"{key}={json.dumps(value, ensure_ascii=False) if key == 'text' else _value(value)}"
            for key, value in event.detail.items()
            if value not in (None, "", [], {})
        )
        parts = (
            "    " if event.sequence is None else f"#{event.sequence:<3}",
            moment_text(event.at),
            event.type,
            event.run_id or "",
            detail,
        )
        yield "  ".join(part for part in parts if part)


def result_line(activity: Activity, now: datetime) -> str:
    """All of an activity's state on one line."""
    run = activity.latest_run
    parts = [moment_text(now), activity.activity_id, activity.status]
    if run is not None:
        parts.append(f"run {run.attempt} {run.status}")
        parts.append(f"polls {run.polls}")
        if awaited := awaited_text(activity, run, now):
            parts.append(awaited)
    parts.append(f"age {age_text(activity, now)}")
    if run is not None:
        parts += [f"{label} {value}" for label, value in run.provider_ids]
    fault = fault_of(activity)
    if fault is not None:
        parts.append(f"error {fault_text(fault)}")
    return "  ".join(one_line(part) for part in parts)


def age_text(activity: Activity, now: datetime) -> str:
    """How long the activity lives, or lived."""
    if activity.created_at is None:
        return "-"
    return duration_text((activity.ended_at or now) - activity.created_at)


def awaited_text(activity: Activity, run: Run, now: datetime) -> str:
    """What is next known of a run: by a check, or by a webhook where nobody can be asked; else
    empty."""
    if run.ended_at is not None:
        return ""
    if run.next_check_at is not None:
        return f"next check {until_text(run.next_check_at, now)}"
    if run.status != RunStatus.RUNNING or activity.adapter.get("type") != LEAP_WORKFLOW:
        return ""
    return f"waits for its webhook, deadline {until_text(activity.deadline_at, now)}"


def fault_of(activity: Activity) -> Fault | None:
    """The activity's error, else its latest run's, else why the last check of that run failed."""
    run = activity.latest_run
    return activity.error or ((run.error or run.last_problem) if run else None)


def fault_text(fault: Fault) -> str:
    """`code: message`."""
    return f"{fault.code}: {one_line(fault.message)}" if fault.message else fault.code


def advice_on(activity: Activity, command_text: Callable[..., str]) -> str:
    """What a person can do about an activity that waits for one; else empty.

    `command_text` makes an `agentruns` command line of its words.
    """
    run = activity.latest_run
    if run is None or activity.ended_at is not None:
        return ""
    if asked := "\n".join(wait_advice(activity.waits, command_text)):
        return asked
    if run.status == RunStatus.START_UNKNOWN:
        return _unknown_start_advice(str(activity.adapter.get("type")), run.run_id, command_text)
    if activity.admission == Admission.WAITING:
        connection = str(activity.adapter.get("connection", ""))
        return (
            f"It waits for a slot of the connection {connection}, which limits how many activities "
            "are under way; it starts by itself. How many slots are taken:\n"
            f"  {command_text('check', connection)}"
        )
    if run.status == RunStatus.PAUSED:
        return "The run is paused: a person has to act at the provider; then it goes on by itself."
    return ""


def _unknown_start_advice(adapter_type: str, run_id: str, command_text: Callable[..., str]) -> str:
    not_started = f"  {command_text('resolve', run_id, '--not-started')}"
    if adapter_type == WEBHOOK_AGENT:
        return (
            f"It is not known whether the agent took {run_id}. If it did, its first call says so, "
            f"and nothing is to be done. If its log does not have this id:\n{not_started}"
        )
    place, *found = _WHERE_TO_LOOK[adapter_type == LEAP_WORKFLOW]
    return (
        f"It is not known whether the provider started {run_id}. Look {place}, then say what you "
        f"found:\n  {command_text('resolve', run_id, *found)}\n{not_started}"
    )


def check_lines(checks: Sequence[Check]) -> str:
    """One line per check of a connection."""
    width = max((len(check.name) for check in checks), default=0)
    return "\n".join(
        f"{'ok' if check.ok else 'FAILED':<6}  {check.name:<{width}}  {one_line(check.detail)}"
        for check in checks
    )


def agent_table(agents: Sequence[Mapping[str, Any]]) -> str:
    """The agents as a table."""
    rows = (
        (
            str(agent.get("agent_role", "")),
            str((agent.get("adapter") or {}).get("type", "")),
            _adapter_text(agent.get("adapter") or {}),
            "yes" if agent.get("enabled", True) else "no",
        )
        for agent in agents
    )
    return table(("ROLE", "ADAPTER", "SETTINGS", "ENABLED"), rows)


def connection_table(connections: Sequence[Mapping[str, Any]]) -> str:
    """The connections as a table."""
    rows = (
        (
            *(str(connection.get(key) or "-") for key in ("name", "provider")),
            str(connection.get("region") or connection.get("dialect") or "-"),
            *(str((connection.get("limits") or {}).get(limit) or "-") for limit in _LIMITS),
        )
        for connection in connections
    )
    return table(("NAME", "PROVIDER", "REGION OR DIALECT", *_LIMITS.values()), rows)


def limit_lines(connection: Mapping[str, Any]) -> str:
    """Each limit of a connection, and its value."""
    limits = connection.get("limits") or {}
    return "\n".join(
        f"{limit:<20}  {'none' if value is None else value}" for limit, value in limits.items()
    )


def field_lines(fields: Iterable[tuple[str, str | None]]) -> list[str]:
    """`  label   value` per field that has a value."""
    return [f"  {label:<{_LABEL_WIDTH}}{one_line(value)}" for label, value in fields if value]


def _redrive_outcome(item: Considered) -> str:
    if item.outcome == "redriven":
        return f"redriven as {item.redriven_as}"
    if item.outcome == "skipped":
        return f"skipped: {item.skipped.message if item.skipped else ''}"
    return item.outcome.replace("_", " ")


def _work_of(activity: Activity) -> str:
    found = (activity.adapter.get(key) for key in _WORK)
    return next((str(each) for each in found if each), "-")


def _activity_row(activity: Activity, now: datetime) -> tuple[str, ...]:
    title = one_line(activity.title or activity.message or "")
    shown = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"
    agent = activity.agent_role or _work_of(activity)
    return (activity.activity_id, activity.status, agent, age_text(activity, now), shown)


def _activity_fields(activity: Activity, now: datetime) -> list[str]:
    return field_lines(
        (
            ("title", activity.title),
            ("agent", activity.agent_role),
            ("trigger", activity.trigger),
            ("redrive of", activity.redrive_of),
            ("redriven as", activity.redriven_as),
            ("subtask of", activity.parent_activity_id),
            ("mentioned in", " ".join(map(str, activity.mentioned_in.values()))),
            ("reassigned from", activity.reassigned_from),
            ("reassigned as", activity.reassigned_as),
            ("adapter", _adapter_text(activity.adapter)),
            ("message", activity.message),
            ("context", _value(activity.context) if activity.context else None),
            ("input csv", activity.input_csv_url),
            ("tags", ", ".join(activity.tags)),
            ("priority", activity.priority),
            ("created", _moment_and_age(activity.created_at, now)),
            ("deadline", moment_text(activity.deadline_at) if activity.deadline_at else None),
            ("ended", _moment_and_age(activity.ended_at, now)),
            ("age", age_text(activity, now)),
            ("error", fault_text(activity.error) if activity.error else None),
        )
    )


def _run_fields(run: Run, now: datetime) -> list[str]:
    last = f", last {ago_text(run.last_checked_at, now)}" if run.last_checked_at else ""
    upcoming = (
        f", next {until_text(run.next_check_at, now)}"
        if run.next_check_at and not run.ended_at
        else ""
    )
    fields: list[tuple[str, str | None]] = [
        ("opened for", _opened_for(run)),
        *run.provider_ids,
        ("started", _moment_and_age(run.started_at, now)),
        ("initiated", _moment_and_age(run.initiated_at, now)),
        ("completed", _moment_and_age(run.completed_at, now)),
        ("rows", None if run.row_count is None else str(run.row_count)),
        ("ended", _moment_and_age(run.ended_at, now)),
        ("polls", f"{run.polls}{last}{upcoming}"),
        ("last problem", fault_text(run.last_problem) if run.last_problem else None),
        ("error", fault_text(run.error) if run.error else None),
        ("output", _output_text(run)),
    ]
    fields += [
        (
            "evidence",
            f"{item.source} {item.status} {moment_text(item.observed_at)}"
            + (" (decided)" if item.decided else "")
            + (f", output of {item.output_bytes} bytes" if item.output_bytes else "")
            + (f", sha256 {item.output_sha256}" if item.output_sha256 else ""),
        )
        for item in run.evidence
    ]
    return field_lines(fields)


def _output_text(run: Run) -> str | None:
    if run.has_large_output:
        return f"{run.output_bytes} bytes"
    return None if run.output is None else _value(run.output)


def _wrapped(text: str) -> Iterator[str]:
    """Lines of at most `_WRAPPED_WIDTH` characters, and a sign that it goes on."""
    for first in range(0, len(text), _WRAPPED_WIDTH):
        yield f"    {text[first : first + _WRAPPED_WIDTH]}"
    if text:
        yield "    …"


def _opened_for(run: Run) -> str | None:
    """Nothing of a first run: its activity says it."""
    if run.wake_reason in (None, WakeReason.NEW_TASK):
        return None
    return str(run.wake_reason).replace("_", " ")


def _adapter_text(adapter: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={_value(value)}" for key, value in adapter.items() if key != "type")


def _moment_and_age(moment: datetime | None, now: datetime) -> str | None:
    return None if moment is None else f"{moment_text(moment)} ({ago_text(moment, now)})"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
