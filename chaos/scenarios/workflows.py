"""Workflows of Leap, in both dialects: 30 % of their webhooks go wrong, or 30 % of their starts.

What a webhook says is bent only where it can be told from the truth: in the dialect that cannot be
asked, one with the right ids is believed whatever it says (docs/decisions/0023-hooks.md), and one
with other ids is refused only once the start's answer is stored.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentruns.event_types import EventType
from agentruns.model import EvidenceSource
from agentruns.providers import LeapDialect
from agentruns.statuses import RunStatus
from chaos.books import Books, Findings
from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.ledgers import untaken, untold
from chaos.operating import DIALECTS
from chaos.outcome import Outcome, evidence_of
from chaos.scenarios.upstream import ALWAYS, shared
from chaos.stack import LOOK_EVERY_SECONDS, TENANT, ChaosStack, rests
from local.leap_emulator import WebhookEntry

SHARE = 0.3
EARLY_SHARE = 0.05
AT_ONCE = 50
PATIENCE_SECONDS = 240.0
SETTLING_SECONDS = 60.0
TICKS = 2
RUN_SECONDS = 3
"""How long a workflow runs: its start's answer is stored by then, but for `early`."""
GATEWAY_SECONDS = 30
"""API Gateway answers by then: nothing was taken whose answer the provider did not see."""
ENDS = {"completes": "completed", "breaks": "failed", "stops": "cancelled"}

OF_WEBHOOKS: tuple[Mapping[str, Any], ...] = (
    {"kind": "late", "seconds": 2},
    {"kind": "twice", "seconds": 0.5},
    {"kind": "shuffled", "seconds": 2},
    {"kind": "outdated"},
    {"kind": "forged"},
    {"kind": "mangled"},
    {"kind": "slow", "seconds": 1},
)
WHERE_IT_CAN_BE_ASKED: tuple[Mapping[str, Any], ...] = (
    {"kind": "lost"},
    {"kind": "forged_outcome"},
)
ONCE = {"times": 1}
"""For certain, however small the run."""

Rules = Iterator[dict[str, Any]]


def workflow_of(end: str, dialect: str) -> str:
    """Faults are by workflow, and differ by dialect."""
    return f"wkf_{end}_{dialect}"


def webhook_rules(seed: int) -> Rules:
    """Every kind on every workflow, and some ends that are told before the start is answered."""
    luck = random.Random(seed)  # noqa: S311  # repeatable faults, no secrets
    certain = {"operation": "webhook", "workflow_id": workflow_of("completes", "runs"), **ONCE}
    yield {"kind": "lost", **certain}
    yield {"kind": "forged_outcome", **certain}
    for dialect in DIALECTS:
        can_be_asked = LeapDialect(dialect).can_be_asked
        kinds = [*OF_WEBHOOKS, *(WHERE_IT_CAN_BE_ASKED if can_be_asked else ())]
        for end in ENDS:
            struck = {"workflow_id": workflow_of(end, dialect)}
            for rule in shared(SHARE, kinds, luck):
                yield {"operation": "webhook", **struck, **rule}
            for rule in shared(EARLY_SHARE, [{"kind": "early"}], luck):
                yield {"operation": "start", **struck, **rule}


def start_rules(seed: int) -> Rules:
    """What Leena's calls suffer, on starts."""
    luck = random.Random(seed)  # noqa: S311  # repeatable faults, no secrets
    yield {"operation": "start", "kind": "drop_after_accept", **ONCE}
    for rule in shared(SHARE, ALWAYS, luck):
        yield {"operation": "start", **rule}


@dataclass(frozen=True, slots=True)
class WorkflowFaults:
    """A scenario: its name, its rules, and how often it met what it is for; never: `proves_nothing`
    says so."""

    NAME: str
    rules: Callable[[int], Rules]
    met: Callable[[Books], int]
    proves_nothing: str
    SHORT: int = 10
    LONG: int = 200

    def run(self, site: ChaosSite, seed: int, size: int) -> Outcome:
        """So many activities, half of them in each dialect, on workflows that end well and badly.

        The sweeper is called only after everything was told, for what nobody told us.
        """
        began, accepted, ticks = time.monotonic(), list[str](), 0
        with site.scenario(self.NAME, seed) as stack:
            stack.leap.change_settings(webhook_timeout_seconds=GATEWAY_SECONDS)
            for end, status in ENDS.items():
                phases: list[dict[str, Any]] = [
                    {"status": "running", "seconds": RUN_SECONDS},
                    {"status": status},
                ]
                for dialect in DIALECTS:
                    stack.leap.define_workflow(workflow_of(end, dialect), phases)
            for rule in self.rules(seed):
                stack.leap.add_fault(**rule)
            for wave in range(0, size, AT_ONCE):
                begun = _start_wave(stack, min(AT_ONCE, size - wave), f"{wave}")
                _wait_until_told(stack, begun)
                ticks = max(ticks, stack.tick_until_rest(begun, TICKS))
                accepted += begun
            books = stack.books(accepted)
            findings = check(books)
            expectations = {
                "not every end was told in time": not untold(stack.leap),
                "a webhook that told an end was refused": not _refused(stack),
                "a start that was taken stayed unknown": findings.unknown_started == 0,
                self.proves_nothing: self.met(books) > 0,
            }
            return Outcome(
                scenario=self.NAME,
                seed=seed,
                findings=findings,
                faults=stack.leap.faults.fired(),
                seconds=time.monotonic() - began,
                ticks=ticks,
                notes=[_told(stack, books, findings)],
                broken=[text for text, holds in expectations.items() if not holds],
                evidence=evidence_of(stack, findings),
            )


def _start_wave(stack: ChaosStack, number: int, batch: str) -> list[str]:
    kinds = [(end, dialect) for end in ENDS for dialect in DIALECTS]
    counts = Counter(kinds[at % len(kinds)] for at in range(number))
    return [
        activity_id
        for (end, dialect), count in counts.items()
        for activity_id in stack.start_workflows(
            workflow_of(end, dialect), dialect, count, batch=batch
        )
    ]


def _wait_until_told(stack: ChaosStack, activity_ids: list[str]) -> None:
    """Until each was started or visibly waits, and everything the provider sends was sent. What
    waits to be started, held back by the connection's gate or parked, is brought on."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        records = [stack.store.read(TENANT, activity_id) for activity_id in activity_ids]
        not_started = [
            record
            for record in records
            if not rests(record)
            and record.current_run.status in {RunStatus.PENDING, RunStatus.DISPATCHING}
        ]
        if not not_started and not untold(stack.leap):
            break
        stack.open_gates()
        if idle := [record for record in not_started if stack.is_idle(record)]:
            stack.tick(idle)
        time.sleep(LOOK_EVERY_SECONDS)
    stack.wait_for_ends(activity_ids, SETTLING_SECONDS, by_ticks=False)


def _refused(stack: ChaosStack) -> list[WebhookEntry]:
    """Not: what found nobody, or was asked to come again."""
    return [
        entry
        for entry in untaken(stack.leap)
        if entry.response_status is not None and entry.response_status < 500
    ]


def _told(stack: ChaosStack, books: Books, findings: Findings) -> str:
    kinds = Counter(entry.kind for entry in stack.leap.ledger.webhooks())
    counts = stack.leap.ledger.as_document()["counts"]
    decided = _decided(books)
    duplicates = sum(
        event.type is EventType.DUPLICATE_START_DETECTED
        for log in books.events.values()
        for event in log
    )
    return (
        f"{counts['start']['received']} starts received;"
        f" webhooks: {', '.join(f'{number} {kind}' for kind, number in sorted(kinds.items()))},"
        f" {len(untaken(stack.leap))} of them not taken by us;"
        f" {decided[EvidenceSource.WEBHOOK]} ends were told, {decided[EvidenceSource.POLL]} found"
        f" by a look; {findings.resolved} unknown starts were resolved by their webhook, of the"
        f" {findings.unknown} left the provider had taken {findings.unknown_started};"
        f" {duplicates} other ids were flagged"
    )


def _decided(books: Books) -> Counter[EvidenceSource]:
    return Counter(
        evidence.source
        for record in books.records.values()
        for run in record.runs
        for evidence in run.evidence
        if evidence.decided
    )


def _found_by_a_look(books: Books) -> int:
    return _decided(books)[EvidenceSource.POLL]


def _resolved(books: Books) -> int:
    return check(books).resolved


WEBHOOKS = WorkflowFaults(
    "webhooks", webhook_rules, _found_by_a_look, "no lost end was found by a look"
)
LEAP_STARTS = WorkflowFaults(
    "leap-starts", start_rules, _resolved, "no unknown start was resolved by its webhook"
)
