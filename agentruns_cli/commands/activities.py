"""`start`, `watch`, `list`, `show`, `events`, `cancel`: work given to agents."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from agentruns_cli.describe import activity_in_full, activity_table, advice_on, event_lines
from agentruns_cli.errors import NotFound, Problem, UsageFault
from agentruns_cli.inputs import (
    activity_id_of,
    adapter_document,
    parse_context,
    parse_duration_option,
    require_header_text,
)
from agentruns_cli.options import (
    ContextEntries,
    IdempotencyKey,
    Interval,
    Message,
    WaitTimeout,
)
from agentruns_cli.session import OpenSession, Session, over_the_api
from agentruns_cli.starting import print_started, start_once
from agentruns_cli.views import Activity, JsonObject, parse_activity, parse_event
from agentruns_cli.watching import WatchStyle, watch_to_end

FIRST_PAGE_BYTES = 380
"""Of a large output: as many lines as fit beside the rest of a run."""

AnyId = Annotated[
    str, typer.Argument(metavar="ID", help="Of an activity, or of one of its runs or waits.")
]


class Priority(StrEnum):
    """Priorities of an activity."""

    NORMAL = "normal"
    HIGH = "high"


@over_the_api
def start(
    open_session: OpenSession,
    role: Annotated[
        str | None, typer.Argument(metavar="ROLE", help="Role of the agent that gets the work.")
    ] = None,
    message: Message = None,
    context_entries: ContextEntries = None,
    aop: Annotated[
        str | None,
        typer.Option("--aop", metavar="AOP_ID", help="Start this AOP instead of an agent."),
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", metavar="WORKFLOW_ID", help="Or this workflow of Leap."),
    ] = None,
    connection: Annotated[
        str | None,
        typer.Option("--connection", metavar="NAME", help="Connection of the AOP or workflow."),
    ] = None,
    input_csv: Annotated[
        str | None,
        typer.Option(
            "--input-csv",
            metavar="URL",
            help="Run the workflow once for each row of this CSV, which Leap fetches.",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Short name for lists.")
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="Repeatable.")
    ] = None,
    priority: Annotated[
        Priority | None, typer.Option("--priority", help="Default: normal.")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout", metavar="DURATION", help="Deadline of the activity: 90, 15m, 2h."
        ),
    ] = None,
    on_start_unknown: Annotated[
        str | None,
        typer.Option(
            "--on-start-unknown",
            metavar="POLICY",
            help="hold, retry or fail, when nobody knows whether the provider started.",
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show progress until it ends.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait quietly until it ends.")] = False,
    wait_timeout: WaitTimeout = None,
    interval: Interval = 1.0,
) -> None:
    """Give work to an agent, or start an AOP or a workflow directly.

    \b
    agentruns start it_support -m "Reset the VPN" -c user=ada --watch
    agentruns start --aop vpn_access --connection leena -c @ticket.json
    agentruns start --workflow wkf_1 --connection leap --input-csv https://files.example/in.csv
    """  # noqa: D301  # \b keeps these lines apart in the help
    body = _start_body(role, aop=aop, workflow=workflow, connection=connection)
    if watch and wait:
        raise UsageFault(
            "--watch and --wait exclude each other", "one shows progress, the other only the result"
        )
    if wait_timeout is not None and not (watch or wait):
        raise UsageFault(
            "--wait-timeout says how long to wait", "but neither --watch nor --wait is given"
        )
    require_header_text("--idempotency-key", idempotency_key)
    wait_timeout_seconds = parse_duration_option("--wait-timeout", wait_timeout)
    optional = {
        "message": message,
        "context": parse_context(context_entries) if context_entries else None,
        "input_csv_url": input_csv,
        "title": title,
        "tags": tags or None,
        "priority": priority.value if priority else None,
        "timeout_seconds": parse_duration_option("--timeout", timeout),
        "on_start_unknown": on_start_unknown,
    }
    body.update({key: value for key, value in optional.items() if value is not None})
    session = open_session()
    answer = start_once(
        session,
        idempotency_key,
        lambda key: session.client.start_activity(body, idempotency_key=key),
    )
    activity_id = str(answer.get("activity_id", ""))
    if not (watch or wait):
        print_started(session, answer)
        return
    if session.screen.ids_only:
        session.screen.data(activity_id)
    session.screen.chatter(f"Started {activity_id}.")
    raise typer.Exit(
        watch_to_end(
            session,
            activity_id,
            style=WatchStyle.PROGRESS if watch else WatchStyle.RESULT,
            interval_seconds=interval,
            wait_timeout_seconds=wait_timeout_seconds,
        )
    )


@over_the_api
def watch_activity(
    open_session: OpenSession,
    identifier: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="An activity id or a run id; default: the newest activity."
        ),
    ] = None,
    wait_timeout: WaitTimeout = None,
    interval: Interval = 1.0,
) -> None:
    """Follow an activity until it ends or needs a person.

    Exit code: 0 done, 1 failed, 3 cancelled or aborted, 7 needs a person, 124 wait timed out, 130
    Ctrl-C. Ctrl-C leaves the activity running.
    """
    wait_timeout_seconds = parse_duration_option("--wait-timeout", wait_timeout)
    session = open_session()
    activity_id = activity_id_of(identifier) if identifier else _newest_activity_id(session)
    if session.screen.ids_only:
        session.screen.data(activity_id)
    raise typer.Exit(
        watch_to_end(
            session,
            activity_id,
            style=WatchStyle.PROGRESS,
            interval_seconds=interval,
            wait_timeout_seconds=wait_timeout_seconds,
        )
    )


@over_the_api
def list_activities(
    open_session: OpenSession,
    status: Annotated[
        str | None, typer.Option("--status", help="Only this status, e.g. in_progress.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="ROLE", help="Only this agent.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only with this tag.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100, help="Activities on a page.")
    ] = 20,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Go on where the last page ended.")
    ] = None,
) -> None:
    """List activities, the newest first."""
    session = open_session()
    filters: dict[str, str | int | None] = {
        "status": status, "agent_role": agent, "tag": tag, "limit": limit, "cursor": cursor
    }  # fmt: skip
    page = session.client.list_activities(filters)
    now = session.surroundings.clock.now()
    session.screen.page(
        page,
        "activity_id",
        lambda items: activity_table([parse_activity(item) for item in items], now),
        "No activities match. Start one: " + session.command_text("start", "--help"),
    )


@over_the_api
def show_activity(open_session: OpenSession, identifier: AnyId) -> None:
    """Show an activity with its runs and events."""
    session = open_session()
    body = session.client.get_activity(activity_id_of(identifier))
    if session.screen.as_json:
        session.screen.document(body)
        return
    activity = parse_activity(body)
    if session.screen.ids_only:
        session.screen.data(activity.activity_id)
        return
    log = (parse_event(entry) for entry in _events_of(session, activity, after=0))
    events = [entry for entry in log if entry.sequence is not None]
    large = [run.run_id for run in activity.runs if run.has_large_output]
    first_pages = {
        run_id: session.client.read_output(run_id, 0, FIRST_PAGE_BYTES - 1).text for run_id in large
    }
    now = session.surroundings.clock.now()
    session.screen.data(activity_in_full(activity, events, now, first_pages))
    for run_id in large:
        session.screen.chatter("All of the output: " + session.command_text("output", run_id))
    if advice := advice_on(activity, session.command_text):
        session.screen.chatter(advice)


@over_the_api
def list_events(
    open_session: OpenSession,
    identifier: AnyId,
    after: Annotated[
        int, typer.Option("--after", min=0, metavar="SEQ", help="Only later ones.")
    ] = 0,
) -> None:
    """Print the log of an activity, or of one run: events, tool calls, the text of agents."""
    session = open_session()
    if identifier.startswith("run_"):
        events = _behind(after, session.client.all_events(identifier, after=after))
    else:
        events = _events_of(
            session, parse_activity(session.client.get_activity(identifier)), after=after
        )
    if session.screen.as_json:
        session.screen.document({"items": events, "next_after": None})
        return
    for event, line in zip(events, event_lines(map(parse_event, events)), strict=True):
        shown_id = event.get("sequence") or event.get("cursor") or ""
        session.screen.data(str(shown_id) if session.screen.ids_only else line)


@over_the_api
def cancel_activity(
    open_session: OpenSession,
    identifier: AnyId,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Kept with the activity.")
    ] = None,
) -> None:
    """Stop following an activity and its subtasks; says honestly whether the providers could be
    stopped too."""
    session = open_session()
    activity_id = activity_id_of(identifier)
    answer = session.client.cancel_activity(activity_id, reason=reason)
    cancelled = {activity_id: answer}
    cancelled |= {str(each.get("activity_id", "")): each for each in answer.get("subtasks") or ()}
    lines = (f"{name}  {each.get('status', '')}" for name, each in cancelled.items())
    session.screen.answer(answer, activity_id, "\n".join(lines))
    for name, each in cancelled.items():
        about = "" if each is answer else f"Subtask {name}: "
        if each.get("provider_stopped") is not True:
            goes_on = "The provider was not stopped and may go on with its work."
            session.screen.chatter(about + goes_on)
        if detail := each.get("detail"):
            session.screen.chatter(about + str(detail))


def _start_body(
    role: str | None, *, aop: str | None, workflow: str | None, connection: str | None
) -> JsonObject:
    inline = (aop, workflow, connection)
    if role is not None and any(each is not None for each in inline):
        raise UsageFault("Two ways to start", "give a ROLE, or --aop with --connection, not both")
    if role is not None:
        return {"agent_role": role}
    if connection is None or (aop is None and workflow is None):
        raise UsageFault(
            "Nothing to start",
            "give a ROLE, or --aop AOP_ID with --connection NAME",
            next_step="See `agentruns agent list` and `agentruns connection list`.",
        )
    return {"adapter": adapter_document(connection, aop=aop, workflow=workflow)}


def _newest_activity_id(session: Session) -> str:
    items = session.client.list_activities({"limit": 1}).get("items", [])
    if not items:
        problem = Problem(title="There is no activity yet")
        raise NotFound(problem, next_step="Start one: " + session.command_text("start", "--help"))
    return str(items[0].get("activity_id", ""))


def _events_of(session: Session, activity: Activity, *, after: int) -> list[JsonObject]:
    """The logs of all runs in one: a run's log may tell of its activity too, which is told once;
    text stands behind the event that it came after."""
    told: dict[tuple[int, int, int], JsonObject] = {}
    for run in activity.runs:
        entries = _behind(after, session.client.all_events(run.run_id, after=after))
        for place, entry in enumerate(entries, 1):
            event = parse_event(entry)
            is_event = event.sequence is not None
            key = (event.after_event, 0, 0) if is_event else (event.after_event, run.attempt, place)
            told[key] = entry
    return [told[key] for key in sorted(told)]


def _behind(after: int, entries: Iterable[JsonObject]) -> list[JsonObject]:
    """Without the text that came before the event `after`, which the API gives nonetheless."""
    return [entry for entry in entries if parse_event(entry).after_event >= after]
