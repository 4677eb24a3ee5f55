"""Options that mean the same on every command."""

from typing import Annotated

import typer

ApiUrl = Annotated[
    str | None,
    typer.Option(
        "--api-url",
        metavar="URL",
        help="Operator API to use; the key comes from AGENTRUNS_OPERATOR_KEY.",
    ),
]
Stack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="Deployed stack to use; its outputs name the API and the key.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the API's object as JSON (one object a line while watching)."
    ),
]
IdsOnly = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")]
WaitTimeout = Annotated[
    str | None,
    typer.Option(
        "--wait-timeout",
        metavar="DURATION",
        help="Stop waiting after this long (90, 15m, 2h): exit code 124, or 7 for a person.",
    ),
]
Interval = Annotated[
    float,
    typer.Option(
        "--interval", min=0.2, max=60.0, metavar="SECONDS", help="Shortest time between two looks."
    ),
]
Message = Annotated[str | None, typer.Option("--message", "-m", metavar="TEXT", help="What to do.")]
ContextEntries = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        "-c",
        metavar="ENTRY",
        help="key=value, key:=JSON, @file.json or @- (stdin); repeatable, later ones win.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        help="The same key never starts twice. Default: a new one.",
    ),
]
