"""The AWS emulator ends and starts again with activities in flight.

Every running execution has failed then (`States.ServiceRestart`), and Lambda workers are gone;
rows, secrets and functions are kept. The provider goes on meanwhile, and agents go on calling. What
is left is the sweeper's, and the person's who answers what was asked before.
"""

from __future__ import annotations

import time
from collections import Counter

from agentruns.model import ActivityRecord
from agentruns.providers import WEBHOOK_AGENT
from agentruns.statuses import ActivityStatus, RunStatus
from chaos.agents.conduct import HOLDS
from chaos.agents.person import Person
from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.outcome import Outcome, evidence_of
from chaos.scenarios.upstream import polls
from chaos.stack import ChaosStack

NAME = "restart"
SHORT, LONG = 10, 50
TICKS = 2
AOPS = ("loops", "parks", "unknown", "fresh")
WAITING = {ActivityStatus.AWAITING_REVIEW, ActivityStatus.AWAITING_SUBTASK}
KINDS = 8
"""Of which each has as much; there are more of those in the loop where it does not divide."""


def run(site: ChaosSite, seed: int, size: int) -> Outcome:
    """So many in flight: some in the loop, some parked, some unknown, some hardly begun."""
    began = time.monotonic()
    with site.scenario(NAME, seed) as stack:
        leena = stack.leena
        for aop_id in AOPS:
            leena.define_aop(aop_id, polls(in_progress=0))
        leena.define_aop("parks", polls(paused=0))
        leena.add_fault(operation="execute", kind="drop_after_accept", aop_id="unknown")
        stack.hire()
        share = size // KINDS
        accepted = stack.start_many("loops", size - (KINDS - 1) * share)
        accepted += stack.start_many("parks", share)
        accepted += stack.start_many("unknown", share)
        held = stack.start_agents(HOLDS, share)
        reviewed = stack.start_agents("reviews", share)
        accepted += held + reviewed + stack.start_agents(f"delegates {stack.helper}", share)
        _wait_until_started(stack, size - (KINDS - 3) * share, held, reviewed)
        accepted += stack.start_many("fresh", share)
        accepted += stack.start_agents("delivers", share)
        before = _in_flight(stack, accepted)

        stack.restart_aws()

        leena.faults.clear()
        for entry in leena.ledger.executes():
            if entry.item is not None:
                leena.items.force_status(entry.item.aop_item_id, "completed")
        for aop_id in AOPS:
            leena.define_aop(aop_id, polls(completed=0))
        for activity_id in held:
            stack.agent.releases.of(activity_id).set()
        gone = sum(_lost_its_execution(stack, record) for record in before)
        person = Person(stack)
        with person.on_duty():
            ticks = stack.tick_until_rest(accepted, TICKS)
            resolved = _resolve_unknown(stack, accepted)
            ticks = max(ticks, stack.tick_until_rest(accepted, TICKS))
        findings = check(stack.books(accepted, person.answers))
        statuses = Counter(record.current_run.status.value for record in before)
        waited = [record for record in before if record.activity.status in WAITING]
        expectations = {
            "no execution died of the restart": gone > 0,
            "not every kind was in flight": {"running", "paused", "start_unknown"} <= {*statuses},
            "nobody waited for an answer": bool(waited),
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
                f" {len(waited)} of them waited for an answer; {resolved} unknown starts were"
                f" resolved after that, {len(person.answers)} answers given"
            ],
            broken=[text for text, holds in expectations.items() if not holds],
            evidence=evidence_of(stack, findings),
        )


def _wait_until_started(
    stack: ChaosStack, number: int, held: list[str], reviewed: list[str]
) -> None:
    """So many AOPs; and the agent has what it holds, and has asked for the reviews."""
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at:
        taken = {entry.activity_id for entry in stack.agent.ledger.taken()}
        statuses = {each.activity.status for each in _in_flight(stack, reviewed)}
        is_asked = statuses <= {ActivityStatus.AWAITING_REVIEW}
        if is_asked and {*held} <= taken and len(stack.leena.ledger.executes()) >= number:
            break
        stack.open_gates()  # a start whose answer was lost counts against the connection
        time.sleep(0.2)
    time.sleep(1)  # so that some are parked


def _in_flight(stack: ChaosStack, accepted: list[str]) -> list[ActivityRecord]:
    records = [stack.store.read("default", activity_id) for activity_id in accepted]
    return [record for record in records if not record.activity.status.is_terminal]


def _resolve_unknown(stack: ChaosStack, accepted: list[str]) -> int:
    """A person says what became of the AOPs' unknown starts; how many there were."""
    started = {start.run_id: start.remote_id for start in stack.books(accepted).starts}
    records = [stack.store.read("default", activity_id) for activity_id in accepted]
    aops = [record for record in records if record.activity.adapter.type != WEBHOOK_AGENT]
    runs = [record.current_run for record in aops]
    unknown = [run for run in runs if run.status is RunStatus.START_UNKNOWN]
    for run in unknown:
        item = started.get(run.run_id)
        found = {"bind": {"aop_item_id": item}} if item else {"not_started": True}
        stack.call("POST", f"/v1/runs/{run.run_id}/resolve", found)
    return len(unknown)


def _lost_its_execution(stack: ChaosStack, record: ActivityRecord) -> bool:
    history = stack.history(record, record.activity.generation)
    return not history or history[-1]["type"] != "ExecutionSucceeded"
