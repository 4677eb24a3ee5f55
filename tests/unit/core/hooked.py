"""Workflows in the world of the fakes: an agent over Leap, and what its webhook sends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from agentruns.definitions import ActivityRequest
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapDialect
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import LEAP_ADAPTER, LEAP_CONNECTION, REQUEST, ROLE, TENANT, World

INPUT_CSV_URL = "https://files.example/input.csv?X-Amz-Signature=CANARY-signature"
OUTPUT = {"output_csv_url": "https://files.example/output.csv", "row_count": 3}
BULK_REQUEST = ActivityRequest(agent_role=ROLE, input_csv_url=INPUT_CSV_URL)


def leap_world(dialect: LeapDialect = LeapDialect.WORKFLOWS, **fields: Any) -> World:
    """Its agent's work is a workflow."""
    world = World(adapter=LEAP_ADAPTER, **fields)
    world.connections.put(replace(LEAP_CONNECTION, dialect=dialect))
    return world


def snake(run: WorkflowRun) -> dict[str, Any]:
    """The run object as later documents and the published clients have it."""
    return {
        "id": run.workflow_run_id,
        "version_id": run.version_id,
        "status": run.status,
        "created_at": "2026-01-02T12:00:00Z",
        "started_at": None,
        "ended_at": None,
        "workflow_id": run.workflow_id,
        "error": run.error,
        "input": {},
        "output": run.output,
    }


def bulk(run: WorkflowRun, **fields: Any) -> dict[str, Any]:
    """The bulk run object of the published clients."""
    output = run.output or {"output_csv_url": None, "row_count": run.row_count}
    shown = {
        "id": run.workflow_run_id,
        "version_id": run.version_id,
        "status": run.status,
        "created_at": "2026-01-02T12:00:00Z",
        "workflow_id": run.workflow_id,
        "input_csv_url": INPUT_CSV_URL,
        "error": run.error,
    }
    return shown | output | fields


def camel(run: WorkflowRun) -> dict[str, Any]:
    """As the first document has it."""
    names = {"version_id": "versionId", "workflow_id": "workflowId", "input": "inputs"}
    return {names.get(name, name): value for name, value in snake(run).items()}


def a_body(run: WorkflowRun | None = None, **fields: Any) -> bytes:
    run = run or a_workflow_run(**({"status": "completed"} | fields))
    return json.dumps(snake(run)).encode()


def a_bulk_body(bulk_run_id: str) -> bytes:
    run = a_workflow_run(bulk_run_id, status="completed", output=OUTPUT, row_count=3)
    return json.dumps(bulk(run)).encode()


def hook_of(world: World, run_id: str) -> str:
    """The last part of the run's hook."""
    return world.hook_urls.url_of(TENANT, run_id).reveal().rsplit("/", 1)[-1]


def parked_workflow(
    world: World, callback_token: str = "callback-1", request: ActivityRequest = REQUEST
):
    """A workflow that runs, with its execution waiting on the callback token."""
    task = world.opened(request)
    world.start_leap_workflow(task)
    world.executions.wait_on(callback_token)
    world.park_run(task, callback_token)
    return task
