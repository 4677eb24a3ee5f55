"""`connect leena`, `check` and `connection`: credentials for a provider, whether they work, and
how much may be done with them.

Secrets are asked for without echo, or read from standard input; no flag takes one, and none is ever
printed.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from agentruns.adapters.leena_regions import REGION_URLS
from agentruns_cli.describe import check_lines, connection_table, limit_lines
from agentruns_cli.errors import UsageFault
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.inputs import read_json_object_from_stdin
from agentruns_cli.session import OpenSession, Session, over_the_api
from agentruns_cli.surroundings import Surroundings
from agentruns_cli.views import JsonObject, parse_checks

connect_app = typer.Typer(
    no_args_is_help=True, help="Store credentials for a provider and check them."
)
connection_app = typer.Typer(no_args_is_help=True, help="List, limit or delete stored connections.")

ConnectionName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the connection.")]


@connect_app.callback()
def connect() -> None:
    """Store credentials for a provider and check them."""


@connect_app.command("leena")
@over_the_api
def connect_leena(
    open_session: OpenSession,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the connection.")] = "leena",
    region: Annotated[
        str | None,
        typer.Option("--region", help=f"One of {', '.join(REGION_URLS)}; asked for if absent."),
    ] = None,
    auth_url: Annotated[
        str | None,
        typer.Option("--auth-url", help="Address of the token API instead of the region's."),
    ] = None,
    aic_url: Annotated[
        str | None,
        typer.Option("--aic-url", help="Address of the AOP API instead of the region's."),
    ] = None,
    from_stdin: Annotated[
        bool,
        typer.Option(
            "--from-stdin",
            help="Read one JSON object: region, client_id, client_secret, username, password and, "
            "where wanted, base_urls {auth, api}.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Mint a token afterwards.")
    ] = True,
) -> None:
    """Store Leena credentials under NAME and check that they mint a token.

    Asks for the client id and secret, the user name and password, and the region. Secrets are never
    flags; for automation pipe a JSON object in: agentruns connect leena --from-stdin <
    credentials.json
    """
    session = open_session()
    document = (
        read_json_object_from_stdin("the document on standard input")
        if from_stdin
        else _ask_for_credentials(session.surroundings, region)
    )
    document = _connection_document(document, region=region, auth_url=auth_url, aic_url=aic_url)
    stored = session.client.put_connection(name, document)
    session.screen.chatter(f"Connection {name} is stored.")
    if check:
        check_and_print(session, name)
    else:
        session.screen.answer(stored, name)


@over_the_api
def check_connection(open_session: OpenSession, name: ConnectionName) -> None:
    """Check that a connection's credentials mint a token; exit code 1 if not."""
    session = open_session()
    check_and_print(session, name)


@connection_app.command("list")
@over_the_api
def list_connections(open_session: OpenSession) -> None:
    """List the stored connections, without their secrets."""
    session = open_session()
    page = session.client.list_connections()
    suggestion = session.command_text("connect", "leena")
    session.screen.page(page, "name", connection_table, f"No connections yet: {suggestion}")


@connection_app.command("limit")
@over_the_api
def limit_connection(
    open_session: OpenSession,
    name: ConnectionName,
    max_concurrent_runs: Annotated[
        str | None,
        typer.Option(
            "--max-concurrent-runs",
            metavar="N|none",
            help="So many activities under way at once; the others wait, `queued`.",
        ),
    ] = None,
    requests_per_minute: Annotated[
        str | None,
        typer.Option(
            "--requests-per-minute",
            metavar="N|none",
            help="So many starts and looks sent in any 60 s; what is more waits.",
        ),
    ] = None,
) -> None:
    """Set what may be done over a connection at most; without an option, show it."""
    session = open_session()
    wanted = {
        "max_concurrent_runs": _limit("--max-concurrent-runs", max_concurrent_runs),
        "requests_per_minute": _limit("--requests-per-minute", requests_per_minute),
    }
    connection = session.client.get_connection(name)
    given = {limit: value for limit, (is_given, value) in wanted.items() if is_given}
    if given:
        limits = {**(connection.get("limits") or {}), **given}
        connection = session.client.put_connection_limits(name, limits)
    session.screen.answer(connection, name, limit_lines(connection))


@connection_app.command("delete")
@over_the_api
def delete_connection(open_session: OpenSession, name: ConnectionName) -> None:
    """Delete a connection and its secret."""
    session = open_session()
    answer = session.client.delete_connection(name)
    session.screen.answer(answer, name)
    session.screen.chatter(f"Connection {name} is deleted.")


def _limit(option: str, text: str | None) -> tuple[bool, int | None]:
    """Whether the option was given, and its value; `none` lifts the limit. Its range is the
    API's."""
    if text is None or text.lower() == "none":
        return text is not None, None
    if not text.isdecimal():
        raise UsageFault("Not a limit", f"{option} {text!r} is neither a whole number nor none")
    return True, int(text)


def check_and_print(session: Session, name: str) -> None:
    """Check the connection and print the result; leaves with exit code 1 if a check failed."""
    answer = session.client.check_connection(name)
    is_ok = answer.get("ok") is True
    session.screen.answer(answer, name, check_lines(parse_checks(answer)))
    if not is_ok:
        session.screen.chatter(
            f"Connection {name} does not work yet. Correct it with: "
            + session.command_text("connect", "leena", name)
        )
        raise typer.Exit(ExitCode.FAILED)


def _ask_for_credentials(surroundings: Surroundings, region: str | None) -> JsonObject:
    require_a_person(surroundings)
    return {
        "client_id": _ask("Client id"),
        "client_secret": _ask("Client secret", hidden=True),
        "username": _ask("User name"),
        "password": _ask("Password", hidden=True),
        "region": region or _ask(f"Region ({', '.join(REGION_URLS)})"),
    }


def require_a_person(surroundings: Surroundings) -> None:
    """UsageFault where nobody is there to type a secret."""
    if not surroundings.terminal.reads_from_a_person():
        raise UsageFault(
            "Nobody to ask",
            "standard input is not a terminal",
            next_step="Pipe a JSON object in and add --from-stdin.",
        )


def _ask(label: str, *, hidden: bool = False) -> str:
    return str(typer.prompt(label, hide_input=hidden, err=True))


def _connection_document(
    credentials: Mapping[str, Any], *, region: str | None, auth_url: str | None, aic_url: str | None
) -> JsonObject:
    """The body of PUT /v1/connections/{name}; flags win. Validation is the API's."""
    document = {"provider": "leena", **credentials}
    if document["provider"] != "leena":
        raise UsageFault("Not Leena credentials", "the document names another provider")
    if region:
        document["region"] = region
    flagged_urls = {key: url for key, url in (("auth", auth_url), ("api", aic_url)) if url}
    if flagged_urls:
        urls = document.get("base_urls")
        document["base_urls"] = {**(urls if isinstance(urls, dict) else {}), **flagged_urls}
    return document
