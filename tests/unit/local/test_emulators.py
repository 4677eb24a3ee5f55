"""The emulators stand alone, and what they share knows no provider."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[3] / "local"


def imported_by(folder: str) -> set[str]:
    """The first two parts of every module that the folder's files import."""
    names = set()
    for path in (LOCAL / folder).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {".".join(name.split(".")[:2]) for name in names}


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("emulation", {"local.emulation"}),
        ("leena_emulator", {"local.emulation", "local.leena_emulator"}),
        ("leap_emulator", {"local.emulation", "local.leap_emulator"}),
    ],
)
def test_an_emulator_stands_alone(folder, allowed):
    own = {name for name in imported_by(folder) if name.split(".")[0] in ("local", "agentruns")}

    assert own <= allowed
