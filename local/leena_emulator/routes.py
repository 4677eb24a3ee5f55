"""The table of routes, and the way from a request to what is delivered for it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from local.leena_emulator import control_api, leena_api
from local.leena_emulator.errors import RequestRefused
from local.leena_emulator.ledger import Operation
from local.leena_emulator.messages import Delivery, Reply, Request, json_reply, refusal_reply
from local.leena_emulator.misbehaviour import REDIRECT_TARGET, misbehave
from local.leena_emulator.state import EmulatorState

Handler = Callable[[EmulatorState, Request], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """`template` has `{names}`; `operation` is set where faults may strike."""

    method: str
    template: str
    handler: Handler
    operation: Operation | None = None

    def match(self, path: str) -> Mapping[str, str] | None:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.template))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/v1.0/oauth/token", leena_api.mint_token, Operation.TOKEN),
    Route("POST", "/api/v1/external/aop/execute", leena_api.execute_aop, Operation.EXECUTE),
    Route(
        "GET",
        "/api/v1/external/aop/items/{aop_item_id}/status",
        leena_api.read_aop_status,
        Operation.STATUS,
    ),
    Route("GET", "/_emulator/health", control_api.read_health),
    Route("POST", "/_emulator/reset", control_api.reset),
    Route("GET", "/_emulator/settings", control_api.read_settings),
    Route("PUT", "/_emulator/settings", control_api.put_settings),
    Route("POST", "/_emulator/tokens/revoke", control_api.revoke_tokens),
    Route("GET", "/_emulator/aops", control_api.list_aops),
    Route("GET", "/_emulator/aops/{aop_id}", control_api.read_aop),
    Route("PUT", "/_emulator/aops/{aop_id}", control_api.put_aop),
    Route("GET", "/_emulator/faults", control_api.list_faults),
    Route("POST", "/_emulator/faults", control_api.add_faults),
    Route("PUT", "/_emulator/faults", control_api.put_faults),
    Route("DELETE", "/_emulator/faults", control_api.clear_faults),
    Route("GET", "/_emulator/ledger", control_api.read_ledger),
    Route("GET", "/_emulator/items", control_api.list_items),
    Route("GET", "/_emulator/items/{aop_item_id}", control_api.read_item),
    Route("POST", "/_emulator/items/{aop_item_id}/status", control_api.force_item_status),
    Route("GET", REDIRECT_TARGET, control_api.receive_redirected),
    Route("POST", REDIRECT_TARGET, control_api.receive_redirected),
)


def answer(state: EmulatorState, request: Request) -> Delivery:
    """What the client of `request` gets. Never raises: an error of our own becomes a 500."""
    try:
        route, params = _find_route(request)
        request = replace(request, params=params)
        if route.operation is None:
            return _handle(state, request, route)
        return _answer_provider(state, request, route, route.operation)
    except RequestRefused as refusal:
        return refusal_reply(refusal)
    except Exception as exc:  # noqa: BLE001  # the one boundary
        # The type alone: a message or a traceback could quote what the request carried.
        print(f"internal error: {type(exc).__name__} at {request.path}", file=sys.stderr)
        return json_reply(500, {"message": "Internal error of the emulator"})


def _answer_provider(
    state: EmulatorState, request: Request, route: Route, operation: Operation
) -> Delivery:
    state.ledger.count_received(operation)
    due = state.faults.take(operation, _aop_in_question(state, request, operation))
    if due is None:
        return _handle(state, request, route)
    return misbehave(due, lambda: _handle(state, request, route), state)


def _handle(state: EmulatorState, request: Request, route: Route) -> Reply:
    try:
        return route.handler(state, request)
    except RequestRefused as refusal:
        return refusal_reply(refusal)


def _find_route(request: Request) -> tuple[Route, Mapping[str, str]]:
    """Raises RequestRefused 404 or 405."""
    allowed = []
    for route in ROUTES:
        params = route.match(request.path)
        if params is None:
            continue
        if route.method == request.method:
            return route, params
        allowed.append(route.method)
    if not allowed:
        raise RequestRefused(404, f"No such path: {request.path}")
    raise RequestRefused(
        405, f"{request.method} is not allowed here", headers={"Allow": ", ".join(allowed)}
    )


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
