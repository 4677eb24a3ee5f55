"""An agent of one's own: 30 % of its dispatches meet a fault, and it calls back as it should not.

What it asks for is answered by a person, or by its own subtasks. Results come twice, ten at once,
before the dispatch is answered, after the run's end, with damaged tokens, or never.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from agentruns.event_types import EventType
from agentruns.model import EvidenceSource, WakeReason
from agentruns.statuses import RunStatus
from chaos.agents.agent import CUT, DISPATCH, OVERLONG
from chaos.agents.conduct import HOLDS
from chaos.agents.person import Person
from chaos.books import Books
from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.outcome import Outcome, evidence_of
from chaos.scenarios.upstream import shared
from chaos.stack import ChaosStack

NAME = "agents"
SHARE = 0.3
SHORT, LONG = 14, 100
AT_ONCE = 50
PATIENCE_SECONDS = 240.0
ROUNDS = 6
"""How often time passes at most for those that fell silent, each time with all the others done."""

FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 500, "accept": True},
    {"kind": "reset"},
    {"kind": "reset", "accept": True},
    {"kind": "hang", "seconds": 1},
    {"kind": "hang", "seconds": 1, "accept": True},
    {"kind": "drop_after_accept"},
    {"kind": "delay", "seconds": 4},
    {"kind": "delay", "seconds": 11},
    {"kind": "html", "accept": True},
    {"kind": "broken_json"},
    {"kind": CUT},
    {"kind": OVERLONG},
)
ONCE = {"times": 1}
PLANS = (
    *("reviews", "delegates", "approves", "blocked", "unanswering", "silent", "twice", "crowd"),
    *("early", "late", "damaged", "fails", "reviews", "delivers"),
)


def rules(seed: int) -> Iterator[dict[str, Any]]:
    """Every kind alike, and for certain one that leaves a start unknown, however small the run."""
    luck = random.Random(seed)  # noqa: S311  # repeatable faults, no secrets
    yield {"operation": DISPATCH, "kind": "drop_after_accept", **ONCE}
    yield {"operation": DISPATCH, "kind": "reset", **ONCE}
    for rule in shared(SHARE, FAULTS, luck):
        yield {"operation": DISPATCH, **rule}


def run(site: ChaosSite, seed: int, size: int) -> Outcome:
    """So many activities, their subtasks besides."""
    began, accepted, silent = time.monotonic(), list[str](), 0
    with site.scenario(NAME, seed) as stack:
        stack.hire()
        for rule in rules(seed):
            stack.agent.add_fault(**rule)
        person = Person(stack)
        with person.on_duty():
            for wave in range(0, size, AT_ONCE):
                begun = start_wave(stack, min(AT_ONCE, size - wave), f"{wave}")
                silent += wait_until_done(stack, begun)
                accepted += begun
        books = stack.books(accepted, person.answers)
        findings = check(books)
        expectations = {
            "no start was known by its agent's call alone": known_by_a_call(books) > 0,
            "no rejection woke a run": _woken(books)[WakeReason.REJECTION] > 0,
            "no agent fell silent": silent > 0,
            "a dispatch was not signed with the secret": not stack.agent.ledger.refused_signatures,
        }
        return Outcome(
            scenario=NAME,
            seed=seed,
            findings=findings,
            faults=stack.agent.faults.fired(),
            seconds=time.monotonic() - began,
            notes=[_told(stack, books, person)],
            broken=[text for text, holds in expectations.items() if not holds],
            evidence=evidence_of(stack, findings),
        )


def start_wave(stack: ChaosStack, number: int, batch: str) -> list[str]:
    """Every conduct in turn; each approval has an activity of its own that waits for it too."""
    counts = Counter(PLANS[at % len(PLANS)] for at in range(number))
    linked = stack.start_agents(HOLDS, min(counts["approves"], counts["delivers"]), batch)
    counts["delivers"] -= len(linked)
    begun = list(linked)
    for plan, count in counts.items():
        if plan != "approves":
            prompt = f"delegates {stack.helper}" if plan == "delegates" else plan
            begun += stack.start_agents(prompt, count, batch)
    for at in range(counts["approves"]):
        prompt = f"approves {linked[at]}" if at < len(linked) else "approves"
        begun += stack.start_agents(prompt, 1, f"{batch}-{at}")
    return begun


def wait_until_done(stack: ChaosStack, activity_ids: list[str]) -> int:
    """Until each has ended or visibly waits. Where nothing but silence is left, the time of the
    silent is up; how many they were."""
    silent = 0
    for _ in range(ROUNDS):
        left = stack.wait_for_ends(activity_ids, PATIENCE_SECONDS, by_ticks=False)
        if not left:
            break
        silent += stack.let_deadlines_pass(left)
        stack.tick(left)
    return silent


def known_by_a_call(books: Books) -> int:
    """Runs whose start nobody knew of until their agent called: before a usable answer to the
    dispatch, or in place of one."""
    return sum(
        event.type is EventType.RUN_STARTED
        and event.detail.get("source") == EvidenceSource.AGENT.value
        for log in books.events.values()
        for event in log
    )


def _woken(books: Books) -> Counter[WakeReason]:
    return Counter(run.wake_reason for _, run in books.agent_runs())


def _told(stack: ChaosStack, books: Books, person: Person) -> str:
    ledger = stack.agent.ledger
    counts, reasons = ledger.counts(), _woken(books)
    runs = [run for _, run in books.agent_runs()]
    timeouts = sum(run.status is RunStatus.TIMEOUT for run in runs)
    gaps = sum(line.text is None for lines in books.texts.values() for line in lines)
    pieces = sum(len(lines) for lines in books.texts.values()) - gaps
    waits = sum(len(record.waits) for record in books.records.values())
    asks = sum(counts[name] for name in counts if name.startswith(("request", "create", "report")))
    woken = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    return (
        f"{ledger.received} dispatches received for {len(runs)} runs ({woken});"
        f" {known_by_a_call(books)} starts were known by a call of the agent, {person.resolved}"
        f" unknown ones resolved by the person; {timeouts} runs fell silent;"
        f" {counts['result']} results of which {counts['result refused']} were refused;"
        f" {asks} asks made {waits} waits, {len(person.answers)} answers given;"
        f" {pieces} pieces of text in {len(books.texts)} logs with {gaps} gaps"
    )
