"""The picture of the state machine is the state machine's."""

from __future__ import annotations

from local.diagram import PAGE, mermaid, render
from tests.unit.structure.project import state_machine, states


def test_the_page_is_current():
    page = PAGE.read_text()

    assert render(page, state_machine()) == page, "run: python -m local.diagram"


def test_every_state_is_drawn_once_in_the_shape_of_its_kind():
    nodes = [line.strip() for line in mermaid(state_machine()).splitlines() if ":::" in line]
    styles = {
        line.split("{")[0].split("(")[0].split("[")[0]: line.split(":::")[1] for line in nodes
    }

    kinds = {"Succeed": "success", "Fail": "failure"}
    expected = {
        name: kinds.get(each["Type"], each["Type"].lower()) for name, each in states().items()
    }
    assert len(nodes) == len(styles)
    assert expected | {"ParkRun": "park"} == styles


def test_a_caught_error_is_dashed_and_nothing_else_is():
    dashed = [line for line in mermaid(state_machine()).splitlines() if "-.->" in line]

    assert len(dashed) == sum(len(state.get("Catch", ())) for state in states().values())
    assert all('|"any error"|' in line or '|"timeout"|' in line for line in dashed)
