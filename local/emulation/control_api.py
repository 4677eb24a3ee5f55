"""The `/_emulator` endpoints that every emulator has: health, reset, settings and faults.

No part of a provider's API. Unauthenticated, which is why an emulator binds to loopback.
"""

from __future__ import annotations

from typing import Any

from local.emulation.clock import control_timestamp
from local.emulation.errors import InvalidField, InvalidRequestBody
from local.emulation.faults import parse_fault_rules
from local.emulation.messages import Reply, Request, json_reply
from local.emulation.routing import Route
from local.emulation.state import ControlledState

AnyState = ControlledState[Any]


def control_routes(service_name: str) -> tuple[Route[AnyState], ...]:
    """`service_name`: what the health endpoint calls the emulator."""

    def read_health(state: AnyState, _request: Request) -> Reply:
        """Answers as soon as the emulator serves; shows its clock."""
        return json_reply(
            200,
            {
                "status": "ok",
                "service": service_name,
                "started_at": control_timestamp(state.started_at),
                "now": control_timestamp(state.clock()),
            },
        )

    return (
        Route("GET", "/_emulator/health", read_health),
        Route("POST", "/_emulator/reset", _reset),
        Route("GET", "/_emulator/settings", _read_settings),
        Route("PUT", "/_emulator/settings", _put_settings),
        Route("GET", "/_emulator/faults", _list_faults),
        Route("POST", "/_emulator/faults", _add_faults),
        Route("PUT", "/_emulator/faults", _put_faults),
        Route("DELETE", "/_emulator/faults", _clear_faults),
    )


def read_control_body(request: Request) -> Any:
    """The JSON of a control request. Raises InvalidField."""
    try:
        return request.json()
    except InvalidRequestBody as exc:
        raise InvalidField("body", str(exc)) from exc


def _reset(state: AnyState, _request: Request) -> Reply:
    """Back to the start."""
    state.reset()
    return json_reply(200, {"reset": True})


def _read_settings(state: AnyState, _request: Request) -> Reply:
    """Everything but the secrets."""
    return json_reply(200, state.settings.as_document())


def _put_settings(state: AnyState, request: Request) -> Reply:
    """Takes over the given fields, for what comes from now on."""
    return json_reply(200, state.change_settings(read_control_body(request)).as_document())


def _list_faults(state: AnyState, _request: Request) -> Reply:
    """The rules in force, each with how often it matched and fired."""
    return json_reply(200, {"rules": state.faults.as_documents(), "fired": state.faults.fired()})


def _add_faults(state: AnyState, request: Request) -> Reply:
    """Appends a list of rules."""
    state.faults.add(*parse_fault_rules(state.fault_vocabulary, read_control_body(request)))
    return _list_faults(state, request)


def _put_faults(state: AnyState, request: Request) -> Reply:
    """Replaces all rules at once."""
    state.faults.replace(*parse_fault_rules(state.fault_vocabulary, read_control_body(request)))
    return _list_faults(state, request)


def _clear_faults(state: AnyState, request: Request) -> Reply:
    """Ends all faults."""
    state.faults.clear()
    return _list_faults(state, request)
