"""The `/_emulator` endpoints: define AOPs, script faults, read the ledger, act as an operator.

Not here: those that every emulator has (`local.emulation.control_api`).
"""

from __future__ import annotations

from local.emulation.control_api import read_control_body
from local.emulation.errors import InvalidField
from local.emulation.fields import Fields
from local.emulation.messages import Reply, Request, json_reply
from local.leena_emulator.ledger import Operation
from local.leena_emulator.state import EmulatorState


def revoke_tokens(state: EmulatorState, _request: Request) -> Reply:
    """Voids every token minted so far."""
    return json_reply(200, {"revoked": state.tokens.revoke_all()})


def list_aops(state: EmulatorState, _request: Request) -> Reply:
    """The catalogue, each AOP with its ObjectId and phases."""
    return json_reply(200, {"aops": [aop.as_document() for aop in state.aops.all()]})


def read_aop(state: EmulatorState, request: Request) -> Reply:
    """One AOP, by slug or ObjectId."""
    return json_reply(200, state.aops.get(request.params["aop_id"]).as_document())


def put_aop(state: EmulatorState, request: Request) -> Reply:
    """Defines or replaces an AOP; 201 if its slug was new."""
    aop, is_new = state.aops.define_from_document(
        request.params["aop_id"], read_control_body(request)
    )
    return json_reply(201 if is_new else 200, aop.as_document())


def read_ledger(state: EmulatorState, request: Request) -> Reply:
    """What was accepted; filters `operation` and `run_id` (`context.agentruns_run_id`)."""
    for name in request.query:
        if name not in ("operation", "run_id"):
            raise InvalidField(name, "unknown filter; known: operation, run_id")
    operation = None
    if "operation" in request.query:
        operation = Operation(Fields(dict(request.query)).one_of("operation", list(Operation)))
    return json_reply(
        200, state.ledger.as_document(operation=operation, run_id=request.query.get("run_id"))
    )


def list_items(state: EmulatorState, _request: Request) -> Reply:
    """All items, without counting as polls."""
    return json_reply(200, {"items": state.items.look_at_all()})


def read_item(state: EmulatorState, request: Request) -> Reply:
    """One item, without counting as a poll."""
    return json_reply(200, state.items.look(request.params["aop_item_id"]))


def force_item_status(state: EmulatorState, request: Request) -> Reply:
    """Acts as a person in Leena; `null` gives the item back to its scenario."""
    fields = Fields(read_control_body(request))
    fields.refuse_unknown(("status",))
    gives_back = "status" in fields and fields.value("status") is None
    status = None if gives_back else fields.text("status")
    return json_reply(200, state.items.force_status(request.params["aop_item_id"], status))


def receive_redirected(state: EmulatorState, request: Request) -> Reply:
    """Where the `redirect` fault points to: writes down that a client followed it."""
    state.ledger.record_redirect_followed(
        method=request.method, had_authorization="authorization" in request.headers
    )
    return json_reply(200, {"followed": True})
