"""The `/_emulator` endpoints: define workflows, script faults, read the ledger, end runs.

Not here: those that every emulator has (`local.emulation.control_api`).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from local.emulation.control_api import read_control_body
from local.emulation.errors import InvalidField, RequestRefused
from local.emulation.fields import Fields
from local.emulation.messages import Reply, Request, json_reply
from local.leap_emulator.ledger import Operation
from local.leap_emulator.state import EmulatorState
from local.leap_emulator.webhook_plan import GENUINE, shipment
from local.leap_emulator.webhook_sender import is_on_this_machine
from local.leap_emulator.workflows import RunStatus


def list_workflows(state: EmulatorState, _request: Request) -> Reply:
    """The catalogue."""
    return json_reply(
        200, {"workflows": [workflow.as_document() for workflow in state.workflows.all()]}
    )


def read_workflow(state: EmulatorState, request: Request) -> Reply:
    """One workflow."""
    return json_reply(200, state.workflows.get(request.params["workflow_id"]).as_document())


def put_workflow(state: EmulatorState, request: Request) -> Reply:
    """Defines or replaces a workflow; 201 if its id was new."""
    workflow, is_new = state.workflows.define_from_document(
        request.params["workflow_id"], read_control_body(request)
    )
    return json_reply(201 if is_new else 200, workflow.as_document())


def read_ledger(state: EmulatorState, request: Request) -> Reply:
    """Starts and webhooks; filters `operation`, `run_id`, `webhook` (a part of the URL)."""
    known = ("operation", "run_id", "webhook")
    for name in request.query:
        if name not in known:
            raise InvalidField(name, f"unknown filter; known: {', '.join(known)}")
    operation = None
    if "operation" in request.query:
        operation = Operation(Fields(dict(request.query)).one_of("operation", list(Operation)))
    return json_reply(
        200,
        state.ledger.as_document(
            operation=operation,
            run_id=request.query.get("run_id"),
            webhook=request.query.get("webhook"),
        ),
    )


def list_requests(state: EmulatorState, _request: Request) -> Reply:
    """The last requests to the provider's endpoints, as they came."""
    return json_reply(
        200, {"requests": [request.as_document() for request in state.ledger.requests]}
    )


def list_runs(state: EmulatorState, _request: Request) -> Reply:
    """All runs, without counting as reads."""
    now = state.clock()
    return json_reply(200, {"runs": [run.as_control_document(now) for run in state.runs.all()]})


def read_run(state: EmulatorState, request: Request) -> Reply:
    """One run, without counting as a read."""
    run = state.runs.get(request.params["run_id"])
    return json_reply(200, run.as_control_document(state.clock()))


def set_run_status(state: EmulatorState, request: Request) -> Reply:
    """Ends a run on command, or shows any other status; a terminal one sends its webhook."""
    fields = Fields(read_control_body(request))
    fields.refuse_unknown(("status", "output", "error"))
    outcome = {name: fields.value(name) for name in ("output", "error") if name in fields}
    error = outcome.get("error")
    if error is not None and not isinstance(error, str):
        raise InvalidField("error", "must be a string or null")
    run = state.set_status(request.params["run_id"], fields.text("status"), outcome)
    return json_reply(200, run.as_control_document(state.clock()))


def send_webhook(state: EmulatorState, request: Request) -> Reply:
    """Sends one webhook now, whatever the faults, and shows what the receiver answered."""
    fields = Fields(read_control_body(request))
    fields.refuse_unknown(("body", "url"))
    run = state.runs.get(request.params["run_id"])
    url = fields.text("url") if "url" in fields else None
    if url is not None and not is_on_this_machine(urlsplit(url)):
        raise InvalidField("url", "must be an http URL on this machine")
    given = "body" in fields
    entry = state.webhooks.send_now(
        run,
        shipment(
            fields.value("body") if given else state.show(run), kind="given" if given else GENUINE
        ),
        url,
    )
    if entry is None:
        raise InvalidField("url", "is required: the run was started without a webhook URL")
    return json_reply(200, entry.as_document())


def read_output_csv(state: EmulatorState, request: Request) -> Reply:
    """The output of a completed bulk run: as many rows as it has. Raises RequestRefused 404."""
    run = state.runs.get(request.params["bulk_run_id"])
    is_done = run.standing(state.clock()).status == RunStatus.COMPLETED
    if not (run.is_bulk and is_done):
        raise RequestRefused(404, f"Bulk run {run.run_id} has no output")
    rows = [f"{number},answer {number}\r\n" for number in range(1, run.workflow.row_count + 1)]
    content = "".join(["row,output\r\n", *rows]).encode()
    return Reply(status=200, body=content, content_type="text/csv; charset=utf-8")


def receive_redirected(state: EmulatorState, request: Request) -> Reply:
    """Where the `redirect` fault points to: writes down that a client followed it."""
    state.ledger.record_redirect_followed(
        method=request.method, had_api_key="x-api-key" in request.headers
    )
    return json_reply(200, {"followed": True})
