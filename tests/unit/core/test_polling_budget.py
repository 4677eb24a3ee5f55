"""The planner under a connection's request budget, whoever keeps it.

A call that the budget holds back is an `UpstreamUnavailable` with `retry_after_seconds`, and
nothing was sent; the planner has nothing else to know of it. Here a stand-in before the provider
keeps the budget of a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from agentruns.durations import NO_HISTORY, DurationHistory
from agentruns.errors import UpstreamUnavailable
from agentruns.polling import MAX_RETRY_AFTER_SECONDS
from agentruns.provider_ports import AopAccepted, AopObservation
from agentruns.providers import LeenaConnection
from agentruns.secret import Secret
from agentruns.statuses import ActivityStatus
from tests.fakes.clock import FakeClock
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import World

SUBJECT = "it_support hr reset-vpn"
HALF_AN_HOUR = DurationHistory.of([1800.0 + 20 * each for each in range(-25, 25)])
HISTORIES = {"no history": NO_HISTORY, "learned": HALF_AN_HOUR}
every_history = pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)


class BudgetedLeenaApi(TimedLeenaApi):
    """So many calls in any sixty seconds; others are held back until there is room again."""

    def __init__(self, clock: FakeClock, calls_per_minute: int) -> None:
        super().__init__(clock, ((0.0, "in_progress"), (1800.0, "completed")))
        self.calls_per_minute = calls_per_minute
        self.sent: list[datetime] = []
        self.held_back = 0

    def execute(self, connection: LeenaConnection, token: Secret, **start: Any) -> AopAccepted:
        self._spend()
        return super().execute(connection, token, **start)

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        self._spend()
        return super().read_status(connection, token, aop_item_id)

    def _spend(self) -> None:
        now, minute = self.clock(), timedelta(seconds=60)
        recent = [each for each in self.sent if now - each < minute]
        if len(recent) >= self.calls_per_minute:
            self.held_back += 1
            free_at = recent[-self.calls_per_minute] + minute
            raise UpstreamUnavailable(
                "held back: requests per minute",
                retry_after_seconds=(free_at - now).total_seconds(),
            )
        self.sent.append(now)


def world_with(history: DurationHistory, **arguments: Any) -> World:
    world = World(**arguments)
    stored = world.durations.read("acme", SUBJECT)
    world.durations.write(replace(stored, history=history), world.clock())
    return world


@every_history
@pytest.mark.parametrize("retry_after_seconds", [7.0, 45.5, 200.0, 9000.0])
@pytest.mark.parametrize("age_seconds", [0, 600, 1790])
def test_a_held_back_look_is_planned_no_sooner_than_there_is_room(
    history, retry_after_seconds, age_seconds
):
    world = world_with(history)
    task = world.started()
    world.clock.advance(age_seconds)
    world.leena.on_read_status(
        UpstreamUnavailable("held back", retry_after_seconds=retry_after_seconds)
    )
    world.check_run(task)
    wait_seconds = (world.run(task).next_check_at - world.clock()).total_seconds()
    assert wait_seconds >= min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS)
    assert wait_seconds <= max(min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS) + 1, 60)


@every_history
def test_a_held_back_start_waits_for_its_room_and_is_sent_once(history):
    world = world_with(history)
    task = world.opened()
    world.leena.on_execute(UpstreamUnavailable("held back", retry_after_seconds=42))
    step = world.execute_aop(task)
    assert ("start", 42) == (step.next_step, step.wait_seconds)
    world.clock.advance(42)
    assert "check" == world.execute_aop(task).next_step


@every_history
def test_twenty_runs_at_once_stay_within_the_budget_and_all_end(history):
    world = world_with(
        history, leena=lambda clock: BudgetedLeenaApi(clock, 10), timeout_seconds=7200
    )
    activity_ids = [world.accept().activity_id for _ in range(20)]
    Driver(world).run()
    leena = world.leena
    statuses: Mapping[ActivityStatus, int] = {
        status: sum(world.record(each).activity.status is status for each in activity_ids)
        for status in ActivityStatus
    }
    assert 20 == statuses[ActivityStatus.DONE]
    assert leena.held_back > 0
    assert 20 == len(leena.accepted_for) == len(set(leena.accepted_for))
    in_a_minute = [
        sum(timedelta(0) <= other - each < timedelta(seconds=60) for other in leena.sent)
        for each in leena.sent
    ]
    assert max(in_a_minute) <= 10
    latest = max(world.record(each).activity.ended_at for each in activity_ids)
    first = min(leena.started_at.values())
    assert latest - first <= timedelta(seconds=1800 + 20 * 60)
