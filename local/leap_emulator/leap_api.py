"""The provider's endpoints: start a run (two ways), start a bulk run, read either.

Sources: the seed's "Workflows API" page, Leap's later pages and the published clients; see
`dialects`. What they leave open is listed in docs/leap-emulator.md under "Where the sources are
silent".
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import urlsplit

from local.emulation.errors import RequestRefused
from local.emulation.messages import Reply, Request, json_reply
from local.emulation.provider_body import read_object, require_text
from local.leap_emulator.dialects import START_NAMES, Dialect, dialect_of_start
from local.leap_emulator.runs import Run, StartRequest
from local.leap_emulator.state import EmulatorState


def start_workflow(state: EmulatorState, request: Request) -> Reply:
    """`POST /v1/workflows`. Raises RequestRefused 400, 401, 404."""
    _authorize(state, request)
    return _start(state, Dialect.WORKFLOWS, read_object(request))


def start_run(state: EmulatorState, request: Request) -> Reply:
    """`POST /v1/runs`. Raises RequestRefused 400, 401, 404."""
    _authorize(state, request)
    body = read_object(request)
    return _start(state, dialect_of_start(body), body)


def start_bulk_run(state: EmulatorState, request: Request) -> Reply:
    """`POST /v1/runs/bulk`. Raises RequestRefused 400, 401, 404."""
    _authorize(state, request)
    body = read_object(request)
    names = START_NAMES[Dialect.RUNS]
    return _create(
        state,
        StartRequest(
            dialect=Dialect.RUNS,
            workflow_id=require_text(body, names.workflow_id),
            webhook_url=_read_url(body, names.webhook_url),
            input_csv_url=_require_url(body, "input_csv_url"),
        ),
    )


def read_run(state: EmulatorState, request: Request) -> Reply:
    """`GET /v1/runs/{run_id}`. Raises RequestRefused 401, 404."""
    _authorize(state, request)
    return _read(state, request.params["run_id"], is_bulk=False)


def read_bulk_run(state: EmulatorState, request: Request) -> Reply:
    """`GET /v1/runs/bulk/{bulk_run_id}`. Raises RequestRefused 401, 404."""
    _authorize(state, request)
    return _read(state, request.params["bulk_run_id"], is_bulk=True)


def workflow_in_question(body: Any) -> str | None:
    """The workflow that a start's body names, for fault rules; None if not to be told."""
    if not isinstance(body, dict):
        return None
    for names in START_NAMES.values():
        if isinstance(workflow_id := body.get(names.workflow_id), str):
            return workflow_id
    return None


def _start(state: EmulatorState, dialect: Dialect, body: dict[str, Any]) -> Reply:
    names = START_NAMES[dialect]
    inputs = body.get(names.inputs)
    if inputs is not None and not isinstance(inputs, dict):
        raise RequestRefused(400, f"{names.inputs} must be an object")
    return _create(
        state,
        StartRequest(
            dialect=dialect,
            workflow_id=require_text(body, names.workflow_id),
            webhook_url=_read_url(body, names.webhook_url),
            inputs=inputs,
        ),
    )


def _create(state: EmulatorState, request: StartRequest) -> Reply:
    workflow = state.workflows.get(request.workflow_id)
    if not workflow.can_be_run:
        raise RequestRefused(400, f"Workflow {workflow.workflow_id} cannot be run")
    return json_reply(state.settings.start_status, state.start_run(workflow, request))


def _read(state: EmulatorState, run_id: str, *, is_bulk: bool) -> Reply:
    run = state.runs.get(run_id)
    if run.is_bulk is not is_bulk or not _is_readable(state, run):
        raise RequestRefused(404, f"Workflow run {run_id} not found")
    state.ledger.record_read(run)
    return json_reply(200, state.show(run))


def _is_readable(state: EmulatorState, run: Run) -> bool:
    return run.request.dialect in state.settings.readable


def _authorize(state: EmulatorState, request: Request) -> None:
    """Raises RequestRefused 401."""
    given = request.headers.get("x-api-key", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, state.settings.api_key.encode()):
        raise RequestRefused(401, "Unauthorized")


def _require_url(body: dict[str, Any], name: str) -> str:
    url = _read_url(body, name)
    if url is None:
        raise RequestRefused(400, f"{name} is required and must be a URL")
    return url


def _read_url(body: dict[str, Any], name: str) -> str | None:
    """None if it is missing, null or empty (the seed's example has an empty one)."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _is_url(value):
        raise RequestRefused(400, f"{name} must be an http or https URL")
    return value


def _is_url(text: str) -> bool:
    if not text.isascii() or any(character <= " " for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
