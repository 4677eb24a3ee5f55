"""What a cold function has loaded once it is built: the part of its cold start that we decide.

Counted, not timed, so that it holds on any machine; `make bench` has the times. That nothing heavy
comes in by an import of our own is the structure tests' business (test_imports).
"""

from __future__ import annotations

import sys

import pytest

from tests.unit.structure.project import API_FUNCTIONS, FUNCTION_NAMES, modules_after_import

CALLS_AT_ONCE = {
    *("mint_token", "execute_aop", "start_leap_workflow", "check_run", "sweep", "hooks_api"),
}
"""A provider: most do it in every invocation."""
CORE = {
    "agentruns",
    "aws_lambda_powertools",
    "botocore",
    "certifi",
    "dateutil",
    "jmespath",
    "six",
    "typing_extensions",
    "urllib3",
}
HTTP = {"charset_normalizer", "idna", "requests"}
VALIDATION = {"annotated_types", "pydantic", "pydantic_core", "typing_inspection"}
SETTINGS = {
    "TABLE_NAME": "table",
    "EVENT_BUS_NAME": "bus",
    "SECRET_PREFIX": "agentruns/stack",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:activity",
    "OPERATOR_KEY_SECRET_ARN": "arn",
    "EVENT_TENANT": "default",
    "HOOK_SECRET_ARN": "arn",
    "HOOK_BASE_URL": "https://hooks.example/hooks",
    "ALLOW_PRIVATE_NETWORKS": "false",
    "POLL_FLOOR_SECONDS": "5",
    "POLL_CAP_SECONDS": "60",
    "PAUSED_POLL_FLOOR_SECONDS": "60",
    "PAUSED_POLL_CAP_SECONDS": "900",
}


def loaded_when_built(function: str) -> set[str]:
    return modules_after_import(
        f"import os; os.environ.update({SETTINGS!r}); "
        "from agentruns import telemetry, wiring; "
        f"wiring.{function}(); telemetry.begin_invocation(None)"
    )


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_built_function_has_loaded_the_third_party_packages_it_needs_and_no_other(function):
    expected = set(CORE)
    if function in CALLS_AT_ONCE:
        expected |= HTTP
    if function in API_FUNCTIONS and function != "hooks_api":
        expected |= VALIDATION

    assert expected == third_party(loaded_when_built(function))


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_built_function_has_loaded_a_router_or_models_only_where_it_answers_requests(function):
    loaded = loaded_when_built(function)

    assert ("aws_lambda_powertools.event_handler" in loaded) is (function == "operator_api")
    assert any(name.startswith("agentruns.api.") for name in loaded) is (function in API_FUNCTIONS)


def third_party(loaded: set[str]) -> set[str]:
    """Top-level packages that neither Python nor a compiled module's inside brought."""
    tops = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    return {
        name
        for name in tops
        if not name.startswith("_") and not name.endswith("mypyc") and name != "cython_runtime"
    }
