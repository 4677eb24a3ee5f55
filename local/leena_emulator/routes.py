"""The table of routes, and the way from a request to what is delivered for it."""

from __future__ import annotations

import json
from dataclasses import replace

from local.emulation.control_api import control_routes
from local.emulation.messages import Delivery, Request
from local.emulation.misbehaviour import REDIRECT_TARGET, misbehave
from local.emulation.routing import Route, answer_or_refuse, find_route
from local.leena_emulator import control_api, leena_api
from local.leena_emulator.faults import BENDERS, LeenaFaultKind
from local.leena_emulator.ledger import Operation
from local.leena_emulator.state import EmulatorState

ROUTES: tuple[Route[EmulatorState], ...] = (
    Route("POST", "/api/v1.0/oauth/token", leena_api.mint_token, Operation.TOKEN),
    Route("POST", "/api/v1/external/aop/execute", leena_api.execute_aop, Operation.EXECUTE),
    Route(
        "GET",
        "/api/v1/external/aop/items/{aop_item_id}/status",
        leena_api.read_aop_status,
        Operation.STATUS,
    ),
    *control_routes("leena-emulator"),
    Route("POST", "/_emulator/tokens/revoke", control_api.revoke_tokens),
    Route("GET", "/_emulator/aops", control_api.list_aops),
    Route("GET", "/_emulator/aops/{aop_id}", control_api.read_aop),
    Route("PUT", "/_emulator/aops/{aop_id}", control_api.put_aop),
    Route("GET", "/_emulator/ledger", control_api.read_ledger),
    Route("GET", "/_emulator/items", control_api.list_items),
    Route("GET", "/_emulator/items/{aop_item_id}", control_api.read_item),
    Route("POST", "/_emulator/items/{aop_item_id}/status", control_api.force_item_status),
    Route("GET", REDIRECT_TARGET, control_api.receive_redirected),
    Route("POST", REDIRECT_TARGET, control_api.receive_redirected),
)


def answer(state: EmulatorState, request: Request) -> Delivery:
    """What the client of `request` gets. Never raises: an error of our own becomes a 500."""
    return answer_or_refuse(request, lambda: _deliver(state, request))


def _deliver(state: EmulatorState, request: Request) -> Delivery:
    """Raises RequestRefused 404 or 405."""
    route, params = find_route(ROUTES, request)
    request = replace(request, params=params)
    if route.operation is None:
        return route.handle(state, request)
    operation = Operation(route.operation)
    state.ledger.count_received(operation)
    due = state.faults.take(operation, _aop_in_question(state, request, operation))
    if due is None:
        return route.handle(state, request)
    if due.rule.kind == LeenaFaultKind.REVOKE_TOKEN:
        state.tokens.revoke_all()
        return route.handle(state, request)
    return misbehave(due, lambda: route.handle(state, request), state.faults, BENDERS)


def _aop_in_question(state: EmulatorState, request: Request, operation: Operation) -> str | None:
    """The slug that a request is about, for rules with an `aop_id`; None if not to be told."""
    if operation is Operation.STATUS:
        return state.items.aop_id_of(request.params["aop_item_id"])
    if operation is Operation.TOKEN:
        return None
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    aop_id = body.get("aop_id") if isinstance(body, dict) else None
    aop = state.aops.find(aop_id) if isinstance(aop_id, str) else None
    return aop.aop_id if aop else None
