"""The state machine lint finds broken machines and accepts expressions where numbers stand."""

from typing import Any

from local.lint_state_machine import problems

WAIT = {"Type": "Wait", "Seconds": "{% $states.input.wait_seconds %}", "Next": "Done"}
STATES: dict[str, Any] = {"Wait": WAIT, "Done": {"Type": "Succeed"}}
SOUND = {
    "QueryLanguage": "JSONata",
    "StartAt": "Wait",
    "States": STATES,
}


def test_an_expression_for_a_number_is_sound():
    assert problems(SOUND) == []


def test_a_text_for_a_number_is_a_problem():
    wait = {**WAIT, "Seconds": "ten"}
    assert problems({**SOUND, "States": {**STATES, "Wait": wait}})


def test_a_transition_to_nowhere_is_a_problem():
    wait = {**WAIT, "Next": "Nowhere"}
    found = problems({**SOUND, "States": {**STATES, "Wait": wait}})
    assert any("Nowhere" in problem for problem in found)


def test_an_unreachable_state_is_a_problem():
    states = {**STATES, "Island": {"Type": "Succeed"}}
    assert any("Island" in problem for problem in problems({**SOUND, "States": states}))
