"""Input from arguments, files and standard input. Not here: prompts of a whole document
(commands/connections.py)."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from agentruns.errors import NotFound
from agentruns.ids import activity_id_of as activity_id_of_run
from agentruns.ids import activity_id_of_wait
from agentruns.wait_errors import ApprovalNotFound
from agentruns_cli.durations import parse_duration_seconds
from agentruns_cli.errors import UsageFault
from agentruns_cli.views import JsonObject, parse_moment

_CONTEXT_FORMS = "write key=value, key:=JSON, @file.json, or @- for standard input"


def parse_context(arguments: Iterable[str]) -> JsonObject:
    """The context that repeated `-c` build; a later one wins. UsageFault names the argument."""
    context: JsonObject = {}
    for argument in arguments:
        context.update(_parse_context_argument(argument))
    return context


def read_json_object_from_stdin(what: str) -> JsonObject:
    """The JSON object on standard input. No error quotes the text: it may hold secrets."""
    return _json_object(sys.stdin.read(), what)


def parse_duration_option(option: str, text: str | None) -> int | None:
    """Seconds in the value of `option`, or None where it was not given."""
    if text is None:
        return None
    try:
        return parse_duration_seconds(text)
    except ValueError as error:
        raise UsageFault(f"{option} is not usable", str(error)) from error


def parse_moment_option(option: str, text: str | None) -> str | None:
    """The moment in the value of `option` as the API reads it; without an offset it is UTC."""
    if text is None:
        return None
    moment = parse_moment(text)
    if moment is None:
        detail = f"{text!r} is not a time: write 2026-11-22T02:00Z or 2026-11-22"
        raise UsageFault(f"{option} is not usable", detail)
    return moment.isoformat()


def parse_detection_option(option: str, text: str | None) -> JsonObject | None:
    """`25%` of a run's age, or a longest delay as a duration; None where it was not given."""
    if text is None or not text.endswith("%"):
        seconds = parse_duration_option(option, text)
        return None if seconds is None else {"max_delay_seconds": seconds}
    try:
        percent = float(text.removesuffix("%"))
    except ValueError as error:
        raise UsageFault(f"{option} is not usable", f"{text!r} is not like 25% or 30s") from error
    return {"relative_delay": percent / 100}


def require_header_text(option: str, text: str | None) -> None:
    """UsageFault where the value of `option` cannot travel in an HTTP header."""
    if text is not None and not (
        text.isascii() and text.isprintable() and text.strip() == text != ""
    ):
        raise UsageFault(
            f"{option} is not usable", "give printable ASCII, without blanks around it"
        )


def activity_id_of(identifier: str) -> str:
    """The activity of an activity id, or of the id of one of its runs or waits."""
    kind = identifier.partition("_")[0]
    try:
        if kind == "run":
            return activity_id_of_run(identifier)
        if kind == "wait":
            return activity_id_of_wait(identifier, ApprovalNotFound)
    except NotFound as error:
        detail = f"{kind} ids look like {kind}_<26 letters and digits>_<number>"
        raise UsageFault(f"{identifier!r} is not a {kind} id", detail) from error
    return identifier


def _parse_context_argument(argument: str) -> JsonObject:
    if argument == "@-":
        return read_json_object_from_stdin("-c @-")
    if argument.startswith("@"):
        return _json_object(file_text(argument[1:], f"-c @{argument[1:]}"), f"-c {argument}")
    key, separator, value = argument.partition("=")
    is_json = key.endswith(":")
    key = key.removesuffix(":")
    if not separator or not key:
        raise UsageFault(f"-c {argument!r} is not a context entry", _CONTEXT_FORMS)
    return {key: _json_value(value, argument) if is_json else value}


def file_text(name: str, argument: str) -> str:
    """UsageFault names the argument that named the file."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageFault(f"{argument} cannot be read", reason) from error


def _json_value(text: str, argument: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageFault(f"-c {argument!r} is not JSON after :=", str(error)) from error


def _json_object(text: str, what: str) -> JsonObject:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageFault(f"{what} is not JSON", str(error)) from error
    if not isinstance(value, dict):
        raise UsageFault(f"{what} is not a JSON object", f"it is of type {type(value).__name__}")
    return value


def adapter_document(connection: str, *, aop: str | None, workflow: str | None) -> JsonObject:
    """What does the work, over which connection. UsageFault unless it is one of the two."""
    if (aop is None) is (workflow is None):
        raise UsageFault("What does the work?", "give --aop or --workflow; exactly one")
    if workflow is not None:
        return {"type": "leap_workflow", "connection": connection, "workflow_id": workflow}
    return {"type": "leena_aop", "connection": connection, "aop_id": aop}


def agent_adapter_document(
    connection: str | None, *, aop: str | None, workflow: str | None, url: str | None
) -> JsonObject:
    """The same of an agent, which may be one's own. UsageFault unless it is one of the three."""
    if url is not None:
        if (connection, aop, workflow) != (None, None, None):
            raise UsageFault(
                "What does the work?", "--url goes without --connection, --aop and --workflow"
            )
        return {"type": "webhook", "url": url}
    if connection is None:
        raise UsageFault(
            "What does the work?", "give --connection with --aop or --workflow, or --url"
        )
    return adapter_document(connection, aop=aop, workflow=workflow)


def auth_document(header: str | None) -> JsonObject | None:
    """A header and its value, which is never an argument: prompted for, or a line piped in."""
    if header is None:
        return None
    if sys.stdin.isatty():
        value = str(typer.prompt(f"Value of {header}", hide_input=True, err=True))
    else:
        value = sys.stdin.readline().rstrip("\n")
    return {"header": header, "value": value}
