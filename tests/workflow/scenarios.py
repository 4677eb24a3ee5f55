"""What the provider does in each scenario, all of them started at once.

Each has an AOP and a connection of its own name, so that faults strike only it.
Not here: what has to come of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment

Phases = Sequence[tuple[str, int | None]]

COMPLETES: Phases = (("in_progress", 2), ("completed", None))
GOES_ON: Phases = (("in_progress", None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`phases`: statuses and how many polls see each. `aop` and `activity` are further fields."""

    phases: Phases = COMPLETES
    faults: Sequence[Mapping[str, Any]] = ()
    aop: Mapping[str, Any] = field(default_factory=dict)
    activity: Mapping[str, Any] = field(default_factory=dict)


def start_all(
    deployment: Deployment, leena: LeenaEmulator, scenarios: Mapping[str, Scenario]
) -> dict[str, str]:
    """Activity ids by scenario."""
    for name, scenario in scenarios.items():
        phases = [
            {"status": status} | ({} if polls is None else {"polls": polls})
            for status, polls in scenario.phases
        ]
        leena.define_aop(name, phases, **scenario.aop)
        deployment.connect(name, leena.url)
        for fault in scenario.faults:
            leena.add_fault(aop_id=name, **fault)
    return {
        name: deployment.start(name, name, **scenario.activity)
        for name, scenario in scenarios.items()
    }
