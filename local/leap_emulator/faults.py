"""The faults that this emulator has beside those of any: what can become of a webhook.

A rule about a webhook is taken when its run ends; only `early` is taken with the start.
"""

from __future__ import annotations

from enum import StrEnum

from local.emulation.faults import FaultVocabulary, OwnKind
from local.leap_emulator.ledger import Operation
from local.leap_emulator.workflows import WorkflowCatalogue

WEBHOOK = "webhook"
_WEBHOOKS = frozenset({WEBHOOK})
_STARTS = frozenset({Operation.START.value, Operation.START_BULK.value})


class WebhookFaultKind(StrEnum):
    """The ways in which a webhook can go wrong, described in docs/leap-emulator.md."""

    EARLY = "early"
    LOST = "lost"
    LATE = "late"
    TWICE = "twice"
    SHUFFLED = "shuffled"
    OUTDATED = "outdated"
    FORGED = "forged"
    FORGED_OUTCOME = "forged_outcome"
    MANGLED = "mangled"
    SLOW = "slow"
    HUGE_OUTPUT = "huge_output"


_SECONDS = {
    WebhookFaultKind.LATE: 5.0,
    WebhookFaultKind.TWICE: 0.0,
    WebhookFaultKind.SHUFFLED: 2.0,
    WebhookFaultKind.OUTDATED: 0.0,
    WebhookFaultKind.FORGED: 0.0,
    WebhookFaultKind.FORGED_OUTCOME: 0.0,
    WebhookFaultKind.MANGLED: 0.0,
    WebhookFaultKind.SLOW: 2.0,
    WebhookFaultKind.EARLY: 0.0,
}


def vocabulary(catalogue: WorkflowCatalogue) -> FaultVocabulary:
    """Rules are restricted by `workflow_id`."""

    def find(workflow_id: str) -> str | None:
        return workflow_id if catalogue.find(workflow_id) else None

    return FaultVocabulary(
        requests=tuple(Operation),
        own_kinds={
            kind.value: OwnKind(
                operations=_STARTS if kind is WebhookFaultKind.EARLY else _WEBHOOKS,
                seconds=_SECONDS.get(kind),
                size_bytes=2 * 1024 * 1024 if kind is WebhookFaultKind.HUGE_OUTPUT else None,
            )
            for kind in WebhookFaultKind
        },
        subject_name="workflow_id",
        find_subject=find,
    )
