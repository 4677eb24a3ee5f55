"""`agent key issue|list|revoke`: with which an agent calls us. A key is shown once."""

from typing import Annotated

import typer

from agentruns_cli.options import ApiUrl, AsJson, IdsOnly, Stack
from agentruns_cli.screen import table
from agentruns_cli.session import open_session

agent_key_app = typer.Typer(
    no_args_is_help=True, help="Issue, list or revoke the keys with which an agent calls us."
)

Role = Annotated[str, typer.Argument(metavar="ROLE", help="The agent's role, e.g. seo_writer.")]


@agent_key_app.command("issue")
def issue_agent_key(
    context: typer.Context,
    role: Role,
    name: Annotated[
        str | None, typer.Option("--name", help="For people: where the key is kept.")
    ] = None,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """Issue a key for an agent and print it, this once.

    To rotate: issue another, let the agent use it, then revoke the old one.
    """
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    issued = session.client.issue_agent_key(role, {} if name is None else {"name": name})
    if as_json:
        session.screen.document(issued)
        return
    session.screen.data(str(issued.get("key", "")))
    session.screen.chatter(
        "The key is shown this once; only its hash is stored. Revoke it with: "
        + session.command_text("agent", "key", "revoke", role, str(issued.get("key_id", "")))
    )


@agent_key_app.command("list")
def list_agent_keys(
    context: typer.Context,
    role: Role,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """List the keys of an agent, oldest first; never the keys themselves."""
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    page = session.client.list_agent_keys(role)
    if as_json:
        session.screen.document(page)
        return
    keys = page.get("items", [])
    if ids_only:
        for key in keys:
            session.screen.data(str(key.get("key_id", "")))
    elif keys:
        columns = ("key_id", "created_at", "name")
        rows = (tuple(str(key.get(column) or "-") for column in columns) for key in keys)
        session.screen.data(table(("KEY", "CREATED", "NAME"), rows))
    else:
        suggestion = session.command_text("agent", "key", "issue", role)
        session.screen.chatter(f"No keys yet: {suggestion}")


@agent_key_app.command("revoke")
def revoke_agent_key(
    context: typer.Context,
    role: Role,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `agent key list` shows it.")],
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """Revoke a key of an agent; it may work for another minute."""
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    answer = session.client.revoke_agent_key(role, key_id)
    if as_json:
        session.screen.document(answer)
        return
    session.screen.data(key_id)
    session.screen.chatter(f"Key {key_id} is revoked.")
