"""What a cold function has loaded once it is built: the part of its cold start that we decide.

Counted, not timed, so that it holds on any machine; `make bench` has the times. That nothing heavy
comes in by an import of our own is the structure tests' business (test_imports).
"""

from __future__ import annotations

import sys

import pytest

from tests.unit.structure.project import API_FUNCTIONS, FUNCTION_NAMES, modules_of_worker

CALLS_AT_ONCE = {
    *("mint_token", "execute_aop", "start_leap_workflow", "dispatch_agent", "check_run"),
    *("sweep", "hooks_api"),
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


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_built_function_has_loaded_what_it_needs_and_no_other(function):
    _, built = modules_of_worker(function)
    expected = set(CORE)
    if function in CALLS_AT_ONCE:
        expected |= HTTP
    if function in API_FUNCTIONS and function != "hooks_api":
        expected |= VALIDATION

    assert expected == third_party(built)
    # OpenAPI's own models cost a fifth of an API's start, and few ever ask for the document
    assert "aws_lambda_powertools.event_handler.openapi.models" not in built
    # a router or models only where it answers requests
    has_routes = function in {"agent_api", "operator_api"}
    assert ("aws_lambda_powertools.event_handler" in built) is has_routes
    assert any(name.startswith("agentruns.api.") for name in built) is (function in API_FUNCTIONS)


def third_party(loaded: set[str]) -> set[str]:
    """Top-level packages that neither Python nor a compiled module's inside brought."""
    tops = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    return {
        name
        for name in tops
        if not name.startswith("_") and not name.endswith("mypyc") and name != "cython_runtime"
    }
