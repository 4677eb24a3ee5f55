"""What is sent when a run has ended, and in which order: the run object, bent by a fault.

Only plans. Sending is `webhook_sender`, the moment and the books are `webhooks`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.emulation.faults import FaultRule
from local.leap_emulator.faults import WebhookFaultKind
from local.leap_emulator.ids import new_id
from local.leap_emulator.workflows import RunStatus, output_of_size

GENUINE = "genuine"
_SLOW_PIECES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One webhook to send, `wait_seconds` after the one before it.

    `drip_seconds`: over how long its body is sent. `is_held`: the wait ends as soon as another
    run's webhook went out. `is_sent` false: it is only written down as lost.
    """

    kind: str
    body: bytes
    status: str | None
    wait_seconds: float = 0.0
    drip_seconds: float = 0.0
    is_held: bool = False
    is_sent: bool = True


def plan_shipments(document: Mapping[str, Any], rule: FaultRule | None) -> list[Shipment]:
    """`document`: the run object at its end."""
    genuine = shipment(document)
    if rule is None:
        return [genuine]
    seconds = rule.seconds
    match WebhookFaultKind(rule.kind):
        case WebhookFaultKind.LOST:
            return [shipment(document, kind="lost", is_sent=False)]
        case WebhookFaultKind.LATE:
            return [shipment(document, kind="late", wait_seconds=seconds)]
        case WebhookFaultKind.TWICE:
            return [genuine, shipment(document, kind="twice", wait_seconds=seconds)]
        case WebhookFaultKind.SHUFFLED:
            return [shipment(document, kind="shuffled", wait_seconds=seconds, is_held=True)]
        case WebhookFaultKind.OUTDATED:
            outdated = _before_the_end(document)
            return [genuine, shipment(outdated, kind="outdated", wait_seconds=seconds)]
        case WebhookFaultKind.FORGED:
            return [shipment(_of_another_run(document), kind="forged"), _after(genuine, seconds)]
        case WebhookFaultKind.FORGED_OUTCOME:
            forged = shipment(_of_another_outcome(document), kind="forged_outcome")
            return [forged, _after(genuine, seconds)]
        case WebhookFaultKind.MANGLED:
            half = genuine.body[: len(genuine.body) // 2]
            return [
                Shipment(kind="mangled", body=half, status=None),
                _after(genuine, seconds),
            ]
        case WebhookFaultKind.SLOW:
            return [shipment(document, kind="slow", drip_seconds=seconds)]
        case WebhookFaultKind.HUGE_OUTPUT:
            huge = {**document, "output": output_of_size(rule.size_bytes)}
            return [shipment(huge, kind="huge_output")]
        case WebhookFaultKind.EARLY:
            return [genuine]


def shipment(document: Any, *, kind: str = GENUINE, **facts: Any) -> Shipment:
    """A shipment of this JSON; `facts` are the other fields."""
    status = document.get("status") if isinstance(document, Mapping) else None
    return Shipment(
        kind=kind,
        body=json.dumps(document).encode(),
        status=status if isinstance(status, str) else None,
        **facts,
    )


def pieces_of(body: bytes) -> list[bytes]:
    """The body in at most ten pieces, for a slow sender."""
    length = max(1, -(-len(body) // _SLOW_PIECES))
    return [body[index : index + length] for index in range(0, len(body), length)]


def _after(genuine: Shipment, seconds: float) -> Shipment:
    return Shipment(
        kind=genuine.kind, body=genuine.body, status=genuine.status, wait_seconds=seconds
    )


def _before_the_end(document: Mapping[str, Any]) -> dict[str, Any]:
    of_the_end = {"ended_at", "output", "output_csv_url", "error"} & document.keys()
    return {**document, "status": RunStatus.RUNNING.value, **dict.fromkeys(of_the_end)}


def _of_another_run(document: Mapping[str, Any]) -> dict[str, Any]:
    prefix = str(document["id"]).partition("_")[0]
    return {**document, "id": new_id(prefix), **_other_outcome(document)}


def _of_another_outcome(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, **_other_outcome(document)}


def _other_outcome(document: Mapping[str, Any]) -> dict[str, Any]:
    if document["status"] == RunStatus.COMPLETED:
        return {"status": RunStatus.FAILED.value, "error": "forged", "output": None}
    return {"status": RunStatus.COMPLETED.value, "error": None, "output": {"forged": True}}
