"""The table of routes, and the way from a request to what is delivered for it.

Slashes are collapsed and a path prefix is passed over, so that a base URL may have both.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from local.emulation.control_api import control_routes
from local.emulation.faults import FaultRule
from local.emulation.messages import Delivery, Reply, Request, Silence
from local.emulation.misbehaviour import REDIRECT_TARGET, misbehave
from local.emulation.routing import Route, answer_or_refuse, find_route
from local.leap_emulator import control_api, leap_api
from local.leap_emulator.faults import WebhookFaultKind
from local.leap_emulator.ledger import Operation
from local.leap_emulator.state import EmulatorState

_SLASHES = re.compile(r"/{2,}")
_PREFIXED = re.compile(r"(?:/.*)?(/(?:v1|_emulator)/.*)")

ROUTES: tuple[Route[EmulatorState], ...] = (
    Route("POST", "/v1/workflows", leap_api.start_workflow, Operation.START),
    Route("POST", "/v1/runs", leap_api.start_run, Operation.START),
    Route("GET", "/v1/runs/{run_id}", leap_api.read_run, Operation.READ),
    Route("POST", "/v1/runs/bulk", leap_api.start_bulk_run, Operation.START_BULK),
    Route("GET", "/v1/runs/bulk/{bulk_run_id}", leap_api.read_bulk_run, Operation.READ_BULK),
    *control_routes("leap-emulator"),
    Route("GET", "/_emulator/workflows", control_api.list_workflows),
    Route("GET", "/_emulator/workflows/{workflow_id}", control_api.read_workflow),
    Route("PUT", "/_emulator/workflows/{workflow_id}", control_api.put_workflow),
    Route("GET", "/_emulator/ledger", control_api.read_ledger),
    Route("GET", "/_emulator/requests", control_api.list_requests),
    Route("GET", "/_emulator/runs", control_api.list_runs),
    Route("GET", "/_emulator/runs/{run_id}", control_api.read_run),
    Route("POST", "/_emulator/runs/{run_id}/status", control_api.set_run_status),
    Route("POST", "/_emulator/runs/{run_id}/webhook", control_api.send_webhook),
    Route("GET", "/_emulator/files/{bulk_run_id}.csv", control_api.read_output_csv),
    Route("GET", REDIRECT_TARGET, control_api.receive_redirected),
    Route("POST", REDIRECT_TARGET, control_api.receive_redirected),
)


def answer(state: EmulatorState, request: Request) -> Delivery:
    """What the client of `request` gets. Never raises: an error of our own becomes a 500."""
    return answer_or_refuse(request, lambda: _deliver(state, request))


def own_path(path: str) -> str:
    """The path as the routes have it: single slashes, no prefix."""
    collapsed = _SLASHES.sub("/", path)
    found = _PREFIXED.fullmatch(collapsed)
    return found[1] if found else collapsed


def _deliver(state: EmulatorState, request: Request) -> Delivery:
    """Raises RequestRefused 404 or 405."""
    route, params = find_route(ROUTES, replace(request, path=own_path(request.path)))
    handled = replace(request, params=params)
    if route.operation is None:
        return route.handle(state, handled)
    operation = Operation(route.operation)
    state.ledger.record_request(operation, request, api_key=state.settings.api_key)
    due = state.faults.take(operation, _workflow_in_question(state, handled))
    if due is None:
        return route.handle(state, handled)

    def send_webhook_first(rule: FaultRule, reply: Reply) -> Delivery:
        state.end_early(reply.json()["id"])
        return Silence(seconds=rule.seconds, reply=reply) if rule.seconds else reply

    return misbehave(
        due,
        lambda: route.handle(state, handled),
        state.faults,
        {WebhookFaultKind.EARLY: send_webhook_first},
    )


def _workflow_in_question(state: EmulatorState, request: Request) -> str | None:
    """The workflow that a request is about, for rules with a `workflow_id`."""
    for run_id in request.params.values():
        run = state.runs.find(run_id)
        return run.workflow.workflow_id if run else None
    try:
        return leap_api.workflow_in_question(json.loads(request.body))
    except (ValueError, RecursionError):
        return None
