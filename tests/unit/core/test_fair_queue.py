"""Whose turn it is: lanes, their width, and what is kept free for placing."""

from __future__ import annotations

import threading

from agentruns.fair_queue import FairQueue, Lane
from agentruns.ports import DueRun
from tests.fakes.clock import NOON

SLOW = Lane("acme", "slow")
FAST = Lane("acme", "fast")
FOREIGN = Lane("globex", "hr")


def due(name: str) -> DueRun:
    return DueRun(tenant="acme", activity_id=name, run_id=name, due_at=NOON)


def queue_of(*names: str, has_time=lambda: True, workers=4, lane_width=2, placers=1) -> FairQueue:
    return FairQueue(
        [due(name) for name in names],
        has_time=has_time,
        workers=workers,
        lane_width=lane_width,
        placers=placers,
    )


def take(queue: FairQueue) -> tuple[Lane, str]:
    """Of a run that waited: its lane and its name."""
    turn = queue.take()
    assert turn is not None
    assert turn.lane is not None
    return turn.lane, turn.run.run_id


def place_all(queue: FairQueue, *lanes: Lane) -> list[bool]:
    placed = []
    for lane in lanes:
        turn = queue.take()
        assert turn is not None
        assert turn.lane is None
        placed.append(queue.place(turn.run, lane))
    return placed


def test_a_lane_takes_as_many_as_it_is_wide_and_the_others_wait():
    queue = queue_of("1", "2", "3", "4")
    assert [True, True, False, True] == place_all(queue, SLOW, SLOW, SLOW, FAST)
    assert 1 == queue.count_left()


def test_looks_leave_workers_free_to_place():
    queue = queue_of("1", "2", "3", "4", lane_width=4)
    assert [True, True, True, False] == place_all(queue, SLOW, SLOW, SLOW, SLOW)


def test_what_waits_has_its_turn_when_its_lane_has_room():
    queue = queue_of("1", "2", "3")
    place_all(queue, SLOW, SLOW, SLOW)
    queue.finish(SLOW)
    assert (SLOW, "3") == take(queue)
    queue.finish(SLOW)
    queue.finish(SLOW)
    assert queue.take() is None


def test_the_next_turn_is_the_least_served_tenants():
    queue = queue_of("1", "2", "3", "4", "5", workers=3, lane_width=2)
    place_all(queue, SLOW, SLOW, SLOW, FAST, FOREIGN)
    queue.finish(SLOW)
    turns = []
    for _ in range(3):
        lane, _ = take(queue)
        turns.append(lane)
        queue.finish(lane)
    assert [FOREIGN, FAST, SLOW] == turns


def test_without_time_nothing_is_taken_and_the_rest_is_counted():
    queue = queue_of("1", "2", has_time=lambda: False)
    assert queue.take() is None
    assert 2 == queue.count_left()


def test_a_worker_waits_for_room_and_goes_on():
    queue = queue_of("1", "2", "3")
    place_all(queue, SLOW, SLOW, SLOW)
    taken: list[tuple[Lane, str]] = []
    thread = threading.Thread(target=lambda: taken.append(take(queue)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    queue.finish(SLOW)
    thread.join(5)
    assert [(SLOW, "3")] == taken
