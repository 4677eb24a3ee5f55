"""`connect leap`: the API key of Leap Workflows, and whether it works.

The key is asked for without echo, or read from standard input; no flag takes it, and it is never
printed.
"""

from typing import Annotated

import typer

from agentruns_cli.commands.connections import check_and_print, require_a_person
from agentruns_cli.errors import UsageFault
from agentruns_cli.inputs import read_json_object_from_stdin
from agentruns_cli.session import OpenSession, over_the_api


@over_the_api
def connect_leap(
    open_session: OpenSession,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the connection.")] = "leap",
    dialect: Annotated[
        str | None,
        typer.Option(
            "--dialect", help="workflows (POST /v1/workflows) or runs (POST /v1/runs, and reads)."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Address of the API instead of Leap's.")
    ] = None,
    from_stdin: Annotated[
        bool,
        typer.Option(
            "--from-stdin",
            help="Read one JSON object: api_key and, where wanted, dialect and base_url.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Try the key afterwards, where that is free.")
    ] = True,
) -> None:
    """Store an API key of Leap Workflows under NAME and check what can be checked.

    Asks for the key. It is never a flag; for automation pipe a JSON object in: agentruns connect
    leap --from-stdin < credentials.json
    """
    session = open_session()
    if from_stdin:
        given = read_json_object_from_stdin("the document on standard input")
    else:
        require_a_person(session.surroundings)
        given = {"api_key": str(typer.prompt("API key", hide_input=True, err=True))}
    document = {"provider": "leap", **given}
    if document["provider"] != "leap":
        raise UsageFault("Not a key of Leap", "the document names another provider")
    flags = {"dialect": dialect, "base_url": base_url}
    document.update({key: value for key, value in flags.items() if value is not None})
    stored = session.client.put_connection(name, document)
    session.screen.chatter(f"Connection {name} is stored.")
    if check:
        check_and_print(session, name)
    else:
        session.screen.answer(stored, name)
