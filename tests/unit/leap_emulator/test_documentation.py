"""docs/leap-emulator.md names every route, workflow, fault, setting and option, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from local.emulation.faults import FaultKind
from local.leap_emulator.__main__ import _parser
from local.leap_emulator.dialects import Dialect
from local.leap_emulator.faults import WebhookFaultKind
from local.leap_emulator.routes import ROUTES
from local.leap_emulator.settings import EmulatorSettings
from local.leap_emulator.workflows import READY_WORKFLOWS

PAGE = (Path(__file__).parents[3] / "docs" / "leap-emulator.md").read_text(encoding="utf-8")


def first_cells(section: str) -> set[str]:
    """What stands in backquotes in the first column of the section's tables."""
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_routes():
    documented = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[^`]+)`", PAGE))
    assert documented == {(route.method, route.template) for route in ROUTES}


def test_dialects():
    assert first_cells(section("The three dialects")) == set(Dialect)


def test_ready_workflows():
    documented = first_cells(section("Scenarios"))
    assert documented == {workflow.workflow_id for workflow in READY_WORKFLOWS}


def test_fault_kinds():
    assert first_cells(section("Faults of webhooks")) == set(WebhookFaultKind)
    assert first_cells(section("Faults of answers")) == set(FaultKind)


def test_settings():
    documented = first_cells(section("Where the sources are silent"))
    assert documented == {"api_key", *EmulatorSettings().as_document()}


def test_options():
    documented = set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
    options = {name for action in _parser()._actions for name in action.option_strings}
    assert documented == options - {"-h", "--help"}
