"""Figure 7's arithmetic, on runs that were looked at exactly as planned, each time two seconds
late."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from agentruns.durations import DurationHistory
from agentruns.polling import PollPolicy
from bench.compressed import (
    BY_AGE,
    DETECTIONS,
    FIXED,
    FLOOR_SECONDS,
    LEARNED,
    RUNS,
    Followed,
    durations_of,
    lateness_of,
    look_ages_of,
    section,
)
from tests.fakes.world import World

LATE_SECONDS = 2.0


def runs_of(name: str, history: DurationHistory | None = None) -> list[Followed]:
    policy = DETECTIONS[name].applied_to(PollPolicy(floor_seconds=FLOOR_SECONDS))
    world = World()
    found = []
    for number, duration in enumerate(durations_of(random.Random(name), RUNS[name])):
        record = world.record(world.started().activity_id)
        # the first offset is the id's: the same in each run of this test
        run = replace(record.current_run, run_id=f"{name} {number}")
        record = replace(record, runs=(run,))
        if history is not None:
            record = replace(record, activity=replace(record.activity, durations=history))
        each = Followed(record=record, look_ages=(), duration=duration, delay=0.0)
        ages = look_ages_of(each, policy, lambda age: LATE_SECONDS, duration)
        found.append(replace(each, look_ages=ages, delay=ages[-1] - duration))
    return found


def test_lateness_is_what_the_looks_show():
    policy = DETECTIONS[FIXED].applied_to(PollPolicy(floor_seconds=FLOOR_SECONDS))
    lateness = lateness_of(runs_of(FIXED), policy)
    for age in (0.0, 100.0, 1000.0):
        assert pytest.approx(LATE_SECONDS) == lateness(age)


def test_what_went_as_planned_is_met_and_what_learned_nothing_is_not():
    history = DurationHistory.of(durations_of(random.Random(3), 50))
    followed = {FIXED: runs_of(FIXED), BY_AGE: runs_of(BY_AGE), LEARNED: runs_of(LEARNED, history)}
    assert [] == section(followed).missed
    unlearned = {**followed, LEARNED: runs_of(LEARNED)}
    assert ["ours, learned, end to end"] == section(unlearned).missed


def test_a_delay_that_the_plan_does_not_explain_is_missed():
    history = DurationHistory.of(durations_of(random.Random(3), 50))
    later = [replace(each, delay=each.delay + 30) for each in runs_of(FIXED)]
    followed = {FIXED: later, BY_AGE: runs_of(BY_AGE), LEARNED: runs_of(LEARNED, history)}
    assert ["fixed 20 s, end to end"] == section(followed).missed
