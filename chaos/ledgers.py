"""The providers' books, as the checker reads them: what they took for which of our runs.

Leena's starts carry our run id in their context, Leap's in the URL of their webhook.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.books import Start
from local.emulation.clock import utc_now
from local.leap_emulator import LeapEmulator, StartEntry, WebhookEntry
from local.leena_emulator import LeenaEmulator

BENT = frozenset({"forged", "forged_outcome", "mangled", "outdated"})
"""Kinds of webhooks that do not tell how their run ended."""


def starts_of(leena: LeenaEmulator, leap: LeapEmulator) -> list[Start]:
    """Every start that either took, and what has become of it."""
    return [*_aops(leena), *_workflows(leap)]


def untold(leap: LeapEmulator) -> list[str]:
    """Our runs of whose end nothing was sent yet; one that was lost was sent."""
    sent = {entry.run_id for entry in leap.ledger.webhooks() if entry.kind not in BENT}
    return [run_id_of(entry) for entry in leap.ledger.starts() if entry.run.run_id not in sent]


def untaken(leap: LeapEmulator) -> list[WebhookEntry]:
    """Webhooks that told how a run ended, and were not taken when they arrived."""
    return [
        entry
        for entry in leap.ledger.webhooks()
        if entry.kind not in BENT | {"lost"} and not entry.is_success
    ]


def run_id_of(entry: StartEntry) -> str:
    """Ours."""
    return (entry.webhook_url or "").rsplit("/", 1)[-1].split(".")[0]


def _aops(leena: LeenaEmulator) -> Iterator[Start]:
    for entry in leena.ledger.executes():
        if entry.item is not None:
            yield Start(
                run_id=str(entry.agentruns_run_id),
                remote_id=entry.item.aop_item_id,
                status=str(leena.items.look(entry.item.aop_item_id)["status"]),
            )


def _workflows(leap: LeapEmulator) -> Iterator[Start]:
    taken = {
        entry.run_id
        for entry in leap.ledger.webhooks()
        if entry.kind not in BENT and entry.is_success
    }
    for entry in leap.ledger.starts():
        yield Start(
            run_id=run_id_of(entry),
            remote_id=entry.run.run_id,
            status=entry.run.standing(utc_now()).status,
            is_told=entry.run.run_id in taken,
        )
