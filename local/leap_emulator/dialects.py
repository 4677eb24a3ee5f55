"""The three dialects of one API: which names a start has, and how a run is shown.

Sources: Leap's "Workflows API" page (`workflows`), its later pages (`runs_inputs`) and the
published clients (`runs`). Only the last can read a run again and start one in bulk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Dialect(StrEnum):
    """`POST /v1/workflows`; `POST /v1/runs` with `inputs`; `POST /v1/runs` with `input`."""

    WORKFLOWS = "workflows"
    RUNS_INPUTS = "runs_inputs"
    RUNS = "runs"


class Casing(StrEnum):
    """How `versionId, workflowId` are written in run objects; the other names have one form."""

    AS_STARTED = "as_started"
    CAMEL = "camel"
    SNAKE = "snake"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNames:
    """The members of a start's body."""

    workflow_id: str
    webhook_url: str
    inputs: str


START_NAMES = {
    Dialect.WORKFLOWS: StartNames(
        workflow_id="workflowId", webhook_url="webhookUrl", inputs="inputs"
    ),
    Dialect.RUNS_INPUTS: StartNames(
        workflow_id="workflow_id", webhook_url="webhook_url", inputs="inputs"
    ),
    Dialect.RUNS: StartNames(workflow_id="workflow_id", webhook_url="webhook_url", inputs="input"),
}


def dialect_of_start(body: dict[str, Any]) -> Dialect:
    """The dialect of a body sent to `POST /v1/runs`."""
    has_inputs_alone = "inputs" in body and "input" not in body
    return Dialect.RUNS_INPUTS if has_inputs_alone else Dialect.RUNS


def in_casing(document: dict[str, Any], dialect: Dialect, casing: Casing) -> dict[str, Any]:
    """A run object of snake_case names, as this dialect or the given casing writes it."""
    is_camel = casing is Casing.CAMEL or (
        casing is Casing.AS_STARTED and dialect is Dialect.WORKFLOWS
    )
    if not is_camel:
        return document
    renamed = {"version_id": "versionId", "workflow_id": "workflowId"}
    return {renamed.get(name, name): value for name, value in document.items()}


def provider_timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 with milliseconds and `Z`."""
    if moment is None:
        return None
    in_utc = moment.astimezone(UTC).replace(tzinfo=None)
    return in_utc.isoformat(timespec="milliseconds") + "Z"
