"""What a run costs, of a few runs per row: the targets hold, and the parts are what they are of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentruns.durations import NO_HISTORY
from bench import costs, prices


@pytest.mark.parametrize("sigma", [None, 0.3])
@pytest.mark.parametrize("length", costs.LENGTHS, ids=lambda length: length.name)
def test_a_run_of_any_length_stays_below_its_limits(length, sigma):
    some = costs._costs(replace(length, runs=2), sigma)
    limit = costs.MOST_DOLLARS if sigma is None else costs.MOST_DOLLARS_LEARNED
    for each in some:
        assert each.transitions <= costs.MOST_TRANSITIONS
        assert each.history_events <= costs.MOST_EVENTS
        assert 1_000 * each.all_dollars <= limit
        assert each.delay_seconds >= 0


def test_the_fixed_loop_is_the_one_that_was_computed():
    dollars = [each.fixed_dollars for each in costs.LENGTHS]
    assert dollars == pytest.approx([0.58, 4.69, 27.5, 657, 4600], rel=0.01)


def test_a_look_that_finds_nothing_new_costs_no_unit_of_the_table():
    hour, day = (costs.cost_of(length, length.seconds, NO_HISTORY, 0.5) for length in LONG)
    looks = day.checks - hour.checks
    assert looks > 1300
    more = (day.dollars["table"] - hour.dollars["table"]) / looks
    assert more < prices.READ_UNIT / 5


LONG = costs.LENGTHS[2:4]
