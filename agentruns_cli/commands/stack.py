"""`up`, `down`, `status`: the embedded stack of a checkout. The package `local` does the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from agentruns_cli.describe import field_lines
from agentruns_cli.errors import ApiUnavailable, LauncherFailed, Problem, UsageFault
from agentruns_cli.options import AsJson, IdsOnly
from agentruns_cli.screen import Screen

if TYPE_CHECKING:
    from types import ModuleType

    from local.stack_files import StackInfo


def start_stack(as_json: AsJson = False, ids_only: IdsOnly = False) -> None:
    """Start the embedded stack, or bring it up to date. Needs no AWS account and no Docker.

    Prints where it is; --quiet prints the API's address alone, --json what .local/stack.json holds,
    with the operator key.
    """
    screen = Screen(as_json=as_json, ids_only=ids_only)
    with _launcher() as launcher:
        stack = launcher.start(quiet=not screen.is_for_people)
    _print_stack(screen, stack)
    screen.chatter(
        "Next, with the emulators' made-up credentials (demo-client, demo-secret, demo-user, "
        "demo-password; the API key demo-key):\n"
        "  agentruns connect leena --region us-east-1 "
        f"--auth-url {stack.leena_emulator_url} --aic-url {stack.leena_emulator_url}\n"
        f"  agentruns connect leap --base-url {stack.leap_emulator_url}"
    )


def stop_stack(as_json: AsJson = False, ids_only: IdsOnly = False) -> None:
    """Stop the embedded stack and forget what it held. Nothing happens if it is down."""
    screen = Screen(as_json=as_json, ids_only=ids_only)
    with _launcher() as launcher:
        launcher.stop(quiet=not screen.is_for_people)
    if as_json:
        screen.document({"up": False})
    screen.chatter("The embedded stack is down.")


def show_status(as_json: AsJson = False, ids_only: IdsOnly = False) -> None:
    """Show where the embedded stack is; exit code 8 if it is down.

    --json prints what .local/stack.json holds, with the operator key.
    """
    screen = Screen(as_json=as_json, ids_only=ids_only)
    with _launcher() as launcher:
        stack = launcher.read()
    if stack is None:
        problem = Problem(title="The embedded stack is down")
        raise ApiUnavailable(problem, next_step="Start it: agentruns up")
    _print_stack(screen, stack)


def _print_stack(screen: Screen, stack: "StackInfo") -> None:
    lines = field_lines(
        (
            ("API", f"{stack.api_url}/v1"),
            ("AWS endpoint", stack.endpoint_url),
            ("Leena emulator", stack.leena_emulator_url),
            ("Leap emulator", stack.leap_emulator_url),
            ("state machine", stack.state_machine_arn),
            ("table", stack.table_name),
            ("event bus", stack.event_bus),
        )
    )
    text = "\n".join((f"{stack.stack_name} is up", *lines))
    screen.answer(asdict(stack), stack.api_url, text)


@contextmanager
def _launcher() -> Iterator["ModuleType"]:
    """The launcher of this checkout; what goes wrong in it becomes a LauncherFailed."""
    try:
        from local import stack as launcher
    except ImportError as error:
        raise _no_checkout(str(error)) from error
    if not (launcher.CHECKOUT / "template.yaml").is_file():
        raise _no_checkout(f"{launcher.CHECKOUT} has no template.yaml")
    try:
        yield launcher
    except launcher.StackFailed as error:
        raise LauncherFailed(
            "The embedded stack failed", str(error), next_step="After that: agentruns up"
        ) from error
    except OSError as error:
        raise LauncherFailed(
            "The embedded stack cannot be handled",
            str(error),
            next_step="`make up` first makes the environments that it needs.",
        ) from error


def _no_checkout(detail: str) -> UsageFault:
    return UsageFault(
        "The embedded stack needs a checkout of the repository",
        detail,
        next_step="Clone it and run `make up` there. A deployed stack needs none: --stack NAME.",
    )
