"""AWS misbehaves towards the functions: answers get lost, calls are throttled, connections break.

Half of the activities are an agent's. The provider and the agent behave, so that every start that
nobody knows of has to come from a worker that gave up, and its execution's history has to say so.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentruns.model import ActivityRecord
from chaos.books import Books
from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.operating import RequestRefused
from chaos.outcome import Outcome, evidence_of
from chaos.proxy import Rule
from chaos.scenarios.upstream import polls
from chaos.stack import ChaosStack

SHARE = 0.3
PATIENCE_SECONDS = 180.0
AT_ONCE = 20
TICKS = 2
WRITES = ("PutItem", "TransactWriteItems", "UpdateItem", "DeleteItem")
READS = ("GetItem", "Query")
COMMIT_THEN_DROP = {"response": {"abort_frac": 0.0}}
STEP_FUNCTIONS = ("StartExecution", "DescribeExecution", "SendTaskSuccess", "StopExecution")


def _on(service: str, operations: tuple[str, ...], share: float, effect: Mapping[str, Any]) -> Any:
    return [
        {"service": service, "operation": operation, "probability": share, **effect}
        for operation in operations
    ]


@dataclass(frozen=True, slots=True)
class AwsFaults:
    """A scenario: its name and its rules."""

    NAME: str
    rules: list[Rule]
    SHORT: int = 5
    LONG: int = 60

    def run(self, site: ChaosSite, seed: int, size: int) -> Outcome:
        """So many activities, every one of them with somebody who behaves."""
        began = time.monotonic()
        broken: list[str] = []
        accepted: list[str] = []
        with site.scenario(self.NAME, seed) as stack:
            stack.leena.define_aop("behaves", polls(in_progress=2, completed=0))
            stack.leena.change_settings(expires_in=60)
            stack.hire()
            before = site.proxy.fired()
            site.proxy.set_rules(self.rules)
            try:
                for wave in range(0, size, AT_ONCE):
                    number = min(AT_ONCE, size - wave)
                    begun = stack.start_many("behaves", number - number // 2, batch=f"{wave}")
                    begun += stack.start_agents("delivers", number // 2, batch=f"{wave}")
                    stack.wait_for_ends(begun, PATIENCE_SECONDS, by_ticks=False)
                    accepted += begun
            except RequestRefused as error:
                broken.append(f"a false conflict: {error}")
            ticks = stack.tick_until_rest(accepted, TICKS)
            fired = site.proxy.fired() - before
            site.proxy.set_rules([])
            books = stack.books(accepted)
            findings = check(books)
            broken += [*_unexplained(stack, books), *_refused(books)]
            return Outcome(
                scenario=self.NAME,
                seed=seed,
                findings=findings,
                faults=sum(fired.values()),
                seconds=time.monotonic() - began,
                ticks=ticks,
                notes=[_listed(fired)],
                broken=broken if fired else [*broken, "no fault struck"],
                evidence=evidence_of(stack, findings),
            )


def _unexplained(stack: ChaosStack, books: Books) -> list[str]:
    """Unknown starts and failures of activities none of whose workers failed: false conflicts."""
    return [
        f"a false conflict: {activity_id} is {record.activity.status}, and no worker failed"
        for activity_id, record in books.records.items()
        if record.activity.status.value in {"blocked", "failed"} and not _has_failed(stack, record)
    ]


def _refused(books: Books) -> list[str]:
    """Calls of the agent that were refused, though none of their answers was lost."""
    return [
        f"a false conflict: {call.name} of {call.run_id} was answered {call.status}"
        for call in books.calls_named("context", "tool-call", "result")
        if not call.is_taken and call.tries == 1
    ]


def _has_failed(stack: ChaosStack, record: ActivityRecord) -> bool:
    generations = range(1, record.activity.generation + 1)
    return any(
        event["type"] in {"TaskFailed", "TaskTimedOut"}
        for generation in generations
        for event in stack.history(record, generation)
    )


def _listed(fired: Counter[str]) -> str:
    return ", ".join(f"{number} x {fault}" for fault, number in sorted(fired.items()))


COMMITTED_THEN_DROPPED = AwsFaults("lost-replies", _on("dynamodb", WRITES, SHARE, COMMIT_THEN_DROP))
THROTTLED_TABLE = AwsFaults(
    "table-faults",
    _on(
        "dynamodb",
        WRITES + READS,
        0.2,
        {"error": {"code": "ProvisionedThroughputExceededException"}},
    )
    + _on("dynamodb", WRITES + READS, 0.1, {"reset": True}),
)
THROTTLED_SERVICES = AwsFaults(
    "throttled-services",
    _on(
        "secretsmanager",
        ("GetSecretValue", "PutSecretValue"),
        SHARE,
        {"error": {"code": "ThrottlingException"}},
    )
    + _on("stepfunctions", STEP_FUNCTIONS, SHARE, {"error": {"code": "ThrottlingException"}}),
)
