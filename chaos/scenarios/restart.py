"""The AWS emulator ends and starts again with activities in flight.

Every running execution has failed then (`States.ServiceRestart`), and Lambda workers are gone;
rows, secrets and functions are kept. The provider goes on meanwhile. What is left is the sweeper's.
"""

from __future__ import annotations

import time
from collections import Counter

from agentruns.model import ActivityRecord
from agentruns.statuses import RunStatus
from chaos.checker import check
from chaos.embedded import ChaosSite, ChaosStack
from chaos.outcome import Outcome, evidence_of
from chaos.scenarios.upstream import polls

NAME = "restart"
SHORT, LONG = 10, 50
TICKS = 2
AOPS = ("loops", "parks", "unknown", "fresh")


def run(site: ChaosSite, seed: int, size: int) -> Outcome:
    """So many in flight: some in the loop, some parked, some unknown, some hardly begun."""
    began = time.monotonic()
    with site.scenario(NAME, seed) as stack:
        leena = stack.leena
        for aop_id in AOPS:
            leena.define_aop(aop_id, polls(in_progress=0))
        leena.define_aop("parks", polls(paused=0))
        leena.add_fault(operation="execute", kind="drop_after_accept", aop_id="unknown")
        share = size // 5
        accepted = stack.start_many("loops", size - 3 * share)
        accepted += stack.start_many("parks", share)
        accepted += stack.start_many("unknown", share)
        _wait_until_started(stack, size - share)
        accepted += stack.start_many("fresh", share)
        before = _in_flight(stack, accepted)

        stack.restart_aws()

        leena.faults.clear()
        for entry in leena.ledger.executes():
            if entry.item is not None:
                leena.items.force_status(entry.item.aop_item_id, "completed")
        for aop_id in AOPS:
            leena.define_aop(aop_id, polls(completed=0))
        gone = sum(_lost_its_execution(stack, record) for record in before)
        ticks = stack.tick_until_rest(accepted, TICKS)
        resolved = _resolve_unknown(stack, accepted)
        ticks = max(ticks, stack.tick_until_rest(accepted, TICKS))
        findings = check(stack.books(accepted))
        statuses = Counter(record.current_run.status.value for record in before)
        expectations = {
            "no execution died of the restart": gone > 0,
            "not every kind was in flight": {"running", "paused", "start_unknown"} <= {*statuses},
        }
        return Outcome(
            scenario=NAME,
            seed=seed,
            findings=findings,
            faults=gone,
            seconds=time.monotonic() - began,
            ticks=ticks,
            notes=[
                f"{len(before)} in flight {dict(statuses)}, {gone} executions died,"
                f" {resolved} unknown starts were resolved after that"
            ],
            broken=[text for text, holds in expectations.items() if not holds],
            evidence=evidence_of(stack, findings),
        )


def _wait_until_started(stack: ChaosStack, number: int) -> None:
    give_up_at = time.monotonic() + 120
    while len(stack.leena.ledger.executes()) < number and time.monotonic() < give_up_at:
        stack.open_gates()  # a start whose answer was lost counts against the connection
        time.sleep(0.2)
    time.sleep(1)  # so that some are parked


def _in_flight(stack: ChaosStack, accepted: list[str]) -> list[ActivityRecord]:
    records = [stack.store.read("default", activity_id) for activity_id in accepted]
    return [record for record in records if not record.activity.status.is_terminal]


def _resolve_unknown(stack: ChaosStack, accepted: list[str]) -> int:
    """A person says what became of the unknown starts; how many there were."""
    started = {start.run_id: start.remote_id for start in stack.books(accepted).starts}
    runs = [stack.store.read("default", activity_id).current_run for activity_id in accepted]
    unknown = [run for run in runs if run.status is RunStatus.START_UNKNOWN]
    for run in unknown:
        item = started.get(run.run_id)
        found = {"bind": {"aop_item_id": item}} if item else {"not_started": True}
        stack.call("POST", f"/v1/runs/{run.run_id}/resolve", found)
    return len(unknown)


def _lost_its_execution(stack: ChaosStack, record: ActivityRecord) -> bool:
    history = stack.history(record, record.activity.generation)
    return not history or history[-1]["type"] != "ExecutionSucceeded"
