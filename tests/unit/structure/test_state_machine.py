"""The state machine: whole, bounded, and in the same words as the code and the template.

Not here: what an execution does (tests/workflow), what statelint finds (tests/unit/local).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from jsonata import Jsonata  # type: ignore[import-untyped]  # it ships none

from agentruns import providers
from agentruns.api.schemas.fields import LONGEST_TIMEOUT_SECONDS
from agentruns.error_names import permanent_error_names
from agentruns.steps import NextStep, RunTask, Step
from local.diagram import targets
from tests.unit.structure.project import (
    STATE_MACHINE_FILE,
    expressions,
    function_properties,
    logical_id,
    nodes,
    placeholders,
    resources,
    state_machine,
    states,
)

IDS = {
    "tenant",
    "activity_id",
    "run_id",
    "generation",
    "execution_arn",
    "callback_token",
    "schedule",
    "occurrence",
}
WORDS_OF_A_FAILURE = {"error", "cause"}
VERB_NOUN = re.compile(r"[A-Z][a-z]+([A-Z][a-z]+)+")


def tasks() -> dict[str, dict[str, Any]]:
    return states("Task")


def function_of(task: str) -> str:
    """`OpenRun` runs `open_run`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", task).lower()


def conditions(state: str) -> list[str]:
    return [expressions(choice["Condition"])[0] for choice in states()[state]["Choices"]]


def test_every_state_is_reachable():
    reached: set[str] = set()
    ahead = [state_machine()["StartAt"]]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += [each.name for each in targets(states()[name])]

    assert set(states()) == reached


def test_every_transition_leads_to_a_state():
    dangling = {
        f"{name} -> {each.name}"
        for name, state in states().items()
        for each in targets(state)
        if each.name not in states()
    }

    assert dangling == set()


def test_every_state_goes_on_or_ends():
    ends = {name for name, state in states().items() if not targets(state)}

    assert ends == set(states("Succeed", "Fail"))


def test_every_state_can_end():
    """No set of states is a trap: from each of them an end can be reached."""
    ending = set(states("Succeed", "Fail"))
    grown = True
    while grown:
        more = {
            name
            for name, state in states().items()
            if any(each.name in ending for each in targets(state))
        }
        grown = not more <= ending
        ending |= more

    assert ending == set(states())


def test_it_is_jsonata_throughout():
    assert state_machine()["QueryLanguage"] == "JSONata"
    json_path = {"InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector"}
    used = {key for node in nodes(state_machine()) if isinstance(node, dict) for key in node}
    assert used & json_path == set()


def test_every_expression_can_be_parsed():
    found = expressions(state_machine())

    assert len(found) > 30
    for expression in found:
        Jsonata(expression)


def test_every_variable_is_assigned_before_it_is_read():
    """OpenRun assigns all that any state reads, so none depends on the way taken."""
    read = {
        name
        for expression in expressions(state_machine())
        for name in re.findall(r"\$(\w+)\b(?!\s*\()", expression)
    } - {"states"}

    assert read <= set(states()["OpenRun"]["Assign"])


def test_an_execution_outlives_the_longest_deadline_parked():
    a_day = 86_400

    assert state_machine()["TimeoutSeconds"] > LONGEST_TIMEOUT_SECONDS + a_day


def test_every_task_has_a_time_limit():
    assert [name for name, task in tasks().items() if not task.get("TimeoutSeconds")] == []


def test_a_task_outlives_its_function():
    short = {
        name: (task["TimeoutSeconds"], function_properties(function_of(name))["Timeout"])
        for name, task in tasks().items()
        if isinstance(task["TimeoutSeconds"], int)
        and task["TimeoutSeconds"] <= function_properties(function_of(name))["Timeout"]
    }

    assert short == {}


def test_only_a_parked_run_waits_as_long_as_its_row_says():
    dynamic = [name for name, task in tasks().items() if isinstance(task["TimeoutSeconds"], str)]

    assert dynamic == ["ParkRun"]
    assert tasks()["ParkRun"]["Resource"].endswith(".waitForTaskToken")


@pytest.mark.parametrize("task", sorted(tasks()))
def test_a_permanent_error_is_never_retried(task):
    first = tasks()[task]["Retry"][0]

    assert list(permanent_error_names()) == first["ErrorEquals"]
    assert first["MaxAttempts"] == 0
    assert set(first) == {"ErrorEquals", "MaxAttempts"}


@pytest.mark.parametrize("task", sorted(tasks()))
def test_any_other_failure_is_retried_with_full_jitter(task):
    """`States.TaskFailed` is every error but a timeout, also a killed worker (finding 6)."""
    _, second = tasks()[task]["Retry"]

    assert "States.TaskFailed" in second["ErrorEquals"]
    assert second["JitterStrategy"] == "FULL"
    assert 1 <= second["MaxAttempts"] <= 10
    assert second["BackoffRate"] > 1
    assert second["MaxDelaySeconds"] <= 60


@pytest.mark.parametrize("task", sorted(tasks()))
def test_a_timeout_is_retried_or_means_something(task):
    """Only a parked run may time out by plan: it is looked at then."""
    retried = "States.Timeout" in tasks()[task]["Retry"][1]["ErrorEquals"]
    caught = {
        name: catcher["Next"]
        for catcher in tasks()[task]["Catch"]
        for name in catcher["ErrorEquals"]
        if name == "States.Timeout"
    }

    assert (retried, caught) in [(True, {}), (False, {"States.Timeout": "CheckRun"})]


@pytest.mark.parametrize("task", sorted(tasks()))
def test_what_is_left_is_caught_and_keeps_its_words(task):
    last = tasks()[task]["Catch"][-1]

    assert last["ErrorEquals"] == ["States.ALL"]
    assert last["Next"] in {"SettleRun", "RunNotOpened", "RunNotSettled"}
    kept = last.get("Assign", last.get("Output"))
    assert set(kept) == WORDS_OF_A_FAILURE
    assert "$states.errorOutput.Error" in kept["error"]
    assert "$states.errorOutput.Cause" in kept["cause"]


def test_every_failed_end_says_error_and_cause():
    assert [n for n, state in states("Fail").items() if not {"Error", "Cause"} <= set(state)] == []


def test_tasks_are_functions_and_verb_noun():
    assert [name for name in tasks() if VERB_NOUN.fullmatch(name) is None] == []
    for name, task in tasks().items():
        assert task["Arguments"]["FunctionName"] == f"${{{name}FunctionArn}}"
        assert logical_id(function_of(name)) in resources("AWS::Serverless::Function")


def test_every_substitution_is_made_and_used():
    properties = resources("AWS::Serverless::StateMachine")["ActivityStateMachine"]["Properties"]
    substituted = properties["DefinitionSubstitutions"]

    assert placeholders(STATE_MACHINE_FILE.read_text()) == set(substituted)
    for name, value in substituted.items():
        assert value == {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]}


def test_the_state_machine_may_invoke_its_tasks_and_nothing_else():
    (policy,) = resources("AWS::Serverless::StateMachine")["ActivityStateMachine"]["Properties"][
        "Policies"
    ]
    invoke = next(each for each in policy["Statement"] if each["Sid"] == "InvokeTheWorkers")

    allowed = [each["Fn::GetAtt"][0] for each in invoke["Resource"]]
    assert allowed == [f"{name}Function" for name in tasks()]


def test_the_choices_are_the_next_steps_and_the_default_is_not_the_loop():
    named = [re.findall(r"next_step = '(\w+)'", each) for each in conditions("ChooseNextStep")]

    assert all(len(each) == 1 for each in named)
    assert {each[0] for each in named} == {step.value for step in NextStep}
    assert states()[states()["ChooseNextStep"]["Default"]]["Type"] == "Fail"


def test_every_adapter_has_its_branch_and_the_default_fails():
    adapters = {
        field.default
        for _, each in inspect.getmembers(providers, inspect.isclass)
        if each.__name__.endswith("Adapter") and is_dataclass(each)
        for field in fields(each)
        if field.name == "type"
    }

    named = {
        word
        for condition in conditions("ChooseAdapter")
        for word in re.findall(r"adapter = '(\w+)'", condition)
    }
    assert adapters - {providers.HUMAN} == named  # a person's work is opened as begun
    assert states()[states()["ChooseAdapter"]["Default"]]["Type"] == "Fail"


@pytest.mark.parametrize("task", sorted(tasks()))
def test_a_task_is_given_ids_only(task):
    payload = tasks()[task]["Arguments"]["Payload"]
    if isinstance(payload, str):
        (expression,) = expressions(payload)
        names = set(re.findall(r"'(\w+)':", expression))
        assert re.fullmatch(r"\{.*\}", expression), "an object of named fields, nothing merged"
    else:
        names = set(payload)

    may_have = IDS | (WORDS_OF_A_FAILURE if task == "SettleRun" else set())
    assert names <= may_have


@pytest.mark.parametrize("task", sorted(set(tasks()) - {"OpenRun"}))
def test_a_worker_is_given_what_it_parses(task):
    parsed = {field.name for field in fields(RunTask)}
    extra = {"ParkRun": {"callback_token"}, "SettleRun": WORDS_OF_A_FAILURE}.get(task, set())

    assert set(tasks()[task]["Arguments"]["Payload"]) == parsed | extra


def test_open_run_is_given_what_the_execution_was_started_with():
    (expression,) = expressions(tasks()["OpenRun"]["Arguments"]["Payload"])
    parsed = Jsonata(expression.replace("$states", "states"))
    execution = {"Execution": {"Id": "arn:execution"}}

    def payload(given: dict[str, Any]) -> Any:
        return parsed.evaluate({"states": {"input": given, "context": execution}})

    by_ids = {"tenant": "default", "activity_id": "act_1", "generation": 2}
    scheduled = {"tenant": "default", "schedule": "nightly", "occurrence": "11-22"}
    for given in (by_ids, scheduled):
        assert payload(given | {"body": "secret"}) == given | {"execution_arn": "arn:execution"}


def test_what_a_worker_answers_is_what_states_read():
    answered = {field.name for field in fields(Step)} - {"problem"} | WORDS_OF_A_FAILURE
    read = {
        name
        for expression in expressions(state_machine())
        for name in re.findall(r"\$states\.(?:input|result\.Payload)\.(\w+)", expression)
    }

    assert read - IDS <= answered


def test_every_state_that_needs_it_says_why():
    silent = [
        name
        for name, state in states("Task", "Wait", "Fail").items()
        if "Comment" not in state and not isinstance(state.get("Cause"), str)
    ]

    assert silent == []
