"""`agent health`: whether an agent could work, and with --probe whether it does."""

from typing import Annotated

import typer

from agentruns_cli.describe import check_lines
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.options import ApiUrl, AsJson, IdsOnly, Stack
from agentruns_cli.screen import one_line
from agentruns_cli.session import Session, open_session
from agentruns_cli.views import JsonObject, parse_checks


def check_agent_health(
    context: typer.Context,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The agent's role.")],
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Give it real work and wait up to 20 s: an AOP or a workflow really runs.",
        ),
    ] = False,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """Check an agent's adapter for real; exit code 1 if a check, or the probe, failed."""
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    if probe:
        answer = session.client.probe_agent(role)
        text = _probe_text(answer)
    else:
        answer = session.client.check_agent_health(role)
        text = check_lines(parse_checks(answer))
    _print(session, role, answer, text)
    if answer.get("ok") is not True:
        raise typer.Exit(ExitCode.FAILED)


def _print(session: Session, role: str, answer: JsonObject, text: str) -> None:
    if session.screen.as_json:
        session.screen.document(answer)
    elif session.screen.ids_only:
        session.screen.data(role)
    else:
        session.screen.data(text)


def _probe_text(answer: JsonObject) -> str:
    took = f"{answer.get('duration_ms', 0)} ms  {answer.get('activity_id') or '-'}"
    if answer.get("ok") is True:
        return f"ok      {took}  {one_line(str(answer.get('output') or ''))}"
    return f"FAILED  {took}  {one_line(str(answer.get('error') or ''))}"
