"""A connection that limits how many activities are under way: who waits, who is next, who never."""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from threading import Thread
from typing import Any

import pytest

from agentruns.admission import free_slots
from agentruns.definitions import ActivityRequest
from agentruns.errors import StartUnknown
from agentruns.event_types import EventType
from agentruns.ids import activity_id_of
from agentruns.model import Admission, OnStartUnknown, Priority
from agentruns.ports import ActivityFilter, Slots
from agentruns.providers import ConnectionLimits
from agentruns.redriving import Redrive
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import CONNECTION, REQUEST, TENANT, World
from tests.unit.core.invariants import check_invariants

ANY = ActivityFilter()
MINUTE = 60.0
RUNS_A_MINUTE = ((0.0, "in_progress"), (MINUTE, "completed"))


def limited_world(limit: int | None, *timelines: Any, **agent: Any) -> World:
    world = World(
        leena=lambda clock: TimedLeenaApi(clock, *(timelines or (RUNS_A_MINUTE,))), **agent
    )
    set_limit(world, limit)
    return world


def set_limit(world: World, limit: int | None) -> None:
    limits = ConnectionLimits(max_concurrent_runs=limit)
    world.connections.put(replace(CONNECTION, limits=limits))


def accept_in_turn(world: World, *requests: ActivityRequest) -> list[str]:
    """One a second."""
    ids = []
    for request in requests:
        ids.append(world.accept(request).activity_id)
        world.clock.advance(1)
    return ids


def most_at_once(world: World, activity_ids: list[str]) -> int:
    """Of the activities' own times between start and end."""
    moments: list[tuple[Any, int]] = []
    for activity_id in activity_ids:
        for event in world.events(activity_id):
            if event.type is EventType.RUN_STARTED:
                moments.append((event.at, 1))
        if world.record(activity_id).current_run.started_at is not None:
            moments.append((world.record(activity_id).activity.ended_at, -1))
    at_once = most = 0
    for _, step in sorted(moments):  # who ends at a moment goes before who starts at it
        at_once += step
        most = max(most, at_once)
    return most


def require_slots(world: World) -> None:
    """The queue and the slots say of each activity what its row says."""
    slots = world.store.read_slots(TENANT, "hr", 10_000)
    activities = [
        world.record(each.activity_id).activity
        for each in world.store.list_activities(TENANT, ANY, 10_000, None).items
    ]
    held = [each.slot for each in activities if each.admission is Admission.ADMITTED]
    assert sorted(slots.taken) == sorted(held)
    waiting = {each.activity_id for each in activities if each.admission is Admission.WAITING}
    assert set(slots.waiting) == waiting
    for activity in activities:
        assert not activity.status.is_terminal or activity.admission in {
            Admission.LEFT,
            Admission.UNLIMITED,
        }


class TestOneAfterTheOther:
    def test_no_more_than_the_limit_are_under_way_and_all_end(self):
        world = limited_world(3, timeout_seconds=86_400)
        driver = Driver(world)
        ids = accept_in_turn(world, *[REQUEST] * 20)
        driver.run()
        assert {ActivityStatus.DONE} == {world.record(each).activity.status for each in ids}
        assert 3 == most_at_once(world, ids)
        assert 20 == len(world.leena.accepted_for) == len(set(world.leena.accepted_for))
        for each in ids:
            check_invariants(world, each)
        require_slots(world)
        assert Slots(taken=frozenset(), waiting=()) == world.store.read_slots(TENANT, "hr", 9)

    def test_a_free_slot_is_given_on_at_once(self):
        """Nobody waits for the sweeper: the end of one is the start of the next."""
        world = limited_world(1)
        driver = Driver(world, has_sweeper=False)
        first, second = accept_in_turn(world, REQUEST, REQUEST)
        driver.run(seconds=600)
        ended_at = world.record(first).activity.ended_at
        assert ended_at == world.record(second).current_run.started_at
        assert ActivityStatus.DONE is world.record(second).activity.status

    def test_priority_goes_first_then_age(self):
        world = limited_world(1)
        driver = Driver(world)
        high = replace(REQUEST, priority=Priority.HIGH)
        ids = accept_in_turn(world, REQUEST, REQUEST, REQUEST, high)
        driver.run()
        started = sorted(ids, key=lambda each: world.record(each).current_run.started_at)
        assert [ids[3], ids[0], ids[1], ids[2]] == started

    def test_a_newcomer_does_not_pass_those_who_wait(self):
        world = limited_world(1)
        waiting = world.accept()
        world.clock.advance(1)
        newcomer = world.opened()
        assert Admission.WAITING is world.record(newcomer.activity_id).activity.admission
        assert Admission.ADMITTED is world.record(waiting.activity_id).activity.admission

    def test_without_a_limit_nobody_waits(self):
        world = limited_world(None)
        task = world.opened()
        assert Admission.UNLIMITED is world.record(task.activity_id).activity.admission
        assert Slots(taken=frozenset(), waiting=()) == world.store.read_slots(TENANT, "hr", 9)


class TestWhileItWaits:
    def test_it_is_queued_its_execution_parked_and_nothing_is_sent(self):
        world = limited_world(1)
        driver = Driver(world)
        _, waiting = accept_in_turn(world, REQUEST, REQUEST)
        driver.run(seconds=20)
        record = world.record(waiting)
        assert (ActivityStatus.QUEUED, RunStatus.PENDING) == (
            record.activity.status,
            record.current_run.status,
        )
        assert record.current_run.callback_token is not None
        assert 1 == len(world.leena.accepted_for)
        (visits,) = [
            states for arn, states in driver.visits.items() if arn == record.activity.execution_arn
        ]
        assert ["OpenRun", "ChooseNextStep", "ParkRun"] == visits

    def test_waiting_for_a_week_costs_no_transition(self):
        world = limited_world(
            1,
            ((0.0, "paused"), (7 * 86_400.0, "completed")),
            RUNS_A_MINUTE,
            timeout_seconds=30 * 86_400,
        )
        driver = Driver(world)
        _, waiting = accept_in_turn(world, REQUEST, REQUEST)
        driver.run()
        assert ActivityStatus.DONE is world.record(waiting).activity.status
        states = driver.visits[world.record(waiting).activity.execution_arn]
        assert states.count("ParkRun") <= 6, "only its own looks, ever rarer"

    def test_it_can_be_cancelled_and_leaves_the_queue(self):
        world = limited_world(1)
        driver = Driver(world)
        first, waiting, last = accept_in_turn(world, REQUEST, REQUEST, REQUEST)
        driver.at(5, lambda: world.cancel_activity(TENANT, waiting, "no longer needed"))
        driver.run()
        assert ActivityStatus.CANCELLED is world.record(waiting).activity.status
        assert {first, last} == {activity_id_of(each) for each in world.leena.accepted_for}
        require_slots(world)

    def test_its_deadline_ends_it(self):
        world = limited_world(1, ((0.0, "paused"), (3 * 86_400.0, "completed")))
        world.put_agent(timeout_seconds=7 * 86_400)
        driver = Driver(world)
        _, waiting = accept_in_turn(world, REQUEST, replace(REQUEST, timeout_seconds=3600))
        driver.run()
        activity = world.record(waiting).activity
        assert (ActivityStatus.FAILED, "deadline_passed") == (activity.status, activity.error.code)
        late = (activity.ended_at - activity.deadline_at).total_seconds()
        assert 0 <= late <= MINUTE
        assert 1 == len(world.leena.accepted_for)
        check_invariants(world, waiting)
        require_slots(world)


class TestWhoHoldsASlot:
    def test_a_cancelled_one_gives_it_on(self):
        world = limited_world(1, ((0.0, "in_progress"),), RUNS_A_MINUTE)
        driver = Driver(world, has_sweeper=False)
        holder, waiting = accept_in_turn(world, REQUEST, REQUEST)
        driver.at(30, lambda: world.cancel_activity(TENANT, holder, "stop"))
        driver.run(seconds=600)
        assert ActivityStatus.DONE is world.record(waiting).activity.status

    def test_the_next_attempt_keeps_it(self):
        world = limited_world(1, ((0.0, "failed"),), RUNS_A_MINUTE, RUNS_A_MINUTE)
        world.put_agent(retry=replace(world.put_agent().retry, max_attempts=2, backoff_seconds=60))
        driver = Driver(world)
        ids = accept_in_turn(world, *[REQUEST] * 2)
        driver.run()
        first, second = (world.record(each) for each in ids)
        assert 2 == len(first.runs)
        assert first.activity.ended_at <= second.current_run.started_at
        require_slots(world)

    def test_an_unknown_start_keeps_it_until_somebody_decides(self):
        """The provider may be running it."""
        world = limited_world(1, RUNS_A_MINUTE, on_start_unknown=OnStartUnknown.HOLD)
        world.leena.on_execute(StartUnknown("reset"))
        driver = Driver(world)
        holder, waiting = accept_in_turn(world, REQUEST, REQUEST)
        driver.run(seconds=600)
        assert ActivityStatus.BLOCKED is world.record(holder).activity.status
        assert ActivityStatus.QUEUED is world.record(waiting).activity.status
        world.cancel_activity(TENANT, holder, "nothing was started")
        driver.run(seconds=600)
        assert ActivityStatus.DONE is world.record(waiting).activity.status

    def test_a_successor_waits_for_one_of_its_own(self):
        world = limited_world(1, ((0.0, "failed"),), RUNS_A_MINUTE, RUNS_A_MINUTE)
        driver = Driver(world)
        failed, other = accept_in_turn(world, REQUEST, REQUEST)
        driver.run(seconds=20)
        redrive = Redrive(reason="the provider is back")
        successor = world.redrive_activity(TENANT, failed, redrive, None).activity_id
        waiting = world.record(successor).activity
        assert (Admission.WAITING, None) == (waiting.admission, waiting.slot)
        driver.run()
        assert {ActivityStatus.DONE} == {
            world.record(each).activity.status for each in (other, successor)
        }
        assert 1 == most_at_once(world, [other, successor])
        require_slots(world)


class TestWhenTheLimitChanges:
    def test_a_higher_one_admits_more_at_the_next_visit(self):
        world = limited_world(1, timeout_seconds=86_400)
        driver = Driver(world)
        ids = accept_in_turn(world, *[REQUEST] * 6)
        driver.at(20, lambda: set_limit(world, 3))
        driver.run()
        assert 3 == most_at_once(world, ids)
        require_slots(world)

    def test_a_lower_one_stops_nobody_and_holds_as_slots_are_left(self):
        world = limited_world(3)
        driver = Driver(world)
        ids = accept_in_turn(world, *[REQUEST] * 8)
        driver.at(20, lambda: set_limit(world, 1))
        driver.run()
        assert {ActivityStatus.DONE} == {world.record(each).activity.status for each in ids}
        assert 1 == most_at_once(world, ids[3:])
        require_slots(world)

    def test_without_one_all_who_wait_are_admitted(self):
        world = limited_world(1)
        for _ in range(60):
            world.opened()
        set_limit(world, None)
        assert 59 == world.admit_activities(TENANT, "hr")
        assert 60 == len(world.store.read_slots(TENANT, "hr", 99).taken)
        require_slots(world)

    def test_a_connection_that_is_gone_keeps_nobody_waiting(self):
        world = limited_world(1)
        driver = Driver(world)
        ids = accept_in_turn(world, *[REQUEST] * 2)
        driver.at(10, lambda: world.connections.delete(TENANT, "hr"))
        driver.run()
        assert ActivityStatus.FAILED is world.record(ids[1]).activity.status
        assert "connection_not_found" == world.record(ids[1]).activity.error.code


class TestRaces:
    def test_many_who_end_and_come_at_once_give_each_slot_once(self):
        world = limited_world(5)
        tasks = [world.opened() for _ in range(40)]
        holders = [
            task
            for task in tasks
            if world.record(task.activity_id).activity.admission is Admission.ADMITTED
        ]
        assert 5 == len(holders)
        threads = [
            Thread(target=world.cancel_activity, args=(TENANT, task.activity_id, "race"))
            for task in holders
        ]
        threads += [Thread(target=world.admit_activities, args=(TENANT, "hr")) for _ in range(8)]
        random.Random(7).shuffle(threads)
        with contextlib.redirect_stdout(io.StringIO()):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        world.admit_activities(TENANT, "hr")
        slots = world.store.read_slots(TENANT, "hr", 99)
        assert (5, 30) == (len(slots.taken), len(slots.waiting))
        require_slots(world)

    def test_a_slot_that_was_given_before_the_execution_parked_wakes_it(self):
        world = limited_world(1)
        holder, waiting = world.opened(), world.opened()
        world.cancel_activity(TENANT, holder.activity_id, "ends")
        world.executions.wait_on("callback-1")
        world.park_run(waiting, "callback-1")
        ((token, output),) = world.executions.woken
        assert ("callback-1", "start") == (token, output["next_step"])

    def test_a_slot_that_was_given_before_the_execution_began_is_found_by_it(self):
        world = limited_world(1)
        accepted = world.accept()
        assert 1 == world.admit_activities(TENANT, "hr")
        assert ActivityStatus.QUEUED is world.record(accepted.activity_id).activity.status
        task = world.task(accepted.activity_id)
        event = {
            "tenant": TENANT,
            "activity_id": task.activity_id,
            "generation": 1,
            "execution_arn": task.execution_arn,
        }
        assert "start" == world.open_run(event).next_step
        assert ActivityStatus.IN_PROGRESS is world.record(accepted.activity_id).activity.status
        check_invariants(world, accepted.activity_id)


@pytest.mark.parametrize(
    ("taken", "limit", "free"),
    [
        (set(), 2, [0, 1]),
        ({0, 2}, 5, [1, 3, 4]),
        ({0, 2, 7}, 5, [1, 3]),  # 7 is of the time of a higher limit, and counts
        ({5, 6, 7}, 3, []),
        ({0, 1, 2, 3}, 3, []),
    ],
)
def test_free_slots_are_the_lowest_numbers_up_to_the_limit(taken, limit, free):
    assert free == list(free_slots(Slots(taken=frozenset(taken), waiting=()), limit))


def test_who_waited_is_visited_ever_more_rarely_but_never_after_its_deadline():
    world = limited_world(1)
    world.opened()
    task = world.opened()
    world.executions.wait_on("callback-1")
    world.park_run(task, "callback-1")
    deadline_at = world.record(task.activity_id).activity.deadline_at
    visits = []
    while (due_at := world.run(task).due_at) < deadline_at:
        world.clock.set(due_at)
        with contextlib.redirect_stdout(io.StringIO()):
            world.sweep(lambda: True)
        visits.append(due_at)
    gaps = [(later - earlier) for earlier, later in pairwise(visits)]
    assert timedelta(seconds=MINUTE) == visits[0] - NOON
    assert sorted(gaps) == gaps
    assert timedelta(minutes=15) == gaps[-1]
    assert deadline_at == world.run(task).due_at
