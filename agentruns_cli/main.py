"""The `agentruns` command: its tree, and the one boundary where errors become text and exit codes.

Importing it must stay cheap (help shows in under 0.3 s): requests, boto3 and rich are imported by
the commands that need them.
"""

import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from agentruns_cli.commands.activities import (
    cancel_activity,
    list_activities,
    list_events,
    show_activity,
    start,
    watch_activity,
)
from agentruns_cli.commands.agent_health import check_agent_health
from agentruns_cli.commands.agent_keys import agent_key_app
from agentruns_cli.commands.agents import agent_app
from agentruns_cli.commands.connect_leap import connect_leap
from agentruns_cli.commands.connections import check_connection, connect_app, connection_app
from agentruns_cli.commands.inbox import approve, comment, list_inbox, reject
from agentruns_cli.commands.outputs import print_output
from agentruns_cli.commands.redrive import redrive_activities
from agentruns_cli.commands.resolve import resolve
from agentruns_cli.commands.skills import skill_app
from agentruns_cli.commands.stack import show_status, start_stack, stop_stack
from agentruns_cli.errors import CliError
from agentruns_cli.exit_codes import EXIT_CODE_OF_ERROR, ExitCode
from agentruns_cli.screen import print_error

DEBUG_VARIABLE = "AGENTRUNS_DEBUG"


class ErrorBoundary(TyperGroup):
    """Turns every error into text on standard error and an exit code, never a stack trace."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer vendors its click
        try:
            return super().invoke(ctx)
        except CliError as error:
            print_error(error)
            raise typer.Exit(EXIT_CODE_OF_ERROR[type(error)]) from error
        except (KeyboardInterrupt, typer.Abort) as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from error
        except (typer.Exit, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:  # the one boundary
            if os.environ.get(DEBUG_VARIABLE):
                raise
            print_error(_defect(error))
            raise typer.Exit(ExitCode.FAILED) from error


app = typer.Typer(
    name="agentruns",
    cls=ErrorBoundary,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(version("agentruns"))
        raise typer.Exit


@app.callback()
def agentruns(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Start agent work, follow it and bring it to an end.

    \b
    agentruns up                                        start the embedded stack, no AWS needed
    agentruns connect leena                             store credentials and check them
    agentruns start --aop vpn_access --connection leena -m "Reset my VPN" --watch

    Exit codes: 0 completed, 1 failed, 2 usage, 3 aborted or cancelled, 4 auth, 5 not found,
    6 conflict, 7 needs a person, 8 API unavailable, 124 wait timed out, 130 Ctrl-C.
    """  # noqa: D301  # \b keeps these lines apart in the help
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


app.command("up")(start_stack)
app.command("down")(stop_stack)
app.command("status")(show_status)
connect_app.command("leap")(connect_leap)
app.add_typer(connect_app, name="connect")
app.command("check")(check_connection)
app.add_typer(connection_app, name="connection")
agent_app.command("health")(check_agent_health)
agent_app.add_typer(agent_key_app, name="key")
app.add_typer(agent_app, name="agent")
app.add_typer(skill_app, name="skill")
app.command("start")(start)
app.command("watch")(watch_activity)
app.command("list")(list_activities)
app.command("show")(show_activity)
app.command("output")(print_output)
app.command("events")(list_events)
app.command("cancel")(cancel_activity)
app.command("inbox")(list_inbox)
app.command("approve")(approve)
app.command("reject")(reject)
app.command("resolve")(resolve)
app.command("comment")(comment)
app.command("redrive")(redrive_activities)


def _defect(error: Exception) -> CliError:
    return CliError(
        "This is a defect of agentruns",
        f"{type(error).__name__}: {error}",
        next_step=f"Set {DEBUG_VARIABLE}=1 to see where, and report it.",
    )
