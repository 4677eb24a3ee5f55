"""Start's answer, callback token, webhook and deadline in any order: one end each, none stuck.

Each is a thread; before every call of a port a seeded scheduler says who goes on, so every run of
the test takes the same interleavings.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from agentruns.definitions import ActivityRequest
from agentruns.errors import StartUnknown
from agentruns.providers import LeapDialect
from agentruns.request_errors import HookRefused
from agentruns.statuses import RunStatus
from agentruns.steps import NextStep, RunTask, Step
from tests.fakes.world import REQUEST, World
from tests.unit.core.hooked import BULK_REQUEST, a_body, a_bulk_body, hook_of, leap_world
from tests.unit.core.invariants import check_invariants

pytestmark = pytest.mark.slow

INTERLEAVINGS = 1800
RUN_ENDS = {"RunCompleted", "RunFailed"}
ACTIVITY_ENDS = {"ActivityCompleted", "ActivityFailed"}


class Scheduler:
    """Lets one actor go on at a time, from one call of a port to its next."""

    def __init__(self, seed: int) -> None:
        self._choose = random.Random(seed)  # a seed, no secret
        self._turn = threading.Condition()
        self._waiting: set[int] = set()
        self._actors: set[int] = set()
        self._next: int | None = None
        self.order: list[int] = []
        self.errors: list[BaseException] = []

    def pause(self) -> None:
        """Called before each call of a port."""
        me = threading.get_ident()
        if me not in self._actors:
            return
        with self._turn:
            self._waiting.add(me)
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._next == me)
            self._next = None
            self._waiting.discard(me)

    def run(self, actors: list[Callable[[], object]]) -> None:
        threads = [threading.Thread(target=self._act, args=(actor,)) for actor in actors]
        with self._turn:
            for thread in threads:
                thread.start()
            self._turn.wait_for(lambda: len(self._actors) == len(threads))
        numbers = {thread.ident: number for number, thread in enumerate(threads)}
        while True:
            with self._turn:
                self._turn.wait_for(
                    lambda: self._next is None and self._waiting == self._actors, timeout=20
                )
                if not self._actors:
                    break
                chosen = self._choose.choice(sorted(self._waiting, key=lambda i: numbers[i]))
                self.order.append(numbers[chosen])
                self._next = chosen
                self._turn.notify_all()
        for thread in threads:
            thread.join()

    def _act(self, actor: Callable[[], object]) -> None:
        me = threading.get_ident()
        with self._turn:
            self._actors.add(me)
            self._turn.notify_all()
        try:
            self.pause()
            actor()
        except BaseException as error:  # noqa: BLE001  # told by the test
            self.errors.append(error)
        finally:
            with self._turn:
                self._actors.discard(me)
                self._turn.notify_all()

    def before(self, name: str, port: Any) -> Any:
        """`port`, with a pause before each of its calls."""
        return _Paused(port, self) if name in {"activities", "executions", "leap"} else port


class _Paused:
    def __init__(self, port: Any, scheduler: Scheduler) -> None:
        self._port = port
        self._scheduler = scheduler

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        def paused(*args: Any, **kwargs: Any) -> Any:
            self._scheduler.pause()
            answer = call(*args, **kwargs)
            if name == "start" and kwargs:  # the provider has it; its answer is still under way
                self._scheduler.pause()
            return answer

        return paused


class Execution:
    """The state machine's part: goes where each step says, until it waits or has ended."""

    def __init__(self, world: World, task: RunTask) -> None:
        self.world, self.task = world, task
        self.token: str | None = None
        self.tokens = 0
        self.ended: str | None = None

    def begin(self) -> None:
        self._go_on(self.world.start_leap_workflow(self.task))

    def go_on_if_woken(self) -> None:
        outputs = dict(self.world.executions.woken)
        if self.token in outputs:
            next_step, self.token = outputs[self.token]["next_step"], None
            self._take(NextStep(next_step))

    def _go_on(self, step: Step) -> None:
        self._take(step.next_step)

    def _take(self, next_step: NextStep) -> None:
        if next_step is NextStep.PARK:
            self.tokens += 1
            self.token = f"callback-{self.tokens}"
            self.world.executions.wait_on(self.token)
            self.world.park_run(self.task, self.token)
        elif next_step is NextStep.SETTLE:
            self._go_on(self.world.settle_run(self.task))
        else:
            self.ended = next_step.value
            self.world.executions.end(self.task.execution_arn, "SUCCEEDED")


def race(
    seed: int, dialect: LeapDialect, *, is_answered: bool, request: ActivityRequest = REQUEST
) -> tuple[World, RunTask, list[int]]:
    """Of a bulk run where the request names a CSV."""
    scheduler = Scheduler(seed)
    world = leap_world(dialect, wrap=scheduler.before, timeout_seconds=3600)
    task = world.opened(request)
    remote_id, body = ("rnp_1", a_body())
    if request is BULK_REQUEST:
        remote_id, body = ("bulk_1", a_bulk_body("bulk_1"))
    if not is_answered:
        world.leap.on_start(StartUnknown("no trustworthy answer"))
    world.leap.before_answer = lambda run, _: world.leap.ends(run.workflow_run_id)
    execution = Execution(world, task)

    def deliver() -> None:
        try:
            world.accept_hook(hook_of(world, task.run_id), body)
        except HookRefused:
            assert remote_id not in world.leap.runs  # asked before there was such a run

    def pass_deadline() -> None:
        world.clock.advance(3600)
        world.sweep(lambda: True)

    scheduler.run([execution.begin, deliver, deliver, pass_deadline])
    assert [] == scheduler.errors
    for _ in range(40):
        execution.go_on_if_woken()
        if execution.ended is not None:
            break
        world.clock.advance(60)
        world.sweep(lambda: True)
    assert execution.ended is not None, f"stuck: seed {seed}, order {scheduler.order}"
    return world, task, scheduler.order


@pytest.mark.parametrize(
    ("dialect", "request_"),
    [
        (LeapDialect.WORKFLOWS, REQUEST),
        (LeapDialect.RUNS, REQUEST),
        (LeapDialect.RUNS, BULK_REQUEST),
    ],
)
@pytest.mark.parametrize("is_answered", [True, False])
def test_every_interleaving_ends_once(dialect, request_, is_answered):
    orders, ends = set(), set()
    for seed in range(INTERLEAVINGS // 6):
        world, task, order = race(seed, dialect, is_answered=is_answered, request=request_)
        types = world.event_types(task.activity_id)
        told = f"seed {seed}: {types}"
        assert 1 == sum(each in RUN_ENDS for each in types), told
        assert 1 == sum(each in ACTIVITY_ENDS for each in types), told
        assert 1 >= len(world.leap.calls_of("start")), told
        tokens = [token for token, _ in world.executions.woken]
        assert len(set(tokens)) == len(tokens), told
        check_invariants(world, task.activity_id)
        orders.add(tuple(order))
        ends.add(world.run(task).status)

    assert len(orders) > 0.9 * INTERLEAVINGS / 6
    assert {RunStatus.COMPLETED, RunStatus.TIMEOUT} <= ends
