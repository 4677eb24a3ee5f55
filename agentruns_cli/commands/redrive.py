"""`redrive`: failed activities done again, one by its id or many by filter."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from agentruns_cli.asking import is_agreed_to, require_a_person
from agentruns_cli.describe import redrive_table
from agentruns_cli.errors import ApiUnavailable, Interrupted, UsageFault
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.inputs import (
    activity_id_of,
    parse_context,
    parse_duration_option,
    parse_moment_option,
    require_header_text,
)
from agentruns_cli.options import (
    ContextEntries,
    IdempotencyKey,
    Interval,
    Message,
    WaitTimeout,
)
from agentruns_cli.screen import printable
from agentruns_cli.session import OpenSession, Session, over_the_api
from agentruns_cli.starting import print_started, start_once
from agentruns_cli.views import Considered, JsonObject, parse_considered
from agentruns_cli.watching import WatchStyle, watch_to_end

USUAL_LIMIT = 25
_TWO_WAYS = (
    "give an ID, or filters: --agent, --tag, --error, --created-after, --created-before, with "
    "--limit, --cursor, --dry-run and --yes"
)
_REPEAT = "Repeat the command: what was redriven is skipped."


@over_the_api
def redrive_activities(
    open_session: OpenSession,
    context: typer.Context,
    identifier: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="An activity id or a run id; without: the filters."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Required; kept in the events.")
    ] = None,
    message: Message = None,
    context_entries: ContextEntries = None,
    not_started: Annotated[
        bool,
        typer.Option(
            "--not-started", help="With ID: I looked, its last start did nothing at the provider."
        ),
    ] = False,
    idempotency_key: IdempotencyKey = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="ROLE", help="Only this agent's.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only with this tag.")] = None,
    error: Annotated[
        str | None, typer.Option("--error", metavar="CODE", help="Only with this error's code.")
    ] = None,
    created_after: Annotated[
        str | None,
        typer.Option(
            "--created-after", metavar="TIME", help="2026-11-22T02:00Z; without zone UTC."
        ),
    ] = None,
    created_before: Annotated[
        str | None, typer.Option("--created-before", metavar="TIME", help="As --created-after.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, max=100, help=f"Failed activities to look at; usually {USUAL_LIMIT}."
        ),
    ] = None,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Go on where the last call ended.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be redriven.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="With ID: show progress until it ends.")
    ] = False,
    wait_timeout: WaitTimeout = None,
    interval: Interval = 1.0,
) -> None:
    """Do failed activities again, each by a new activity with the same settings and input.

    With ID that one; -m and -c replace what the agent was told. Without ID the failed activities
    that match the filters, the newest first: it shows them and asks, unless --yes.

    \b
    agentruns redrive act_01M80GAFZR773JC21ZVMJD41QF --reason "the AOP is repaired" --watch
    agentruns redrive --agent it_support --created-after 2026-11-22 --reason "outage" --dry-run
    """  # noqa: D301  # \b keeps these lines apart in the help
    filters = {
        "agent_role": agent,
        "tag": tag,
        "error_code": error,
        "created_after": parse_moment_option("--created-after", created_after),
        "created_before": parse_moment_option("--created-before", created_before),
    }
    wanted = {name: value for name, value in filters.items() if value is not None}
    _require_one_way(
        identifier,
        for_one={
            "--message": message is not None,
            "--context": context_entries,
            "--not-started": not_started,
            "--idempotency-key": idempotency_key is not None,
            "--watch": watch,
        },
        for_many={
            "a filter": wanted,
            "--limit": limit,
            "--cursor": cursor,
            "--dry-run": dry_run,
            "--yes": yes,
        },
    )
    if dry_run and yes:
        raise UsageFault("--dry-run and --yes exclude each other", "look, or redrive unasked")
    if reason is None or not reason.strip():
        raise UsageFault("--reason is missing", "say why; it is kept in the events")
    if wait_timeout is not None and not watch:
        raise UsageFault("--wait-timeout says how long to wait", "but --watch is not given")
    require_header_text("--idempotency-key", idempotency_key)
    wait_timeout_seconds = parse_duration_option("--wait-timeout", wait_timeout)
    told = parse_context(context_entries) if context_entries else None
    if identifier is None and not (dry_run or yes):
        next_step = "Add --dry-run to look, or --yes to redrive without being asked."
        require_a_person(context, next_step)
    session = open_session()
    if identifier is None:
        body = _body(filter=wanted, reason=reason, limit=limit or USUAL_LIMIT, cursor=cursor)
        _redrive_many(session, body, is_preview=dry_run, is_agreed=yes)
        return
    body = _body(reason=reason, message=message, context=told, not_started=not_started or None)
    answer = _redrive_one(session, activity_id_of(identifier), body, idempotency_key)
    if not watch:
        print_started(session, answer)
        return
    successor_id = str(answer.get("activity_id", ""))
    if session.screen.ids_only:
        session.screen.data(successor_id)
    session.screen.chatter(f"Redriven as {successor_id}.")
    raise typer.Exit(
        watch_to_end(
            session,
            successor_id,
            style=WatchStyle.PROGRESS,
            interval_seconds=interval,
            wait_timeout_seconds=wait_timeout_seconds,
        )
    )


def _require_one_way(
    identifier: str | None, *, for_one: Mapping[str, object], for_many: Mapping[str, object]
) -> None:
    """UsageFault where neither or both are meant, or an option is the other way's."""
    way, foreign = ("ID", for_many) if identifier is not None else ("the filters", for_one)
    for option, value in foreign.items():
        if value:
            raise UsageFault(f"{way} and {option} exclude each other", _TWO_WAYS)
    if identifier is None and not for_many["a filter"]:
        raise UsageFault(
            "Nothing to redrive",
            _TWO_WAYS,
            next_step="See what failed: agentruns list --status failed",
        )


def _body(**fields: Any) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _redrive_one(
    session: Session, activity_id: str, body: JsonObject, idempotency_key: str | None
) -> JsonObject:
    return start_once(
        session,
        idempotency_key,
        lambda key: session.client.redrive_activity(activity_id, body, idempotency_key=key),
    )


def _redrive_many(session: Session, body: JsonObject, *, is_preview: bool, is_agreed: bool) -> None:
    if is_agreed:
        _print_considered(session, _redrive_what_matches(session, body))
        return
    preview = session.client.redrive_activities({**body, "dry_run": True})
    count = _count(parse_considered(preview), "would_redrive")
    if is_preview or count == 0:
        _print_considered(session, preview)
        return
    typer.echo(printable(redrive_table(parse_considered(preview))), err=True)
    if not is_agreed_to(f"Redrive {count} of these?"):
        session.screen.chatter("Nothing was redriven.")
        raise typer.Exit(ExitCode.STOPPED)
    _print_considered(session, _redrive_what_matches(session, body))


def _redrive_what_matches(session: Session, body: JsonObject) -> JsonObject:
    try:
        return session.client.redrive_activities({**body, "dry_run": False})
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Interrupted", "some may have been redriven", next_step=_REPEAT
        ) from error
    except ApiUnavailable as error:
        error.next_step = f"Some may have been redriven. {_REPEAT} {error.next_step}"
        raise


def _print_considered(session: Session, answer: JsonObject) -> None:
    screen = session.screen
    if screen.as_json:
        screen.document(answer)
        return
    items, following = parse_considered(answer), answer.get("next_cursor")
    if screen.ids_only:
        for item in items:
            if item.outcome != "skipped":
                screen.data(item.redriven_as or item.activity_id)
    elif items:
        screen.data(redrive_table(items))
        screen.chatter(_summary(items, is_preview=answer.get("dry_run") is True))
    elif not following:
        screen.chatter("No failed activities match.")
    if following:
        screen.chatter(f"There are more: add --cursor {following}")


def _summary(items: Sequence[Considered], *, is_preview: bool) -> str:
    skipped = f"{_count(items, 'skipped')} skipped"
    if is_preview:
        return (
            f"{_count(items, 'would_redrive')} would be redriven, {skipped}; nothing was changed."
        )
    return f"{_count(items, 'redriven')} redriven, {skipped}."


def _count(items: Sequence[Considered], outcome: str) -> int:
    return sum(item.outcome == outcome for item in items)
