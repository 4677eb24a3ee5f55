"""A simulator of Step Functions over the use cases, with a clock that jumps.

It reads `statemachines/activity.asl.json` and follows its states, choices, Retry and Catch as they
stand there; what a Task does is the use case of its name. Waits and backoffs cost no time. The
minute tick of the sweeper runs beside, and FakeExecutions is told what runs. Not here: JSONata
beyond the two forms of condition the machine uses, jitter, Lambda. The real thing is run by
tests/workflow.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from agentruns import telemetry
from agentruns.ports import DueRun, LookMark
from agentruns.steps import RunTask, Step
from agentruns.watching import PlannedLooks
from tests.fakes.world import World

ASL = Path(__file__).parents[2] / "statemachines" / "activity.asl.json"
TICK = timedelta(seconds=60)
FAR = datetime(9999, 1, 1, tzinfo=UTC)
_NEXT_STEP = re.compile(r"next_step = '(\w+)'")
_ADAPTER = re.compile(r"adapter = '(\w+)'")


@functools.cache
def _definition() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ASL.read_text(encoding="utf-8"))
    return found


def _write_nothing(name: str, unit: str, value: float, dimensions: Mapping[str, str]) -> None:
    """In place of a metric."""


class Killed(BaseException):
    """A worker's process ended. No `except Exception` sees it, as with a real kill."""


@dataclass
class Machine:
    """One execution. `at`: when it goes on; None while it waits on `callback_token` alone."""

    arn: str
    input: Mapping[str, Any]
    state: str
    at: datetime
    variables: dict[str, Any] = field(default_factory=lambda: {"error": "", "cause": ""})
    callback_token: str | None = None
    retries: int = 0


class Driver:
    """Runs every execution that the world starts, and the sweeper, to the end or a time.

    `visits`: the states each execution entered, which is what Step Functions bills.
    `kill_execution`: a killed worker takes its whole execution with it. Not `has_sweeper`: the
    minute tick never comes. Metrics are written nowhere.
    """

    def __init__(
        self, world: World, *, kill_execution: bool = False, has_sweeper: bool = True
    ) -> None:
        self.has_sweeper = has_sweeper
        self.world = world
        self.kill_execution = kill_execution
        self.asl = _definition()
        self.machines: dict[str, Machine] = {}
        self.ended: dict[str, str] = {}
        self.visits: dict[str, list[str]] = {}
        self.at_times: list[tuple[datetime, Callable[[], object]]] = []
        self.started = 0
        self.tokens = 0
        self.ticks = 0
        self.next_tick = world.clock() + TICK

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something from outside, so many seconds from now."""
        self.at_times.append((self.world.clock() + timedelta(seconds=seconds), action))
        self.at_times.sort(key=lambda item: item[0])

    def run(self, *, seconds: float = 40 * 86_400) -> None:
        """Until nothing is left to do, at most so long; the clock then stands there."""
        end = self.world.clock() + timedelta(seconds=seconds)
        # two lines for every tick of a month would be most of its time
        with mock.patch.object(telemetry, "_write_metric", _write_nothing):
            for _ in range(200_000):
                self._take_started()
                at = self._next_time()
                if at is None or at > end:
                    return
                if at > self.world.clock():
                    self.world.clock.set(at)
                self._do_what_is_due()
        raise AssertionError("the simulation does not come to an end")

    # Time.

    def _next_time(self) -> datetime | None:
        times = [machine.at for machine in self.machines.values()]
        times += [at for at, _ in self.at_times[:1]]
        tick = self._useful_tick()
        return min([*times, *([tick] if tick else [])], default=None)

    def _useful_tick(self) -> datetime | None:
        """The first tick that finds a run due. The others find nothing and are skipped."""
        due = self.world.store.list_due_runs(FAR, 1_000)
        if not due or not self.has_sweeper:
            return None
        marks = {each.connection: each for each in self.world.marks.list()}
        first_at = min(self._to_be_swept_at(each, marks) for each in due)
        late = max((first_at - self.next_tick) / TICK, 0)
        return self.next_tick + TICK * -(-late // 1)

    def _to_be_swept_at(self, due: DueRun, marks: Mapping[str, LookMark]) -> datetime:
        if due.watch is None:
            return due.due_at
        mark = marks.get(due.watch.connection)
        looks = PlannedLooks(due.watch, due.due_at, self.world.policy)
        return looks.next_after(mark.done_until(due.run_id) if mark else None)

    def _do_what_is_due(self) -> None:
        now = self.world.clock()
        while self.at_times and self.at_times[0][0] <= now:
            self.at_times.pop(0)[1]()
        self._take_woken()
        for machine in list(self.machines.values()):
            if machine.at <= now:
                self._step(machine)
                return
        tick = self._useful_tick()
        if tick is not None and tick <= now:
            self.next_tick = tick + TICK
            self._sweep()

    def _sweep(self) -> None:
        self.ticks += 1
        try:
            self.world.sweep(lambda: True)
        except Killed:
            return
        finally:
            self._take_woken()

    # Executions.

    def start(self, name: str, payload: Mapping[str, Any]) -> str:
        """As EventBridge Scheduler does. The execution's ARN."""
        arn = self.world.executions.arn_of(name)
        self.world.executions.run(arn)
        self._begin(arn, payload)
        return arn

    def _take_started(self) -> None:
        started = self.world.executions.started
        for execution in started[self.started :]:
            self._begin(execution.arn, execution.payload)
        self.started = len(started)

    def _begin(self, arn: str, payload: Mapping[str, Any]) -> None:
        self.visits[arn] = [self.asl["StartAt"]]
        self.machines[arn] = Machine(
            arn=arn, input=dict(payload), state=self.asl["StartAt"], at=self.world.clock()
        )

    def _take_woken(self) -> None:
        woken = dict(self.world.executions.woken)
        for machine in self.machines.values():
            if machine.callback_token in woken:
                output = woken[machine.callback_token]
                machine.callback_token = None
                self._succeed(machine, output)

    def _end(self, machine: Machine, status: str) -> None:
        self.machines.pop(machine.arn, None)
        self.ended[machine.arn] = status
        if machine.callback_token is not None:
            self.world.executions.expire(machine.callback_token)
        self.world.executions.end(machine.arn, status)

    def lose(self, arn: str) -> None:
        """The execution is gone, whatever it was at."""
        self._end(self.machines[arn], "ABORTED")

    # States.

    def _step(self, machine: Machine) -> None:
        state = self.world.executions.describe(machine.arn)
        if state is None or not state.running:
            self._end(machine, "ABORTED")
            return
        if machine.callback_token is not None:  # its TimeoutSeconds ran out
            self.world.executions.expire(machine.callback_token)
            machine.callback_token = None
            self._catch(machine, "States.Timeout", "")
            return
        state_type = self._state(machine)["Type"]
        if state_type == "Task":
            self._invoke(machine)
        elif state_type == "Choice":
            self._go(machine, self._choose(machine))
        elif state_type == "Wait":
            self._after_wait(machine)
        else:
            self._end(machine, "SUCCEEDED" if state_type == "Succeed" else "FAILED")

    def _state(self, machine: Machine) -> dict[str, Any]:
        found: dict[str, Any] = self.asl["States"][machine.state]
        return found

    def _go(self, machine: Machine, state: str, wait_seconds: float = 0) -> None:
        machine.state = state
        machine.retries = 0
        self.visits[machine.arn].append(state)
        if self._state(machine)["Type"] == "Wait":
            wait_seconds = machine.input["wait_seconds"]
        machine.at = self.world.clock() + timedelta(seconds=wait_seconds)

    def _after_wait(self, machine: Machine) -> None:
        state = self._state(machine)
        if "Output" in state:
            names = ("tenant", "activity_id", "generation")
            machine.input = {name: machine.variables[name] for name in names}
        self._go(machine, state["Next"])

    def _choose(self, machine: Machine) -> str:
        for choice in self._state(machine)["Choices"]:
            condition = choice["Condition"]
            next_step, adapter = _NEXT_STEP.search(condition), _ADAPTER.search(condition)
            if next_step and machine.input["next_step"] != next_step[1]:
                continue
            if adapter and machine.input["adapter"] != adapter[1]:
                continue
            if "wait_seconds > 0" in condition and machine.input["wait_seconds"] <= 0:
                continue
            assert next_step or adapter, condition
            return str(choice["Next"])
        return str(self._state(machine)["Default"])

    def _invoke(self, machine: Machine) -> None:
        try:
            output = self._call(machine)
        except Killed:
            if self.kill_execution:
                self._end(machine, "FAILED")
            else:
                self._fail(machine, "Runtime.ExitError", "the worker died")
            return
        except Exception as error:  # noqa: BLE001  # what Lambda does with it
            name = type(error).__name__
            cause = json.dumps({"errorMessage": str(error), "errorType": name})
            self._fail(machine, name, cause)
            return
        if machine.callback_token is None:
            self._succeed(machine, output)
            return
        machine.at = self.world.clock() + timedelta(seconds=machine.input["park_seconds"])
        self._take_woken()

    def _call(self, machine: Machine) -> Mapping[str, Any]:
        world, name = self.world, machine.state
        if name == "OpenRun":
            return world.open_run({**machine.input, "execution_arn": machine.arn}).to_json()
        task = RunTask(
            tenant=machine.variables["tenant"],
            activity_id=machine.variables["activity_id"],
            run_id=machine.variables["run_id"],
            execution_arn=machine.arn,
        )
        if name == "ParkRun":
            self.tokens += 1
            token = f"callback-{self.tokens}"
            world.executions.wait_on(token)
            machine.callback_token = token
            world.park_run(task, token)
            return {}
        if name == "SettleRun":
            error, cause = machine.variables["error"], machine.variables["cause"]
            return world.settle_run(task, error=error, cause=cause).to_json()
        workers: dict[str, Callable[[RunTask], Step]] = {
            "MintToken": world.mint_token,
            "ExecuteAop": world.execute_aop,
            "StartLeapWorkflow": world.start_leap_workflow,
            "DispatchAgent": world.dispatch_agent,
            "CheckRun": world.check_run,
        }
        return workers[name](task).to_json()

    def _succeed(self, machine: Machine, output: Mapping[str, Any]) -> None:
        variables = machine.variables
        if machine.state == "OpenRun":
            variables["generation"] = machine.input.get("generation", 1)
            variables |= {name: output[name] for name in ("tenant", "activity_id", "run_id")}
        if machine.state == "SettleRun":
            variables |= {"error": "", "cause": "", "run_id": output["run_id"]}
        machine.input = output
        self._go(machine, self._state(machine)["Next"])

    def _fail(self, machine: Machine, error: str, cause: str) -> None:
        if machine.callback_token is not None:  # each attempt has its own token
            self.world.executions.expire(machine.callback_token)
            machine.callback_token = None
        for retrier in self._state(machine)["Retry"]:
            if not _matches(retrier["ErrorEquals"], error):
                continue
            if machine.retries >= retrier["MaxAttempts"]:
                break
            wait_seconds = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** machine.retries
            machine.retries += 1
            wait = timedelta(seconds=min(wait_seconds, retrier["MaxDelaySeconds"]))
            machine.at = self.world.clock() + wait
            return
        self._catch(machine, error, cause)

    def _catch(self, machine: Machine, error: str, cause: str) -> None:
        for catcher in self._state(machine)["Catch"]:
            if not _matches(catcher["ErrorEquals"], error):
                continue
            if "Assign" in catcher:
                machine.variables |= {"error": error, "cause": cause[:2000]}
            if "Output" in catcher:
                machine.input = {"error": error, "cause": cause}
            self._go(machine, catcher["Next"])
            return
        self._end(machine, "FAILED")


def _matches(names: list[str], error: str) -> bool:
    if error in names or "States.ALL" in names:
        return True
    return "States.TaskFailed" in names and error != "States.Timeout"
