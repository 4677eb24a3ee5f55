"""What a command works with, put together from its flags. The only builder of the client."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from agentruns_cli.screen import Screen
from agentruns_cli.surroundings import Surroundings

if TYPE_CHECKING:
    from agentruns_cli.client import ApiClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's surroundings, output and API.

    `target_flags` repeats how the user named the API, for commands that are suggested to them.
    """

    surroundings: Surroundings
    screen: Screen
    client: "ApiClient"
    target_flags: str

    def command_text(self, *words: str) -> str:
        """An `agentruns` command line that reaches the same API."""
        return " ".join(("agentruns", *words)) + self.target_flags


def surroundings_of(context: typer.Context) -> Surroundings:
    """The process as main.py, or a test, describes it."""
    found = context.find_object(Surroundings)
    return found if found is not None else Surroundings()


def open_session(
    context: typer.Context, *, api_url: str | None, stack: str | None, as_json: bool, ids_only: bool
) -> Session:
    """A session for these flags. Raises what resolve_target raises."""
    from agentruns_cli.client import ApiClient
    from agentruns_cli.target import resolve_target

    surroundings = surroundings_of(context)
    target = resolve_target(surroundings, api_url=api_url, stack=stack)
    flags = f" --stack {stack}" if stack else f" --api-url {api_url}" if api_url else ""
    return Session(
        surroundings=surroundings,
        screen=Screen(as_json=as_json, ids_only=ids_only),
        client=ApiClient(target, surroundings.clock),
        target_flags=flags,
    )
