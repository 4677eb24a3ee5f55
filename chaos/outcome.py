"""What came of a scenario: as a row of the table, and as evidence where it failed.

Not here: the judging (`checker`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentruns.model import ActivityRecord
from chaos.books import VERDICTS, Findings
from chaos.stack import ChaosStack

COLUMNS = (
    *("scenario", "seed", "activities", "faults", "starts", "done", "failed", "start_unknown"),
    *VERDICTS,
    "ticks",
    "seconds",
)
SHOWN_OFFENDERS = 3
SHOWN_LOG_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`faults`: how many struck. `broken`: expectations of the scenario itself that did not hold,
    in words. `notes` are told with the table. `ticks`: of the sweeper, where they count."""

    scenario: str
    seed: int
    findings: Findings
    faults: int
    seconds: float
    ticks: int | None = None
    notes: Sequence[str] = ()
    broken: Sequence[str] = ()
    evidence: Sequence[str] = field(default=(), repr=False)

    @property
    def is_clean(self) -> bool:
        return self.findings.is_clean and not self.broken

    def cells(self) -> list[str]:
        """A row under COLUMNS."""
        ended = {status.value: number for status, number in self.findings.ended.items()}
        return [
            self.scenario,
            str(self.seed),
            str(self.findings.accepted),
            str(self.faults),
            str(self.findings.starts),
            str(ended.get("done", 0)),
            str(ended.get("failed", 0)),
            str(self.findings.unknown),
            *(str(self.findings.count(verdict)) for verdict in VERDICTS),
            "-" if self.ticks is None else str(self.ticks),
            f"{self.seconds:.0f}",
        ]

    def complaints(self) -> Iterator[str]:
        """What is wrong, and what is known of it; nothing where all is well."""
        where = f"{self.scenario}, seed {self.seed}"
        for text in self.broken:
            yield f"BROKEN ({where}): {text}"
        for offence in self.findings.offences:
            who = offence.activity_id or "no activity"
            yield f"{offence.verdict.upper()} ({where}): {who}: {offence.reason}"
        yield from self.evidence


def evidence_of(stack: ChaosStack, findings: Findings) -> list[str]:
    """Row, event log, execution histories and log lines of the first offending activities."""
    offenders = dict.fromkeys(o.activity_id for o in findings.offences if o.activity_id)
    lines: list[str] = []
    for activity_id in list(offenders)[:SHOWN_OFFENDERS]:
        record = stack.store.read("default", activity_id)
        lines += [f"--- {activity_id}: the row", f"  {record.activity}"]
        lines += [f"  {run}" for run in record.runs]
        lines += ["  its events", *(f"    {event}" for event in stack.events(activity_id))]
        lines += _histories(stack, record)
        lines += ["  its log lines", *_log_lines(stack.log_files, activity_id)]
    return lines


def _histories(stack: ChaosStack, record: ActivityRecord) -> Iterator[str]:
    for generation in range(1, record.activity.generation + 1):
        yield f"  its execution, generation {generation}"
        for event in stack.history(record, generation):
            details = [value for name, value in event.items() if name.endswith("Details")]
            text = json.dumps(details, default=str)[:300]
            yield f"    {event['timestamp']:%H:%M:%S.%f} {event['type']} {text}"


def _log_lines(log_files: Sequence[Path], activity_id: str) -> list[str]:
    found: list[str] = []
    for log_file in log_files:
        with log_file.open(errors="replace") as log:
            found += [f"    {line.rstrip()[:500]}" for line in log if activity_id in line]
    return found[-SHOWN_LOG_LINES:]
