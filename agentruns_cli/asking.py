"""Asking a person before something that cannot be taken back. Not here: what it is."""

import sys

import typer

from agentruns_cli.errors import UsageFault
from agentruns_cli.session import surroundings_of


def require_a_person(context: typer.Context, next_step: str) -> None:
    """UsageFault where standard input is nobody's."""
    if not surroundings_of(context).terminal.reads_from_a_person():
        raise UsageFault("Nobody to ask", "standard input is not a terminal", next_step=next_step)


def is_agreed_to(question: str) -> bool:
    """Asked on standard error, so that standard output has nothing but what was done."""
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        raise typer.Abort
    return answer.strip().lower() in ("y", "yes")
