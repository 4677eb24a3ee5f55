"""30 % of all calls to the provider fail, in every way that ends: token, execute and status."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.outcome import Outcome, evidence_of
from chaos.stack import ChaosStack

NAME = "upstream"
SHARE = 0.3
SHORT, LONG = 15, 200
PATIENCE_SECONDS = 240.0
AT_ONCE = 50
TOKEN_SECONDS = 20
"""Short-lived, so that the token endpoint is asked often enough to fail often."""

# What comes after the request was handled is as good as lost; what comes before never happened.
ALWAYS: tuple[Mapping[str, Any], ...] = (
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502, "accept": True},
    {"kind": "html", "accept": True},
    {"kind": "html", "status": 503},
    {"kind": "empty", "accept": True},
    {"kind": "redirect"},
    {"kind": "redirect", "accept": True},
    {"kind": "hang", "seconds": 1},
    {"kind": "hang", "seconds": 1, "accept": True},
    {"kind": "reset"},
    {"kind": "reset", "accept": True},
    {"kind": "drop_after_accept"},
    {"kind": "delay", "seconds": 0.5},
    {"kind": "broken_json"},
    {"kind": "wrong_types"},
    {"kind": "extra_fields"},
    {"kind": "slow_drip", "seconds": 0.002},
    {"kind": "huge", "bytes": 2 * 1024 * 1024},
    {"kind": "gzip_bomb", "bytes": 8 * 1024 * 1024},
)
ON_STATUS: tuple[Mapping[str, Any], ...] = ({"kind": "revoke_token"},)
ON_EXECUTE: tuple[Mapping[str, Any], ...] = ({"kind": "null_run_id"}, {"kind": "revoke_token"})
"""`revoke_token` rarely: it strikes every run at once, and each of them mints again."""


def rules(seed: int, share: float = SHARE) -> Iterator[dict[str, Any]]:
    """Fault rules that together strike that share of each operation's calls, every kind alike."""
    own = {"token": (), "execute": ON_EXECUTE, "status": ON_STATUS}
    luck = random.Random(seed)  # noqa: S311  # repeatable faults, no secrets
    for operation, extra in own.items():
        for kind in shared(share, [*ALWAYS, *extra], luck):
            yield {"operation": operation, **kind}


def shared(
    share: float, kinds: Sequence[Mapping[str, Any]], luck: random.Random
) -> Iterator[dict[str, Any]]:
    """The kinds in any order, each with its probability and a seed: of what they can strike they
    strike that share, each as much of it as the others."""
    kinds = luck.sample(kinds, len(kinds))
    each = share / len(kinds)
    for number, kind in enumerate(kinds):
        # the rules before have taken their share: of what is left this is as much as theirs
        probability = each / (1 - number * each)
        yield {"probability": probability, "seed": luck.randrange(2**32), **kind}


def run(site: ChaosSite, seed: int, size: int) -> Outcome:
    """So many activities on AOPs that end well, fail and pause."""
    began = time.monotonic()
    with site.scenario(NAME, seed) as stack:
        leena = stack.leena
        leena.change_settings(expires_in=TOKEN_SECONDS)
        leena.define_aop("completes", polls(in_progress=2, completed=0))
        leena.define_aop("pauses", polls(in_progress=1, paused=1, completed=0))
        leena.define_aop("breaks", polls(in_progress=1, failed=0))
        for rule in rules(seed):
            leena.add_fault(**rule)
        accepted: list[str] = []
        for wave in range(0, size, AT_ONCE):
            begun = _start_wave(stack, min(AT_ONCE, size - wave), f"{wave}")
            stack.wait_for_ends(begun, PATIENCE_SECONDS)
            accepted += begun
        findings = check(stack.books(accepted))
        counts = leena.ledger.as_document()["counts"]
        received = ", ".join(f"{counts[name]['received']} {name}" for name in counts)
        return Outcome(
            scenario=NAME,
            seed=seed,
            findings=findings,
            faults=leena.faults.fired(),
            seconds=time.monotonic() - began,
            notes=[
                f"requests upstream: {received}; of the {findings.unknown} unknown starts the"
                f" provider had taken {findings.unknown_started}"
            ],
            evidence=evidence_of(stack, findings),
        )


def _start_wave(stack: ChaosStack, number: int, batch: str) -> list[str]:
    share = number // 5
    parts = {"completes": number - 2 * share, "pauses": share, "breaks": share}
    return [
        activity_id
        for aop_id, count in parts.items()
        for activity_id in stack.start_many(aop_id, count, batch=batch)
    ]


def polls(**phases: int) -> list[dict[str, Any]]:
    """Phases of an AOP: how many looks see each; 0: for ever."""
    return [
        {"status": status, "polls": polls} if polls else {"status": status}
        for status, polls in phases.items()
    ]
