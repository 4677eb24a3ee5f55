"""`agent set|list|delete|rotate-secret`: a role and the adapter that does its work."""

from pathlib import Path
from typing import Annotated

import typer

from agentruns_cli.describe import agent_table
from agentruns_cli.inputs import (
    agent_adapter_document,
    auth_document,
    file_text,
    parse_detection_option,
    parse_duration_option,
)
from agentruns_cli.options import ApiUrl, AsJson, Stack
from agentruns_cli.session import OpenSession, Session, open_session, over_the_api
from agentruns_cli.views import JsonObject

agent_app = typer.Typer(
    no_args_is_help=True,
    help="Say which AOP, workflow or agent of your own does the work of a role.",
)

Role = Annotated[str, typer.Argument(metavar="ROLE", help="The agent's role, e.g. it_support.")]


@agent_app.command("set")
@over_the_api
def set_agent(
    open_session: OpenSession,
    role: Role,
    connection: Annotated[
        str | None,
        typer.Option("--connection", metavar="NAME", help="Stored connection to use."),
    ] = None,
    aop: Annotated[
        str | None, typer.Option("--aop", metavar="AOP_ID", help="Slug or ObjectId of the AOP.")
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", metavar="WORKFLOW_ID", help="A workflow of Leap instead."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="An agent of your own instead, called there."),
    ] = None,
    auth_header: Annotated[
        str | None,
        typer.Option(
            "--auth-header",
            metavar="NAME",
            help="A header that its URL asks for; the value is prompted for, or piped in.",
        ),
    ] = None,
    system_prompt: Annotated[
        Path | None,
        typer.Option("--system-prompt", metavar="FILE", help="Text it is told with every run."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The model that it should use.")
    ] = None,
    max_turns: Annotated[
        int | None, typer.Option("--max-turns", min=1, help="How often it may call its model.")
    ] = None,
    enabled: Annotated[
        bool, typer.Option("--enabled/--disabled", help="Whether it takes new work.")
    ] = True,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="DURATION", help="Deadline of an activity: 90, 15m, 2h."),
    ] = None,
    max_attempts: Annotated[
        int | None, typer.Option("--max-attempts", min=1, help="Runs an activity may take.")
    ] = None,
    backoff_seconds: Annotated[
        int | None, typer.Option("--backoff-seconds", min=0, help="Wait before the next run.")
    ] = None,
    on_start_unknown: Annotated[
        str | None,
        typer.Option(
            "--on-start-unknown",
            metavar="POLICY",
            help="hold, retry or fail, when nobody knows whether the provider started.",
        ),
    ] = None,
    on_approval_expired: Annotated[
        str | None,
        typer.Option(
            "--on-approval-expired",
            metavar="POLICY",
            help="fail, approve, reject or escalate, when nobody decided in time.",
        ),
    ] = None,
    detection: Annotated[
        str | None,
        typer.Option(
            "--detection",
            metavar="DELAY",
            help="How late an end may be noticed: 25% of a run's age, or at most 30s.",
        ),
    ] = None,
    skill: Annotated[
        list[str] | None,
        typer.Option("--skill", metavar="NAME", help="What it may read up on; repeatable."),
    ] = None,
) -> None:
    """Create or replace the agent of a role."""
    session = open_session()
    document: JsonObject = {
        "adapter": agent_adapter_document(connection, aop=aop, workflow=workflow, url=url),
        "enabled": enabled,
    }
    retry = {"max_attempts": max_attempts, "backoff_seconds": backoff_seconds}
    optional = {
        "timeout_seconds": parse_duration_option("--timeout", timeout),
        "on_start_unknown": on_start_unknown,
        "on_approval_expired": on_approval_expired,
        "detection": parse_detection_option("--detection", detection),
        "skills": skill or None,
        "retry": {key: value for key, value in retry.items() if value is not None} or None,
        "auth": auth_document(auth_header),
        "system_prompt": system_prompt
        and file_text(str(system_prompt), f"--system-prompt {system_prompt}"),
        "model": model,
        "max_turns": max_turns,
    }
    document.update({key: value for key, value in optional.items() if value is not None})
    stored = session.client.put_agent(role, document)
    session.screen.answer(stored, str(stored.get("agent_role", role)))
    _show_signing_secret(session, stored)
    session.screen.chatter("Give it work: " + session.command_text("start", role, "-m", "TEXT"))


@agent_app.command("rotate-secret")
def rotate_secret(
    context: typer.Context,
    role: Role,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
) -> None:
    """Give an agent of your own another signing secret; the one before it goes on being used."""
    session = open_session(context, api_url=api_url, stack=stack, as_json=as_json)
    made = session.client.rotate_signing_secret(role)
    session.screen.answer(made, str(made.get("signing_secret", "")))
    session.screen.chatter(
        "This is the only time it is shown. Dispatches are signed with it and with the one before."
    )


@agent_app.command("list")
@over_the_api
def list_agents(open_session: OpenSession) -> None:
    """List the agents."""
    session = open_session()
    page = session.client.list_agents()
    suggestion = session.command_text(
        "agent", "set", "ROLE", "--aop", "AOP_ID", "--connection", "NAME"
    )
    session.screen.page(page, "agent_role", agent_table, f"No agents yet: {suggestion}")


@agent_app.command("delete")
@over_the_api
def delete_agent(open_session: OpenSession, role: Role) -> None:
    """Delete the agent of a role; its activities stay."""
    session = open_session()
    answer = session.client.delete_agent(role)
    session.screen.answer(answer, role)
    session.screen.chatter(f"Agent {role} is deleted.")


def _show_signing_secret(session: Session, stored: JsonObject) -> None:
    secret = stored.get("signing_secret")
    if secret:
        session.screen.chatter(
            f"Its dispatches are signed (Standard Webhooks) with {secret}\n"
            "Give it to the agent; this is the only time it is shown."
        )
