"""Workflows in the world of the fakes: an agent over Leap, and what its webhook sends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from agentruns.ports import WorkflowRun
from agentruns.providers import LeapDialect
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import LEAP_ADAPTER, LEAP_CONNECTION, TENANT, World


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


def camel(run: WorkflowRun) -> dict[str, Any]:
    """As the first document has it."""
    names = {"version_id": "versionId", "workflow_id": "workflowId", "input": "inputs"}
    return {names.get(name, name): value for name, value in snake(run).items()}


def a_body(run: WorkflowRun | None = None, **fields: Any) -> bytes:
    run = run or a_workflow_run(**({"status": "completed"} | fields))
    return json.dumps(snake(run)).encode()


def hook_of(world: World, run_id: str) -> str:
    """The last part of the run's hook."""
    return world.hook_urls.url_of(TENANT, run_id).reveal().rsplit("/", 1)[-1]


def parked_workflow(world: World, callback_token: str = "callback-1"):
    """A workflow that runs, with its execution waiting on the callback token."""
    task = world.opened()
    world.start_leap_workflow(task)
    world.executions.wait_on(callback_token)
    world.park_run(task, callback_token)
    return task
