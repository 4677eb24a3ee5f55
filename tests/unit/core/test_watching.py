"""The looks at parked runs as a function of what their entries say, tick by tick."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.durations import NO_HISTORY, DurationHistory
from agentruns.errors import StoreConflict
from agentruns.fair_queue import Lane
from agentruns.look_marks import LanePass, ToDo
from agentruns.polling import Detection, PollPolicy, plan_next_check
from agentruns.ports import DueRun, LookMark
from agentruns.statuses import RunStatus
from agentruns.watching import PlannedLooks, Watch, ladder
from tests.fakes.clock import NOON
from tests.fakes.look_marks import InMemoryLookMarkStore
from tests.properties import tried

DAY = 86_400
POLICY = PollPolicy()
HISTORY = DurationHistory.of([random.Random(5).lognormvariate(8, 0.2) for _ in range(50)])
LANE = Lane("acme", "hr")


def a_watch(**fields) -> Watch:
    values: dict[str, Any] = {
        "connection": "hr",
        "aop_item_id": "item-1",
        "status": RunStatus.PAUSED,
        "since": NOON,
        "deadline_at": NOON + timedelta(days=30),
        "polls": 3,
        "seen": "0a1b2c3d",
    }
    return Watch(**(values | fields))


def looks_of(first_in: float = 90.0, policy: PollPolicy = POLICY, **fields) -> PlannedLooks:
    return PlannedLooks(a_watch(**fields), NOON + timedelta(seconds=first_in), policy)


def planned_times(looks: PlannedLooks, until: datetime) -> list[datetime]:
    times: list[datetime] = []
    at = looks.next_after(None)
    while at <= until and (not times or at > times[-1]):
        times.append(at)
        at = looks.next_after(at)
    return times


class TestLadder:
    def test_a_pause_is_looked_at_as_planned_and_then_every_quarter_of_an_hour(self):
        rungs = ladder(RunStatus.PAUSED, POLICY, NO_HISTORY)
        assert [60, 120, 180, 240, 300, 375, 469] == list(rungs.ages[:7])
        assert 900 == rungs.then_every
        assert rungs.next_after(20 * DAY) <= 20 * DAY + 900

    def test_a_running_run_is_looked_at_in_every_tick(self):
        rungs = ladder(RunStatus.RUNNING, POLICY, NO_HISTORY)
        assert (60.0, 60, 24 * 60) == (rungs.ages[0], rungs.then_every, rungs.count(DAY))

    def test_no_two_rungs_are_nearer_than_the_ticks(self):
        eager = PollPolicy(floor_seconds=1, cap_seconds=5)
        assert 60 == ladder(RunStatus.RUNNING, eager, NO_HISTORY).then_every

    def test_a_learned_plan_has_its_looks_where_runs_end(self):
        rungs = ladder(RunStatus.RUNNING, POLICY, HISTORY)
        early, late = rungs.count(1000), rungs.count(6000) - rungs.count(1000)
        assert early <= 2 < 10 <= late

    @settings(deadline=None)
    @given(
        st.sampled_from([RunStatus.RUNNING, RunStatus.PAUSED]),
        st.sampled_from([NO_HISTORY, HISTORY]),
        st.floats(0.01, 1.0),
        st.floats(60, 7200),
        st.floats(0, 29 * DAY),
    )
    def test_no_rung_is_later_than_the_planner_says(self, status, history, share, cap, age):
        policy = PollPolicy(
            share=share, cap_seconds=cap, paused_share=share, paused_cap_seconds=cap
        )
        rungs = ladder(status, policy, history)
        before, after = rungs.last_until(age), rungs.next_after(age)
        plan = plan_next_check(
            status=status,
            age_seconds=before,
            deadline_in_seconds=60 * DAY,
            policy=policy,
            history=history,
        )
        assert before <= age < after
        assert after - before <= max(plan.wait_seconds, 60)

    @settings(deadline=None)
    @given(st.floats(0, 40 * DAY), st.floats(0, 40 * DAY))
    def test_counting_is_what_stepping_gives(self, one, other):
        rungs = ladder(RunStatus.PAUSED, POLICY, NO_HISTORY)
        start, end = sorted((one, other))
        steps, age = 0, rungs.next_after(start)
        while age <= end:
            steps, age = steps + 1, rungs.next_after(age)
        assert steps == rungs.count(end) - rungs.count(start)


class TestPlannedLooks:
    def test_the_first_is_the_entrys_and_the_others_stand_on_rungs(self):
        times = planned_times(looks_of(first_in=90), NOON + timedelta(seconds=300))
        assert [90, 120, 180, 240, 300] == [(at - NOON).total_seconds() for at in times]

    def test_the_deadline_is_looked_at_until_something_is_stored(self):
        looks = looks_of(deadline_at=NOON + timedelta(seconds=1000))
        deadline = NOON + timedelta(seconds=1000)
        assert deadline == looks.next_after(NOON + timedelta(seconds=950))
        for tick in range(3):
            at = deadline + timedelta(minutes=tick)
            assert looks.any_in(at - timedelta(minutes=1), at)
        assert looks.count(deadline) == looks.count(deadline + timedelta(days=1))

    def test_an_agents_own_detection_is_followed(self):
        hourly = looks_of(
            status=RunStatus.RUNNING,
            detection=Detection(relative_delay=None, max_delay_seconds=3600),
        )
        at = NOON + timedelta(hours=5)
        assert timedelta(hours=1) >= hourly.next_after(at) - at > timedelta(0)
        assert hourly.count(at) < 20 < looks_of(status=RunStatus.RUNNING).count(at)

    def test_a_run_whose_plan_wants_a_closer_look_does_not_stay_parked(self):
        looks = looks_of(status=RunStatus.RUNNING, durations=HISTORY, polls=0)
        parked = [looks.stays_parked(NOON + timedelta(seconds=age)) for age in range(0, 9000, 60)]
        assert parked[5]
        assert looks_of(status=RunStatus.RUNNING).stays_parked(NOON + timedelta(seconds=300))
        assert not looks_of(status=RunStatus.RUNNING).stays_parked(NOON + timedelta(seconds=100))

    @given(
        first_in=st.floats(30, 2 * DAY),
        ages=st.lists(st.floats(0, 3 * DAY), min_size=2, max_size=2),
        status=st.sampled_from([RunStatus.RUNNING, RunStatus.PAUSED]),
    )
    def test_a_window_has_a_look_where_one_is_planned_in_it(self, first_in, ages, status):
        looks = looks_of(first_in, status=status)
        after, until = (NOON + timedelta(seconds=age) for age in sorted(ages))
        assert looks.any_in(after, until) == (looks.next_after(after) <= until)
        assert looks.any_in(None, until) == (looks.next_after(None) <= until)


class Fleet:
    """Runs of one lane and ticks over them: which were looked at, and when."""

    def __init__(self, firsts: list[float], policy: PollPolicy) -> None:
        self.policy = policy
        self.marks = InMemoryLookMarkStore()
        self.looked_at: dict[str, list[datetime]] = defaultdict(list)
        self.entries = [
            DueRun(
                tenant="acme",
                activity_id=f"act_{number:03}",
                run_id=f"run_{number:03}",
                due_at=NOON + timedelta(seconds=first),
                watch=a_watch(since=NOON - timedelta(seconds=17 * number)),
            )
            for number, first in enumerate(firsts)
        ]

    def planned(self, due: DueRun) -> PlannedLooks:
        assert due.watch is not None
        return PlannedLooks(due.watch, due.due_at, self.policy)

    def begin(self, now: datetime) -> LanePass | None:
        due = [each for each in self.entries if each.due_at <= now]
        return ToDo.of(due, self.marks.list(), now, self.policy).passes.get(LANE)

    def look(self, lane_pass: LanePass | None, most: int, now: datetime) -> None:
        if lane_pass is None:
            return
        for due in lane_pass.runs[:most]:
            self.looked_at[due.run_id].append(now)
            lane_pass.finish(due.run_id)

    def end(self, lane_pass: LanePass | None, now: datetime) -> None:
        mark = lane_pass.take_moved_mark() if lane_pass else None
        try:
            if mark is not None:
                self.marks.write(mark, now)
        except StoreConflict:
            return


@settings(max_examples=150, deadline=None)
@given(
    firsts=st.lists(st.floats(30, 4000), min_size=1, max_size=12),
    share=st.floats(0.05, 1.0),
    cap=st.floats(60, 1800),
    ticks=st.lists(
        st.tuples(
            st.floats(55, 65),  # apart
            st.sampled_from(["whole", "whole", "whole", "bounded", "never", "died", "two"]),
            st.integers(0, 12),
        ),
        max_size=60,
    ),
)
def test_no_planned_look_is_lost_whatever_becomes_of_the_ticks(firsts, share, cap, ticks):
    """Late, bounded, dead and doubled ticks: after a whole one every planned look is made, by a
    look after it; and nobody is looked at without a planned look since the last."""
    policy = PollPolicy(paused_share=share, paused_cap_seconds=cap)
    fleet, now = Fleet(firsts, policy), NOON
    for apart, kind, most in [*ticks, (60.0, "whole", 0), (60.0, "whole", 0)]:
        now += timedelta(seconds=apart)
        if kind == "never":
            continue
        lane_pass = fleet.begin(now)
        other = fleet.begin(now) if kind == "two" else None
        fleet.look(lane_pass, most if kind in {"bounded", "died"} else len(fleet.entries), now)
        fleet.look(other, most, now)
        if kind != "died":
            fleet.end(lane_pass, now)
        fleet.end(other, now)
    for due in fleet.entries:
        looked_at = fleet.looked_at[due.run_id]
        planned = planned_times(fleet.planned(due), now)
        assert bool(planned) == bool(looked_at)
        if planned:
            assert looked_at[-1] >= planned[-1]
        for at in looked_at:
            assert at >= planned[0]


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_with_a_tick_a_minute_the_looks_are_those_planned_and_no_others(times):
    firsts = st.lists(st.floats(30, 600), min_size=1, max_size=8)
    tried(times, looks_are_those_planned_and_no_others, firsts=firsts)


def looks_are_those_planned_and_no_others(firsts):
    """Two rungs are a tick apart at least; the first look may share a tick with the next rung."""
    fleet, now = Fleet(firsts, POLICY), NOON
    for _ in range(200):
        now += timedelta(seconds=60)
        lane_pass = fleet.begin(now)
        fleet.look(lane_pass, len(fleet.entries), now)
        fleet.end(lane_pass, now)
    for due in fleet.entries:
        planned = planned_times(fleet.planned(due), now)
        looked_at = fleet.looked_at[due.run_id]
        assert len(planned) - 1 <= len(looked_at) <= len(planned)
        for at in looked_at:
            assert any(timedelta(0) <= at - each < timedelta(seconds=60) for each in planned)


@pytest.mark.parametrize("capacity", [1, 3, 7])
def test_a_lane_that_never_gets_done_gives_every_run_its_turn(capacity):
    fleet, now = Fleet([30.0] * 20, PollPolicy(paused_cap_seconds=60)), NOON
    rounds = 12
    for _ in range(rounds * 20 // capacity):
        now += timedelta(seconds=60)
        lane_pass = fleet.begin(now)
        fleet.look(lane_pass, capacity, now)
        fleet.end(lane_pass, now)
    counts = [len(fleet.looked_at[due.run_id]) for due in fleet.entries]
    assert min(counts) >= rounds // 2
    assert max(counts) - min(counts) <= 2


def test_a_mark_says_of_each_run_until_when_it_is_done():
    later = NOON + timedelta(minutes=1)
    mark = LookMark(tenant="acme", connection="hr", until=NOON, ahead_until=later, ahead_to="run_5")
    assert [later, later, NOON] == [mark.done_until(f"run_{n}") for n in (4, 5, 6)]
    assert NOON == replace(mark, ahead_to=None).done_until("run_4")
