"""`output`: what a run gave back, whole or a page of it."""

from typing import Annotated

import typer

from agentruns_cli.errors import NotFound, Problem, UsageFault
from agentruns_cli.inputs import activity_id_of
from agentruns_cli.options import ApiUrl, Stack
from agentruns_cli.session import Session, open_session
from agentruns_cli.views import parse_activity

PAGE_BYTES = 65_536
LARGEST_PAGE_BYTES = 2_000_000


def print_output(
    context: typer.Context,
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A run id, or an activity id for its latest run with an output."
        ),
    ],
    page: Annotated[
        int | None, typer.Option("--page", min=1, metavar="N", help="Only this page, from 1.")
    ] = None,
    page_bytes: Annotated[
        int | None,
        typer.Option(
            "--page-bytes",
            min=1,
            max=LARGEST_PAGE_BYTES,
            metavar="N",
            help=f"Length of a page. Default: {PAGE_BYTES}.",
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HASH", help="One that came too late, by its hash."),
    ] = None,
    api_url: ApiUrl = None,
    stack: Stack = None,
) -> None:
    """Write a run's output to standard output: its JSON, on one line.

    \b
    agentruns output act_01M80GAFZR773JC21ZVMJD41QF | jq .
    agentruns output act_01M80GAFZR773JC21ZVMJD41QF --page 1
    """  # noqa: D301  # \b keeps these lines apart in the help
    if page_bytes is not None and page is None:
        raise UsageFault("--page-bytes says how long a page is", "but --page is not given")
    session = open_session(context, api_url=api_url, stack=stack)
    run_id = _run_id_of(session, identifier)
    if page is None:
        for text in session.client.all_output(run_id, sha256=sha256):
            typer.echo(text, nl=False)
        typer.echo()
        return
    length = page_bytes or PAGE_BYTES
    first = (page - 1) * length
    piece = session.client.read_output(run_id, first, first + length - 1, sha256=sha256)
    typer.echo(piece.text)
    pages = -(-piece.size_bytes // length)
    session.screen.chatter(f"Page {page} of {pages}, of {piece.size_bytes} bytes in all.")


def _run_id_of(session: Session, identifier: str) -> str:
    """The run itself, or the latest run of an activity that has an output, else its latest."""
    activity_id = activity_id_of(identifier)
    if activity_id != identifier:
        return identifier
    activity = parse_activity(session.client.get_activity(activity_id))
    runs = sorted(activity.runs, key=lambda run: run.attempt)
    if not runs:
        problem = Problem(title=f"{activity_id} has no run yet")
        raise NotFound(problem, next_step=f"See: {session.command_text('show', activity_id)}")
    with_output = [run for run in runs if run.output_bytes is not None]
    return (with_output or runs)[-1].run_id
