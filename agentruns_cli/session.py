"""What a command works with, put together from its flags. The only builder of the client."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from agentruns_cli.options import ApiUrl, AsJson, IdsOnly, Stack
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
    context: typer.Context,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
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


OpenSession = Callable[[], Session]
"""`open_session` for the flags of a command. Called first, or after its own options are checked."""


def over_the_api(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the flags of `open_session` behind its own; typer reads them off the
    signature. Its first parameter is an OpenSession."""
    shared = inspect.signature(open_session).parameters
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    own_names = [parameter.name for parameter in own]

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        flags = {name: given[name] for name in shared}
        command(
            functools.partial(open_session, **flags), **{name: given[name] for name in own_names}
        )

    context, *flags = shared.values()
    parameters = {each.name: each for each in (context, *own, *flags)}
    signature = inspect.Signature(list(parameters.values()))
    with_flags.__signature__ = signature  # type: ignore[attr-defined]  # inspect's own protocol
    with_flags.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    return with_flags
