"""The checkout as structure tests read it: the template, the state machine, modules and files.

Reads files only. Not here: what must be true of them.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
LAYER = ROOT / "layers" / "agentruns"
PACKAGE = LAYER / "agentruns"
FUNCTIONS = ROOT / "functions"
EVENTS = ROOT / "events"
STATE_MACHINE_FILE = ROOT / "statemachines" / "activity.asl.json"
TEMPLATE_FILE = ROOT / "template.yaml"

FUNCTION_NAMES = tuple(sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py")))
API_FUNCTIONS = ("accept_event", "agent_api", "hooks_api", "operator_api")
WORKERS = tuple(name for name in FUNCTION_NAMES if name not in API_FUNCTIONS)


BUILD_SETTINGS = {
    "TABLE_NAME": "table",
    "EVENT_BUS_NAME": "bus",
    "SECRET_PREFIX": "agentruns/stack",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:activity",
    "OPERATOR_KEY_SECRET_ARN": "arn",
    "OUTPUT_BUCKET_NAME": "bucket",
    "EVENT_TENANT": "default",
    "HOOK_SECRET_ARN": "arn",
    "TASK_TOKEN_SECRET_ARN": "arn",
    "AGENT_API_URL": "https://api.example/agent/v1",
    "HOOK_BASE_URL": "https://hooks.example/hooks",
    "ALLOW_PRIVATE_NETWORKS": "false",
    "ALLOWED_PORTS": "443",
    "POLL_FLOOR_SECONDS": "5",
    "POLL_CAP_SECONDS": "60",
    "PAUSED_POLL_FLOOR_SECONDS": "60",
    "PAUSED_POLL_CAP_SECONDS": "900",
}
"""What the use case of any function can be built with."""


class _TemplateLoader(yaml.SafeLoader):
    """Knows CloudFormation's short tags: `!Ref X` is read as `{"Ref": "X"}`."""


def _read_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt":
        value = str(value).split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _read_tag)


@functools.cache
def template_text() -> str:
    return TEMPLATE_FILE.read_text()


@functools.cache
def template() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(template_text(), Loader=_TemplateLoader)
    return document


def resources(*types: str) -> dict[str, dict[str, Any]]:
    """Resources of these types by logical id, in the template's order; all without types."""
    found: dict[str, dict[str, Any]] = template()["Resources"]
    return {name: each for name, each in found.items() if not types or each["Type"] in types}


def logical_id(function: str) -> str:
    """`open_run` is `OpenRunFunction`."""
    return "".join(part.title() for part in function.split("_")) + "Function"


def function_resource(function: str) -> dict[str, Any]:
    resource: dict[str, Any] = template()["Resources"][logical_id(function)]
    return resource


def function_properties(function: str) -> dict[str, Any]:
    properties: dict[str, Any] = function_resource(function)["Properties"]
    return properties


def nodes(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    yield value
    if isinstance(value, Mapping):
        for each in value.values():
            yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def references(value: Any) -> set[str]:
    """Every name that Ref, GetAtt and Sub in this value refer to; pseudo parameters too."""
    found: set[str] = set()
    for node in nodes(value):
        if not isinstance(node, Mapping):
            continue
        if isinstance(node.get("Ref"), str):
            found.add(node["Ref"])
        if isinstance(node.get("Fn::GetAtt"), list):
            found.add(node["Fn::GetAtt"][0])
        if isinstance(node.get("Fn::Sub"), str):
            found |= {name.split(".")[0] for name in placeholders(node["Fn::Sub"])}
    return found


def placeholders(text: str) -> set[str]:
    """The X of every `${X}`."""
    return {part.split("}", 1)[0] for part in text.split("${")[1:] if "}" in part}


@functools.cache
def state_machine() -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(STATE_MACHINE_FILE.read_text())
    return definition


def states(*types: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = state_machine()["States"]
    return {name: each for name, each in found.items() if not types or each["Type"] in types}


def expressions(value: Any) -> list[str]:
    """Every JSONata expression in it, without its braces."""
    return [
        node.removeprefix("{%").removesuffix("%}").strip()
        for node in nodes(value)
        if isinstance(node, str) and node.startswith("{%")
    ]


def handler(function: str) -> ModuleType:
    """`functions/<function>/app.py`, freshly imported as Lambda would."""
    name = f"handler_of_{function}"
    spec = importlib.util.spec_from_file_location(name, FUNCTIONS / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the first-party package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(LAYER).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def imports(path: Path) -> set[str]:
    """The modules a file imports, anywhere in it, under TYPE_CHECKING too; `from a import b` is
    `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """What git tracks or would, so that build output is left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def modules_after_import(statement: str) -> set[str]:
    """The modules a fresh interpreter has after the statement, with the layers on its path."""
    (found,) = _modules_after(statement)
    return found


@functools.cache
def modules_of_worker(function: str) -> tuple[set[str], set[str]]:
    """Those of a fresh interpreter that has imported the function's handler as Lambda does, and
    those it has once the use case is built too and an invocation has begun."""
    path = str(FUNCTIONS / function / "app.py")
    imported, built = _modules_after(
        f"import importlib.util as i; s = i.spec_from_file_location('app', {path!r}); "
        "m = i.module_from_spec(s); s.loader.exec_module(m)",
        f"import os; os.environ.update({BUILD_SETTINGS!r}); "
        "from agentruns import telemetry, wiring; "
        f"wiring.{function}(); telemetry.begin_invocation(None)",
    )
    return imported, built


def _modules_after(*statements: str) -> list[set[str]]:
    """After each of them, in one interpreter: one line of its output each."""
    program = f"import sys; sys.path[:0] = {[str(LAYER)]!r}"
    for statement in statements:
        program += f"; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"AWS_EC2_METADATA_DISABLED": "true", "POWERTOOLS_METRICS_DISABLED": "true"},
    )
    return [set(line.split()) for line in done.stdout.splitlines()]
