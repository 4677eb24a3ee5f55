"""`agent key issue|list|revoke`: with which an agent calls us. A key is shown once."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from agentruns_cli.screen import table
from agentruns_cli.session import OpenSession, over_the_api

agent_key_app = typer.Typer(
    no_args_is_help=True, help="Issue, list or revoke the keys with which an agent calls us."
)

Role = Annotated[str, typer.Argument(metavar="ROLE", help="The agent's role, e.g. seo_writer.")]


@agent_key_app.command("issue")
@over_the_api
def issue_agent_key(
    open_session: OpenSession,
    role: Role,
    name: Annotated[
        str | None, typer.Option("--name", help="For people: where the key is kept.")
    ] = None,
) -> None:
    """Issue a key for an agent and print it, this once.

    To rotate: issue another, let the agent use it, then revoke the old one.
    """
    session = open_session()
    issued = session.client.issue_agent_key(role, {} if name is None else {"name": name})
    session.screen.answer(issued, str(issued.get("key", "")))
    session.screen.chatter(
        "The key is shown this once; only its hash is stored. Revoke it with: "
        + session.command_text("agent", "key", "revoke", role, str(issued.get("key_id", "")))
    )


@agent_key_app.command("list")
@over_the_api
def list_agent_keys(open_session: OpenSession, role: Role) -> None:
    """List the keys of an agent, oldest first; never the keys themselves."""
    session = open_session()
    page = session.client.list_agent_keys(role)
    suggestion = session.command_text("agent", "key", "issue", role)
    session.screen.page(page, "key_id", _key_table, f"No keys yet: {suggestion}")


@agent_key_app.command("revoke")
@over_the_api
def revoke_agent_key(
    open_session: OpenSession,
    role: Role,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `agent key list` shows it.")],
) -> None:
    """Revoke a key of an agent; it may work for another minute."""
    session = open_session()
    answer = session.client.revoke_agent_key(role, key_id)
    session.screen.answer(answer, key_id)
    session.screen.chatter(f"Key {key_id} is revoked.")


def _key_table(keys: Sequence[Mapping[str, Any]]) -> str:
    columns = ("key_id", "created_at", "name")
    rows = (tuple(str(key.get(column) or "-") for column in columns) for key in keys)
    return table(("KEY", "CREATED", "NAME"), rows)
