"""Imports: they point one way, heavy ones stay where they belong, and importing does nothing."""

from __future__ import annotations

import pytest

from tests.unit.structure.project import (
    FUNCTION_NAMES,
    FUNCTIONS,
    LAYER,
    WORKERS,
    imports,
    modules,
    modules_after_import,
    modules_of_worker,
)

# The core, from the bottom up: values and rules, then the ports that speak of them.
VALUES = {
    "comment",
    *("agent_errors", "agent_ports", "agent_records", "agent_reports", "agent_stores", "budget"),
    *("bulk_runs", "definitions", "deltas", "durations", "error_names", "errors", "event_types"),
    *("gate", "ids", "learned_plan", "log_positions", "model", "outputs", "polling", "ports"),
    *("provider_ports", "providers", "refusals", "request_errors", "secret", "statuses", "steps"),
    *("wait", "wait_errors", "wait_ports", "watching"),
    *("problem_words", "shown_names"),
}
PROCESS = {"settings", "telemetry"}
OUTBOUND = {"adapters", "aws", "store"}
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(VALUES, VALUES),
    "settings": VALUES,
    "telemetry": VALUES | {"settings"},
    "adapters": VALUES | {"adapters"},
    "store": VALUES | {"store"},
    "aws": VALUES | {"aws", "store.values"},  # how a time is written has one owner
}
"""Per part of the package: what it may import of the package. Any other module is a use case."""

THIRD_PARTY_OWNERS = {
    "requests": {"agentruns.adapters.http"},
    "urllib3": {"agentruns.adapters.http"},
    "botocore": {"agentruns.aws", "agentruns.store"},
    "pydantic": {"agentruns.api"},
    "aws_lambda_powertools": {"agentruns.telemetry", "agentruns.api"},
}
NEVER_IN_A_LAMBDA = {
    *("agentruns_cli", "local", "tests"),
    *("aws_xray_sdk", "boto3", "moto", "rich", "s3transfer", "typer"),
}
NEVER_IN_A_WORKER = NEVER_IN_A_LAMBDA | {"cryptography", "pydantic", "yaml"}
NOT_BEFORE_IT_IS_USED = {"requests"}


def part_of(module: str) -> str:
    """`agentruns.store.table` is of `store`, `agentruns.aop` is `aop`."""
    return module.split(".")[1] if "." in module else ""


def use_cases() -> set[str]:
    parts = {part_of(name) for name in modules()}
    return parts - set(ALLOWED) - {"", "api", "wiring", "wiring_parts"}


def may_import(part: str) -> set[str]:
    if part in ALLOWED:
        return ALLOWED[part]
    if part in {"wiring", "wiring_parts"}:
        return {part_of(name) for name in modules()}
    inner = VALUES | {"telemetry"} | use_cases()
    return inner | {"api"} if part == "api" else inner


def own_imports(module: str) -> set[str]:
    """What it imports of the package: `aop`, and of a folder the module, `store.values`."""
    found = set()
    for name in imports(modules()[module]):
        if name.startswith("agentruns."):
            parts = name.split(".")[1:]
            in_folder = f"agentruns.{'.'.join(parts[:2])}" in modules()
            found.add(".".join(parts[:2]) if in_folder else parts[0])
    return found


@pytest.mark.parametrize("module", sorted(set(modules()) - {"agentruns"}))
def test_imports_point_one_way(module):
    allowed = may_import(part_of(module))

    assert {
        name
        for name in own_imports(module)
        if name not in allowed and name.split(".")[0] not in allowed
    } == set()


def test_use_cases_know_no_technology():
    assert use_cases() == {
        "actions",
        "activities",
        "admission",
        "admitting",
        "agent_calls",
        "agent_credentials",
        "agent_results",
        "agent_streams",
        "agent_tasks",
        "agent_health",
        "agent_keys",
        "agents",
        "aop",
        "api_keys",
        "budgeting",
        "budgeted_leap",
        "cancelling",
        "checking",
        "commenting",
        "connection_checks",
        "connections",
        "deciding",
        "dispatching",
        "evidence",
        "fair_queue",
        "finding",
        "front_matter",
        "gated_leena",
        "gating",
        "gated_leap",
        "guarded",
        "hook_urls",
        "hooks",
        "idempotency",
        "inbox",
        "issued_keys",
        "learning",
        "lifecycle",
        "linking",
        "mentions",
        "look_marks",
        "operator_keys",
        "parking",
        "probing",
        "publishing",
        "reassigning",
        "redriving",
        "resolving",
        "run_outputs",
        "routing",
        "run_log",
        "runs",
        "schedules",
        "sessions",
        "skills",
        "starts",
        "subtasks",
        "sweeping",
        "tending",
        "tokens",
        "task_tokens",
        "transact",
        "transitions",
        "waits",
        "wake",
        "waking",
        "workflows",
    }


@pytest.mark.parametrize("package", sorted(THIRD_PARTY_OWNERS))
def test_a_third_party_package_is_imported_by_its_owners_only(package):
    owners = tuple(THIRD_PARTY_OWNERS[package])
    importers = {
        name
        for name, path in modules().items()
        if any(found.split(".")[0] == package for found in imports(path))
    }

    assert {name for name in importers if not name.startswith(owners)} == set()
    assert importers


def test_handlers_import_telemetry_wiring_and_their_task_only():
    allowed = {"agentruns.telemetry", "agentruns.wiring", "agentruns.steps.RunTask"}
    found = {
        name
        for function in FUNCTION_NAMES
        for name in imports(FUNCTIONS / function / "app.py")
        if name.startswith("agentruns")
    }

    assert found <= allowed


def test_only_handlers_import_wiring():
    importers = {n for n, path in modules().items() if "agentruns.wiring" in imports(path)}

    assert importers == set()


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_starts_and_is_built_without_what_it_does_not_need(function):
    imported, built = modules_of_worker(function)

    forbidden = NEVER_IN_A_WORKER if function in WORKERS else NEVER_IN_A_LAMBDA
    assert {name.split(".")[0] for name in built} & forbidden == set()
    assert imported & NOT_BEFORE_IT_IS_USED == set()
    calls = {
        *("mint_token", "execute_aop", "start_leap_workflow", "dispatch_agent", "check_run"),
        *("sweep", "hooks_api"),
    }
    assert ("requests" in built) is (function in calls)


def test_importing_everything_builds_no_client_and_reads_no_setting():
    """A client would be in the session's list; a setting would be in the environment's reads."""
    names = ", ".join(sorted(modules()))
    watched = (
        "import os, botocore.session as b; made = []; "
        "b.Session.create_client = lambda *a, **k: made.append(a); "
        f"import {names}; from agentruns import wiring, wiring_parts; "
        "assert not made, made; "
        "assert not wiring_parts.clients.cache_info().currsize; "
        "assert not any(f.cache_info().currsize for f in vars(wiring).values() "
        "if hasattr(f, 'cache_info'))"
    )

    assert set(modules()) <= modules_after_import(watched)


def test_there_is_one_package_in_the_layer():
    packages = {path.name for path in LAYER.iterdir() if (path / "__init__.py").is_file()}

    assert packages == {"agentruns"}
