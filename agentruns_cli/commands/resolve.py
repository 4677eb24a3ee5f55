"""`resolve`: what a person found out about an unknown start, or did about a blocker."""

from collections.abc import Mapping
from typing import Annotated

import typer

from agentruns_cli.commands.inbox import print_answered
from agentruns_cli.errors import NotFound, Problem, UsageFault
from agentruns_cli.inputs import activity_id_of, parse_duration_option
from agentruns_cli.options import Interval, WaitTimeout
from agentruns_cli.session import OpenSession, Session, over_the_api
from agentruns_cli.views import JsonObject, parse_activity
from agentruns_cli.watching import WatchStyle, watch_to_end


@over_the_api
def resolve(
    open_session: OpenSession,
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A run id, an activity id for its current run, or a blocker's or task's wait id.",
        ),
    ],
    item: Annotated[
        str | None,
        typer.Option(
            "--item", metavar="AOP_ITEM_ID", help="It was started: the item found in Leena AI."
        ),
    ] = None,
    workflow_run: Annotated[
        str | None,
        typer.Option(
            "--workflow-run",
            metavar="WORKFLOW_RUN_ID",
            help="It was started: the run found in Leap.",
        ),
    ] = None,
    not_started: Annotated[
        bool, typer.Option("--not-started", help="Nothing was started: open the next run.")
    ] = False,
    note: Annotated[
        str | None,
        typer.Option("--note", "-n", metavar="TEXT", help="Of a blocker or task: what was done."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show progress until it ends.")
    ] = False,
    wait_timeout: WaitTimeout = None,
    interval: Interval = 1.0,
) -> None:
    """Say what became of a run whose start is unknown, or that a blocker or a task is done.

    Look in Leena AI for an item whose context has this run's id as agentruns_run_id, in Leap for a
    run whose webhook URL has it. If it is there, it is followed from now on; if it is not, the run
    ends and the next one is opened at once. An agent of your own that has it says so by its first
    call.

    \b
    agentruns resolve run_01M80GAFZR773JC21ZVMJD41QF_1 --item 69e90f247276b2fa8f2766e0
    agentruns resolve run_01M80GAFZR773JC21ZVMJD41QF_1 --workflow-run rnp_x4Q7mZ2LkVb
    agentruns resolve run_01M80GAFZR773JC21ZVMJD41QF_1 --not-started --watch
    agentruns resolve wait_01M80GAFZR773JC21ZVMJD41QF_1 --note "The token is renewed"
    """  # noqa: D301  # \b keeps these lines apart in the help
    is_task = identifier.startswith("wait_")
    found = {"aop_item_id": item, "workflow_run_id": workflow_run}
    body = (_task_body if is_task else _finding)(found, note, not_started)
    if wait_timeout is not None and not watch:
        raise UsageFault("--wait-timeout says how long to wait", "but --watch is not given")
    wait_timeout_seconds = parse_duration_option("--wait-timeout", wait_timeout)
    session = open_session()
    if is_task:
        answer = session.client.resolve_human_task(identifier, body)
    else:
        answer = session.client.resolve_run(_run_id_of(session, identifier), body)
    activity_id = str(answer.get("activity_id", ""))
    if not watch:
        (print_answered if is_task else _print_resolved)(session, answer)
        return
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


def _task_body(found: Mapping[str, str | None], note: str | None, not_started: bool) -> JsonObject:
    """The body of POST /v1/human-tasks/{task_id}/resolve."""
    if any(found.values()) or not_started:
        raise UsageFault("--item and its like are about a run", "this is a wait: give --note")
    return {} if note is None else {"note": note}


def _finding(ids: Mapping[str, str | None], note: str | None, not_started: bool) -> JsonObject:
    """The body of POST /v1/runs/{run_id}/resolve."""
    if note is not None:
        raise UsageFault("--note is about a blocker or a task", "whose id is wait_...")
    found = {name: value for name, value in ids.items() if value is not None}
    if len(found) + not_started != 1:
        raise UsageFault(
            "What became of it?",
            "give --item AOP_ITEM_ID or --workflow-run WORKFLOW_RUN_ID, where the provider has it, "
            "or --not-started; exactly one",
        )
    return {"bind": found} if found else {"not_started": True}


def _run_id_of(session: Session, identifier: str) -> str:
    """The run itself, or the current run of an activity."""
    activity_id = activity_id_of(identifier)
    if activity_id != identifier:
        return identifier
    run = parse_activity(session.client.get_activity(activity_id)).latest_run
    if run is None:
        problem = Problem(title=f"{activity_id} has no run yet")
        raise NotFound(problem, next_step=f"See: {session.command_text('show', activity_id)}")
    return run.run_id


def _print_resolved(session: Session, answer: JsonObject) -> None:
    activity_id = str(answer.get("activity_id", ""))
    run_id = (answer.get("run") or {}).get("run_id", "")
    text = f"{activity_id}  {answer.get('status', '')}  {run_id}"
    session.screen.answer(answer, activity_id, text)
    session.screen.chatter("Follow it: " + session.command_text("watch", activity_id))
