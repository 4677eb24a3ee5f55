"""Every scenario of `make chaos`, small: the same code, fewer activities. CHAOS_SEED: another."""

import os
from collections.abc import Iterator

import pytest

from chaos.embedded import ChaosSite, chaos_site
from chaos.outcome import Outcome
from chaos.suite import SCENARIOS

pytestmark = pytest.mark.stack

SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.fixture(scope="module")
def site() -> Iterator[ChaosSite]:
    with chaos_site(SEED, print) as up:
        yield up


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_doubled_contradicted_or_stuck(site: ChaosSite, name: str):
    scenario = SCENARIOS[name]

    outcome: Outcome = scenario.run(site, SEED, scenario.SHORT)

    assert outcome.is_clean, "\n".join([f"seed {SEED}", *outcome.complaints()])
    assert outcome.faults > 0
    assert outcome.findings.accepted == outcome.findings.unknown + sum(
        outcome.findings.ended.values()
    )
