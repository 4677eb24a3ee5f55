"""What Leap does with a workflow in each scenario, and what it saw of us.

Each scenario has a workflow of its own name in each dialect, so that faults strike only it.
Not here: what has to come of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentruns.model import ActivityRecord
from local.leap_emulator import LeapEmulator, StartEntry, WebhookEntry
from tests.deployment import Deployment

DIALECTS = ("workflows", "runs")
Phases = Sequence[tuple[str, float | None]]
Case = tuple[str, str]
"""Scenario and dialect."""

COMPLETES: Phases = (("running", 1.5), ("completed", None))
GOES_ON: Phases = (("running", None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapScenario:
    """`phases`: statuses and their seconds. `workflow` and `activity` are further fields."""

    phases: Phases = COMPLETES
    faults: Sequence[Mapping[str, Any]] = ()
    workflow: Mapping[str, Any] = field(default_factory=dict)
    activity: Mapping[str, Any] = field(default_factory=dict)


def connection_of(dialect: str) -> str:
    return f"leap-{dialect}"


def start_all(
    deployment: Deployment, leap: LeapEmulator, scenarios: Mapping[str, LeapScenario]
) -> dict[Case, str]:
    """Each scenario in each dialect; activity ids by both."""
    return {
        (name, dialect): start(deployment, leap, name, dialect, scenario)
        for name, scenario in scenarios.items()
        for dialect in DIALECTS
    }


def start(
    deployment: Deployment, leap: LeapEmulator, name: str, dialect: str, scenario: LeapScenario
) -> str:
    """The id of the activity."""
    workflow_id = f"wkf_{name}_{dialect}"
    phases = [
        {"status": status} | ({} if seconds is None else {"seconds": seconds})
        for status, seconds in scenario.phases
    ]
    leap.define_workflow(workflow_id, phases, **scenario.workflow)
    for fault in scenario.faults:
        leap.add_fault(workflow_id=workflow_id, **fault)
    body = {"message": "Write", "context": {"topic": name}, **scenario.activity}
    return deployment.start_workflow(workflow_id, connection_of(dialect), **body)


def starts_of(leap: LeapEmulator, record: ActivityRecord) -> list[StartEntry]:
    """What the provider accepted for the activity's runs: their ids are in the hooks' URLs."""
    return [entry for run in record.runs for entry in leap.ledger.starts(webhook=run.run_id)]


def webhooks_of(leap: LeapEmulator, record: ActivityRecord, count: int) -> list[WebhookEntry]:
    """Of its current run, as soon as there are so many."""
    (start_entry,) = leap.ledger.starts(webhook=record.current_run.run_id)
    return leap.ledger.wait_for_webhooks(count, run_id=start_entry.run.run_id, timeout_seconds=60)
