"""The faults that this emulator has beside those of any: what a rule about Leena can say."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from local.emulation.faults import FaultRule, FaultVocabulary, OwnKind
from local.emulation.messages import Delivery, Reply, json_reply
from local.emulation.misbehaviour import Bender
from local.leena_emulator.ledger import Operation
from local.leena_emulator.scenarios import AopCatalogue


class LeenaFaultKind(StrEnum):
    """Further ways in which a request can be treated badly, described in docs/leena-emulator.md."""

    NULL_RUN_ID = "null_run_id"
    REVOKE_TOKEN = "revoke_token"  # the name of a fault, not a password


def vocabulary(catalogue: AopCatalogue) -> FaultVocabulary:
    """Rules are restricted by `aop_id`, a slug or an ObjectId of the catalogue."""
    return FaultVocabulary(
        requests=tuple(Operation),
        own_kinds={
            LeenaFaultKind.NULL_RUN_ID: OwnKind(operations=frozenset({Operation.EXECUTE})),
            LeenaFaultKind.REVOKE_TOKEN: OwnKind(operations=frozenset(Operation), accept=False),
        },
        subject_name="aop_id",
        find_subject=lambda aop_id: aop.aop_id if (aop := catalogue.find(aop_id)) else None,
    )


def _take_run_id(_rule: FaultRule, reply: Reply) -> Delivery:
    return replace(reply, body=json_reply(reply.status, {**reply.json(), "run_id": None}).body)


BENDERS: dict[str, Bender] = {LeenaFaultKind.NULL_RUN_ID: _take_run_id}
