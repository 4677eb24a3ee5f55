"""The tree: short files, telling names, nothing unfinished, nothing of one machine."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests.unit.structure.project import FUNCTION_NAMES, FUNCTIONS, ROOT, modules, tracked_files

MAX_HANDLER_LINES = 30
MAX_FILE_LINES = 400
VAGUE_NAMES = {
    "common",
    "constants",
    "core",
    "data",
    "helper",
    "helpers",
    "info",
    "lib",
    "manager",
    "misc",
    "shared",
    "util",
    "utils",
}
LOCKS = (
    "requirements.txt",
    "dev.txt",
    "ministack.txt",
    "sam.txt",
    "uv.txt",
    "microburst.txt",
    "leap.txt",
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
OF_THIS_MACHINE = re.compile(r"/(?:home|root|Users|work)/[\w.]|[A-Z]:\\\\Users")
REGISTRY = re.compile(r"\b(pypi|pythonhosted|npmjs)\.(org|dev|com)\b|--(extra-)?index-url")
THIS_FILE = Path(__file__).relative_to(ROOT).as_posix()
COMMANDS_OF_UV = ("requirements/compile.sh",)  # it says --no-emit-index-url
SKIPPED = re.compile(r"pytest\.mark\.(skip|xfail)|pytest\.skip\(|unittest\.skip")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_files() -> dict[str, str]:
    found = {}
    for path in tracked_files():
        try:
            found[relative(path)] = path.read_text()
        except UnicodeDecodeError:
            continue
    return found


def python_files() -> dict[str, str]:
    return {name: text for name, text in text_files().items() if name.endswith(".py")}


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_handler_is_short_and_says_its_contract(function):
    text = (FUNCTIONS / function / "app.py").read_text()
    tree = ast.parse(text)

    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= MAX_HANDLER_LINES
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [each.name for each in functions] == ["lambda_handler"]
    assert [each.arg for each in functions[0].args.args] == ["event", "context"]


def test_every_handler_binds_its_ids_first():
    for function in FUNCTION_NAMES:
        text = (FUNCTIONS / function / "app.py").read_text()
        assert text.index("telemetry.begin_invocation(") < text.index("wiring."), function


def test_no_file_of_the_product_is_long():
    long = {
        name: len(text.splitlines())
        for name, text in python_files().items()
        if not name.startswith("tests/") and len(text.splitlines()) > MAX_FILE_LINES
    }

    assert long == {}


def test_names_tell_what_is_inside():
    vague = {
        name
        for name in python_files()
        if not name.startswith("tests/")
        for part in Path(name).with_suffix("").parts
        if part in VAGUE_NAMES
    }

    assert vague == set()


def test_every_module_says_what_it_is():
    silent = [
        name
        for name, path in modules().items()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_nothing_is_unfinished():
    unfinished = {name for name, text in text_files().items() if UNFINISHED.search(text)}

    assert unfinished <= {THIS_FILE}


def test_no_test_is_skipped():
    skipping = {name for name, text in python_files().items() if SKIPPED.search(text)}

    assert skipping <= {THIS_FILE}


def test_nothing_names_this_machine_or_a_package_registry():
    named = {
        (name, found[0])
        for name, text in text_files().items()
        for pattern in (OF_THIS_MACHINE, REGISTRY)
        for found in [pattern.search(text)]
        if found and name not in {THIS_FILE, *COMMANDS_OF_UV}
    }

    assert named == set()


def test_locks_are_hashed():
    locks = [path for path in tracked_files() if path.name in LOCKS]

    assert len(locks) >= 7
    for path in locks:
        pins = re.findall(r"^[\w.\[\]-]+==", path.read_text(), re.MULTILINE)
        assert pins, path
        assert path.read_text().count("--hash=sha256:") >= len(pins), path


def test_the_lock_of_node_is_hashed_and_names_no_registry():
    lock = json.loads((ROOT / "requirements" / "leap_clients" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_no_handler_or_use_case_prints():
    printing = [
        name
        for name, path in modules().items()
        if any(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]

    assert printing == []


def test_logs_are_events_with_keys():
    """The message is a snake_case word; what varies is in `extra`."""
    wrong = []
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if ast.unparse(node.func.value) not in {"logger", "_logger"}:
                continue
            message = node.args[0] if node.args else None
            is_word = isinstance(message, ast.Constant) and re.fullmatch(
                r"[a-z]+(_[a-z]+)*", str(message.value)
            )
            if not is_word:
                wrong.append(f"{name}:{node.lineno}")

    assert wrong == []


def test_a_blind_except_says_why():
    silent = [
        f"{name}:{number}"
        for name, path in modules().items()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"except (Base)?Exception\b", line) and "#" not in line
    ]

    assert silent == []
