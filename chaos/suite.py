"""Which scenarios there are, how large, and in which order: the restart last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chaos.embedded import chaos_site
from chaos.outcome import Outcome
from chaos.scenarios import (
    agents,
    aws_faults,
    deliveries,
    kills,
    restart,
    upstream,
    workflows,
)

SCENARIOS: Mapping[str, Any] = {
    scenario.NAME: scenario
    for scenario in (
        agents,
        upstream,
        workflows.WEBHOOKS,
        workflows.LEAP_STARTS,
        deliveries,
        aws_faults.COMMITTED_THEN_DROPPED,
        aws_faults.THROTTLED_TABLE,
        aws_faults.THROTTLED_SERVICES,
        kills,
        restart,
    )
}

MOST_SEEDS: Mapping[str, int] = {
    agents.NAME: 3,
    upstream.NAME: 5,
    workflows.WEBHOOKS.NAME: 3,
    workflows.LEAP_STARTS.NAME: 3,
}
"""Of those that are run with several; the others take the first."""


def outcomes(
    wanted: Sequence[str], *, seed: int, seeds: int, short: bool, note: Callable[[str], None]
) -> Iterator[Outcome]:
    """Run them on one stack, with so many seeds where MOST_SEEDS allows."""
    with chaos_site(seed, note) as site:
        for name, scenario in SCENARIOS.items():
            if name not in wanted:
                continue
            for number in range(min(seeds, MOST_SEEDS.get(name, 1))):
                yield scenario.run(site, seed + number, scenario.SHORT if short else scenario.LONG)
