"""`agent health`: whether an agent could work, and with --probe whether it does."""

from typing import Annotated

import typer

from agentruns_cli.asking import is_agreed_to, require_a_person
from agentruns_cli.describe import check_lines
from agentruns_cli.errors import UsageFault
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.screen import one_line
from agentruns_cli.session import OpenSession, over_the_api
from agentruns_cli.views import JsonObject, parse_checks

_QUESTION = (
    "A probe is real work: an AOP or a workflow really runs, and what it does is not taken back. "
    "Give {role} one?"
)


@over_the_api
def check_agent_health(
    open_session: OpenSession,
    context: typer.Context,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The agent's role.")],
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Give it real work and wait up to 20 s: an AOP or a workflow really runs.",
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="With --probe: do not ask first.")
    ] = False,
) -> None:
    """Check an agent's adapter for real; exit code 1 if a check, or the probe, failed."""
    if yes and not probe:
        raise UsageFault("--yes without --probe", "checks start nothing, so nobody is asked")
    if probe and not yes:
        require_a_person(context, "Add --yes to probe without being asked.")
    session = open_session()
    if probe:
        if not yes and not is_agreed_to(_QUESTION.format(role=role)):
            session.screen.chatter("Nothing was started.")
            raise typer.Exit(ExitCode.STOPPED)
        answer = session.client.probe_agent(role)
        text = _probe_text(answer)
    else:
        answer = session.client.check_agent_health(role)
        text = check_lines(parse_checks(answer))
    session.screen.answer(answer, role, text)
    if probe and (detail := answer.get("detail")):
        session.screen.chatter(one_line(str(detail)))
    if answer.get("ok") is not True:
        raise typer.Exit(ExitCode.FAILED)


def _probe_text(answer: JsonObject) -> str:
    took = f"{answer.get('duration_ms', 0)} ms  {answer.get('activity_id') or '-'}"
    if answer.get("ok") is True:
        return f"ok      {took}  {one_line(str(answer.get('output') or ''))}"
    return f"FAILED  {took}  {one_line(str(answer.get('error') or ''))}"
