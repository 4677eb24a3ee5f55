"""The state machine as a picture: `python -m local.diagram` writes docs/state-machine.md.

From the ASL to Mermaid, so that the picture cannot be another machine than the one that runs; a
test holds the file to it. Not a validator: tests/unit/structure is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
DEFINITION = ROOT / "statemachines" / "activity.asl.json"
PAGE = ROOT / "docs" / "state-machine.md"
BEGIN, END = "<!-- diagram: python -m local.diagram -->", "<!-- end of the diagram -->"

_SHAPES = {
    "Task": ('["{}"]', "task"),
    "Choice": ('{{"{}"}}', "choice"),
    "Wait": ('(["⏳ {}"])', "wait"),
    "Succeed": ('(["✔ {}"])', "success"),
    "Fail": ('(["✘ {}"])', "failure"),
}
_STYLES = """    classDef task fill:#dbeafe,stroke:#1d4ed8,color:#111827
    classDef park fill:#ede9fe,stroke:#6d28d9,color:#111827,stroke-width:3px
    classDef choice fill:#fef9c3,stroke:#a16207,color:#111827
    classDef wait fill:#f3f4f6,stroke:#6b7280,color:#111827
    classDef success fill:#dcfce7,stroke:#15803d,color:#111827
    classDef failure fill:#fee2e2,stroke:#b91c1c,color:#111827"""


class Target(NamedTuple):
    """Where a state may go: the other state, why, and whether an error leads there."""

    name: str
    label: str
    caught: bool = False


def targets(state: Mapping[str, Any]) -> list[Target]:
    """Every way out of a state, in the order in which they are written."""
    ways = [Target(each["Next"], _words(each["Condition"])) for each in state.get("Choices", ())]
    if "Next" in state:
        ways.append(Target(state["Next"], ""))
    if "Default" in state:
        ways.append(Target(state["Default"], "anything else"))
    for each in state.get("Catch", ()):
        ways.append(Target(each["Next"], _error_words(each["ErrorEquals"]), caught=True))
    return ways


def mermaid(definition: Mapping[str, Any]) -> str:
    """The definition as a Mermaid flowchart; errors that are caught are dashed."""
    states: Mapping[str, Mapping[str, Any]] = definition["States"]
    lines = ["flowchart TD", f"    start((start)) --> {definition['StartAt']}"]
    lines += [_node(name, state) for name, state in states.items()]
    for name, state in states.items():
        lines += [_edge(name, target) for target in targets(state)]
    return "\n".join([*lines, _STYLES])


def render(page: str, definition: Mapping[str, Any]) -> str:
    """The page with the diagram between its two marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n```mermaid\n{mermaid(definition)}\n```\n{END}{after}"


def _node(name: str, state: Mapping[str, Any]) -> str:
    shape, style = _SHAPES[state["Type"]]
    text = name
    if str(state.get("Resource", "")).endswith(".waitForTaskToken"):
        shape, style, text = '[["⏸ {}"]]', "park", f"{name}<br/>until somebody sends the next step"
    return f"    {name}{shape.format(text)}:::{style}"


def _edge(name: str, target: Target) -> str:
    label = f'|"{target.label}"|' if target.label else ""
    arrow = "-.->" if target.caught else "-->"
    return f"    {name} {arrow}{label} {target.name}"


def _words(condition: str) -> str:
    """`{% $states.input.next_step = 'start' and $states.input.wait_seconds > 0 %}` is
    `start, wait_seconds > 0`."""
    text = condition.removeprefix("{%").removesuffix("%}").replace("$states.input.", "").strip()
    return re.sub(r"\w+ = '(\w+)'", r"\1", text).replace(" and ", ", ")


def _error_words(names: list[str]) -> str:
    return ", ".join(
        "any error" if name == "States.ALL" else name.removeprefix("States.").lower()
        for name in names
    )


def main() -> int:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text(), json.loads(DEFINITION.read_text())))
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
