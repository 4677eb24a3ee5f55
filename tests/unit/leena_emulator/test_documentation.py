"""docs/leena-emulator.md names every route, AOP, fault, field and option, and no others of them."""

from __future__ import annotations

import re
from pathlib import Path

from local.emulation.faults import FaultKind
from local.leena_emulator.__main__ import _parser
from local.leena_emulator.faults import LeenaFaultKind
from local.leena_emulator.routes import ROUTES
from local.leena_emulator.scenarios import READY_AOPS

PAGE = (Path(__file__).parents[3] / "docs" / "leena-emulator.md").read_text(encoding="utf-8")


def test_routes():
    documented = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[^`]+)`", PAGE))
    assert documented == {(route.method, route.template) for route in ROUTES}


def test_ready_aops():
    section = PAGE.split("## Scenarios")[1].split("Any other `aop_id`")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert documented == {aop.aop_id for aop in READY_AOPS}


def test_fault_kinds():
    section = PAGE.split("## Faults")[1].split("## Control")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert documented == {kind.value for kind in (*FaultKind, *LeenaFaultKind)}


def test_options():
    documented = set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
    options = {name for action in _parser()._actions for name in action.option_strings}
    assert documented == options - {"-h", "--help"}
