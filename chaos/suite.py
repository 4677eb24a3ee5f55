"""Which scenarios there are, how large, and in which order: the restart last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chaos.embedded import chaos_site
from chaos.outcome import Outcome
from chaos.scenarios import aws_faults, deliveries, kills, restart, upstream

SCENARIOS: Mapping[str, Any] = {
    scenario.NAME: scenario
    for scenario in (
        upstream,
        deliveries,
        aws_faults.COMMITTED_THEN_DROPPED,
        aws_faults.THROTTLED_TABLE,
        aws_faults.THROTTLED_SERVICES,
        kills,
        restart,
    )
}


def outcomes(
    wanted: Sequence[str], *, seed: int, seeds: int, short: bool, note: Callable[[str], None]
) -> Iterator[Outcome]:
    """Run them on one stack; `upstream` with so many seeds, the others with the first."""
    with chaos_site(seed, note) as site:
        for name, scenario in SCENARIOS.items():
            if name not in wanted:
                continue
            for number in range(seeds if name == upstream.NAME else 1):
                yield scenario.run(site, seed + number, scenario.SHORT if short else scenario.LONG)
