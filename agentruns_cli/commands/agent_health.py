"""`agent health`: whether an agent could work, and with --probe whether it does."""

from typing import Annotated

import typer

from agentruns_cli.describe import check_lines
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.screen import one_line
from agentruns_cli.session import OpenSession, over_the_api
from agentruns_cli.views import JsonObject, parse_checks


@over_the_api
def check_agent_health(
    open_session: OpenSession,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The agent's role.")],
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Give it real work and wait up to 20 s: an AOP or a workflow really runs.",
        ),
    ] = False,
) -> None:
    """Check an agent's adapter for real; exit code 1 if a check, or the probe, failed."""
    session = open_session()
    if probe:
        answer = session.client.probe_agent(role)
        text = _probe_text(answer)
    else:
        answer = session.client.check_agent_health(role)
        text = check_lines(parse_checks(answer))
    session.screen.answer(answer, role, text)
    if answer.get("ok") is not True:
        raise typer.Exit(ExitCode.FAILED)


def _probe_text(answer: JsonObject) -> str:
    took = f"{answer.get('duration_ms', 0)} ms  {answer.get('activity_id') or '-'}"
    if answer.get("ok") is True:
        return f"ok      {took}  {one_line(str(answer.get('output') or ''))}"
    return f"FAILED  {took}  {one_line(str(answer.get('error') or ''))}"
