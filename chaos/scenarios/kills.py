"""Lambda workers killed (-9) while activities run: at random moments, and with a task in hand."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass

from agentruns.model import ActivityRecord
from chaos.agents.agent import DISPATCH
from chaos.agents.person import Person
from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.ledgers import untaken, untold
from chaos.outcome import Outcome, evidence_of
from chaos.scenarios.agents import known_by_a_call
from chaos.scenarios.upstream import polls
from chaos.stack import ChaosStack

NAME = "kills"
SHORT, LONG = 5, 50
FIRST_ACTIVITIES, MORE_ACTIVITIES = 12, 4
MEAN_SECONDS_BETWEEN = 0.7
ON_THE_WAY = (
    *("operator-api", "open-run", "mint-token", "execute-aop", "check-run", "settle-run"),
    *("start-leap-workflow", "park-run", "hooks-api", "publish-events"),
    *("dispatch-agent", "agent-api", "agent-api", "link-activities"),
)
"""The functions that an activity's way leads through; the others idle here."""
CALLS_UPSTREAM = {
    "execute": "execute-aop",
    "status": "check-run",
    "start": "start-leap-workflow",
    "read": "hooks-api",
    DISPATCH: "dispatch-agent",
}
"""Not the minting: all others wait for the lease of a worker that died of it, half a minute."""
LOOK_EVERY_SECONDS = 0.02
PATIENCE_SECONDS = 240.0
TICKS = 2
WORKER_DIED = "Runtime.ExitError"


@dataclass(slots=True)
class Killer:
    """Strikes so many times, then ends: each time all workers of one function, since most of them
    idle at any moment. Every second time that is a function with a task in hand, waited for.
    Pauses and the other functions come of the seed; who is at work does not."""

    stack: ChaosStack
    seed: int
    wanted: int
    strikes: int = 0
    killed: int = 0

    def run(self, is_over: threading.Event) -> None:
        luck = random.Random(self.seed)  # noqa: S311  # repeatable faults, no secrets
        while self.strikes < self.wanted and not is_over.is_set():
            time.sleep(luck.expovariate(1 / MEAN_SECONDS_BETWEEN))
            anyone = luck.choice(ON_THE_WAY)
            function = anyone if self.strikes % 2 else self._at_work(is_over)
            died = sum(_kill(pid) for name, pid in self.stack.workers() if name == function)
            self.killed += died
            self.strikes += died > 0

    def _at_work(self, is_over: threading.Event) -> str:
        """The function whose call the provider has just received: it waits a second for the answer.
        "" where there is none any more."""
        before = self._received()
        while not is_over.wait(LOOK_EVERY_SECONDS):
            for operation, number in self._received().items():
                if number > before[operation]:
                    return CALLS_UPSTREAM[operation]
        return ""

    def _received(self) -> dict[str, int]:
        leena, leap = self.stack.leena.ledger, self.stack.leap.ledger
        counts = leena.as_document()["counts"] | leap.as_document()["counts"]
        counts |= {DISPATCH: {"received": self.stack.agent.ledger.received}}
        return {operation: counts[operation]["received"] for operation in CALLS_UPSTREAM}


def run(site: ChaosSite, seed: int, size: int) -> Outcome:
    """Kills at so many moments. Every call upstream takes a second, so that workers die at work."""
    began = time.monotonic()
    with site.scenario(NAME, seed) as stack:
        stack.leena.define_aop("works", polls(in_progress=3, completed=0))
        for operation in ("token", "execute", "status"):
            stack.leena.add_fault(operation=operation, kind="delay", seconds=1)
        for operation in ("start", "read"):
            stack.leap.add_fault(operation=operation, kind="delay", seconds=1)
        stack.hire()
        stack.agent.add_fault(operation=DISPATCH, kind="delay", seconds=1)
        accepted = _start(stack, FIRST_ACTIVITIES, "first")
        killer, is_over = Killer(stack, seed, size), threading.Event()
        thread = threading.Thread(target=killer.run, args=(is_over,))
        person = Person(stack)
        with person.on_duty():
            thread.start()
            try:
                while thread.is_alive():
                    under_way = len(stack.wait_for_ends(accepted, 0, by_ticks=False))
                    if under_way < FIRST_ACTIVITIES:
                        accepted += _start(stack, MORE_ACTIVITIES, f"{len(accepted)}")
                    else:
                        is_over.wait(LOOK_EVERY_SECONDS)
            finally:
                is_over.set()
                thread.join()
            give_up_at = time.monotonic() + PATIENCE_SECONDS
            while untold(stack.leap) and time.monotonic() < give_up_at:
                time.sleep(LOOK_EVERY_SECONDS)
            stack.wait_for_ends(accepted, PATIENCE_SECONDS, by_ticks=False)
            ticks = stack.tick_until_rest(accepted, TICKS)
        books = stack.books(accepted, person.answers)
        findings = check(books)
        struck = sum(_killed_tasks(stack, record) for record in books.records.values())
        return Outcome(
            scenario=NAME,
            seed=seed,
            findings=findings,
            faults=killer.killed,
            seconds=time.monotonic() - began,
            ticks=ticks,
            notes=[
                f"{killer.killed} workers killed at {killer.strikes} moments,"
                f" {struck} of them with a task of an execution in hand;"
                f" {len(untaken(stack.leap))} webhooks were not taken,"
                f" {findings.resolved} unknown starts were resolved by theirs,"
                f" {person.resolved} by the person; {known_by_a_call(books)} starts were known by"
                f" a call of the agent;"
                f" {sum(call.tries > 1 for call in books.calls)} of {len(books.calls)} calls of"
                f" agents were sent again"
            ],
            broken=[] if struck else ["no execution felt a kill"],
            evidence=evidence_of(stack, findings),
        )


def _start(stack: ChaosStack, count: int, batch: str) -> list[str]:
    """A quarter are AOPs, a quarter workflows, which can be asked: a webhook may meet a dead
    worker, and is lost. Half are an agent's, which gives a part on, or has it reviewed."""
    quarter = count // 4
    begun = stack.start_workflows("wkf_completes", "runs", quarter, batch)
    begun += stack.start_agents(f"delegates {stack.helper}", quarter, batch)
    begun += stack.start_agents("reviews", quarter, batch)
    return begun + stack.start_many("works", count - len(begun), batch)


def _kill(pid: int) -> bool:
    """False where it had ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _killed_tasks(stack: ChaosStack, record: ActivityRecord) -> int:
    generations = range(1, record.activity.generation + 1)
    return sum(
        event.get("taskFailedEventDetails", {}).get("error") == WORKER_DIED
        for generation in generations
        for event in stack.history(record, generation)
    )
