"""Lambda, Step Functions and EventBridge deliver at least once: each handler run three times with
the same event leaves the rows that one run leaves.

Not here: what the provider is asked (`test_kill_points`) and the real functions, which the fault
suite's `deliveries` invokes again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from agentruns.actions import ReviewWanted
from agentruns.agent_calls import AgentResult
from agentruns.agent_errors import ResultAlreadyReceived
from agentruns.commenting import NewComment
from agentruns.errors import StartUnknown
from agentruns.linking import LinkFromStream
from agentruns.model import Event
from agentruns.publishing import PublishEvents
from agentruns.secret import Secret
from agentruns.statuses import RunStatus
from agentruns.subtasks import Subtask
from agentruns.wait import Answer, Decision
from tests.fakes.event_bus import RecordingEventBus
from tests.fakes.world import LEAP_ADAPTER, TENANT, WRITER, World
from tests.unit.core.agents import DRAFT, FAILURE, WRITING, parked_writing
from tests.unit.core.hooked import a_body, hook_of, parked_workflow
from tests.unit.core.invariants import check_invariants
from tests.unit.structure.project import FUNCTION_NAMES

Deliver = Callable[[], object]


def accepting(world: World) -> Deliver:
    return lambda: world.accept(key="order-42")


def opening(world: World) -> Deliver:
    task = world.task(world.accept().activity_id)
    event = {
        "tenant": TENANT,
        "activity_id": task.activity_id,
        "generation": 1,
        "execution_arn": task.execution_arn,
    }
    return lambda: world.open_run(event)


def minting(world: World) -> Deliver:
    task = world.opened()
    return lambda: world.mint_token(task)


def starting(world: World) -> Deliver:
    task = world.opened()
    return lambda: world.execute_aop(task)


def starting_without_an_answer(world: World) -> Deliver:
    world.leena.on_execute(StartUnknown("reset by peer"))
    return starting(world)


def starting_a_workflow(world: World) -> Deliver:
    world.put_agent(adapter=LEAP_ADAPTER)
    task = world.opened()
    return lambda: world.start_leap_workflow(task)


def dispatching_an_agent(world: World) -> Deliver:
    task = world.opened(WRITING)
    return lambda: world.dispatch_agent(task)


def dispatching_without_an_answer(world: World) -> Deliver:
    world.agent.on_dispatch(StartUnknown("no answer"))
    return dispatching_an_agent(world)


def delivering(result: AgentResult) -> Callable[[World], Deliver]:
    def prepare(world: World) -> Deliver:
        task = parked_writing(world)
        caller = world.task_tokens.read(Secret(world.agent.sent[-1].task_token))

        def deliver() -> None:
            with suppress(ResultAlreadyReceived):
                world.deliver_result(caller, task.run_id, result)

        return deliver

    return prepare


def telling(word: str) -> Callable[[World], Deliver]:
    def prepare(world: World) -> Deliver:
        world.put_agent(adapter=LEAP_ADAPTER)
        task = parked_workflow(world)
        body = a_body(world.leap.ends("rnp_1", word))
        return lambda: world.accept_hook(hook_of(world, task.run_id), body)

    return prepare


def looking(word: str) -> Callable[[World], Deliver]:
    def prepare(world: World) -> Deliver:
        task = world.started()
        world.leena.on_read_status(word)
        return lambda: world.check_run(task)

    return prepare


def parking(world: World) -> Deliver:
    task = world.parked()
    return lambda: world.park_run(task, "callback-1")


def settling(word: str) -> Callable[[World], Deliver]:
    def prepare(world: World) -> Deliver:
        task = world.started()
        world.leena.on_read_status(word)
        world.check_run(task)
        return lambda: world.settle_run(task)

    return prepare


def settling_an_error(world: World) -> Deliver:
    task = world.opened()
    return lambda: world.settle_run(task, error="UpstreamRejected", cause="no such AOP")


def sweeping(world: World) -> Deliver:
    world.parked()
    world.leena.on_read_status("completed")
    world.clock.advance(3600)
    return lambda: world.sweep(lambda: True)


def publishing(world: World) -> Deliver:
    events = {str(event.sequence): event for event in world.events(world.started().activity_id)}
    records = [{"dynamodb": {"SequenceNumber": number}} for number in events]

    def event_of_record(record: Mapping[str, Any]) -> Event:
        return events[record["dynamodb"]["SequenceNumber"]]

    publish = PublishEvents(bus=RecordingEventBus(), event_of_record=event_of_record)
    return lambda: publish(records)


def asking_for_a_review(world: World) -> Deliver:
    wanted = ReviewWanted(title="Look at it", description="a draft")
    run_id = parked_writing(world).run_id
    return lambda: world.request_review(TENANT, run_id, wanted)


def opening_a_subtask(world: World) -> Deliver:
    subtask = Subtask(title="Research", agent_role=WRITER, prompt="find out")
    run_id = parked_writing(world).run_id
    return lambda: world.create_subtask(TENANT, run_id, subtask)


def deciding(world: World) -> Deliver:
    wanted = ReviewWanted(title="Look at it", description="a draft")
    asked = world.request_review(TENANT, parked_writing(world).run_id, wanted)
    answer = Answer(decision=Decision.REJECTED, answered_by="operator:k1", note="no")
    return lambda: world.decide_approval(TENANT, asked.wait.wait_id, answer)


def linking(world: World) -> Deliver:
    """The end of a subtask, as the stream brings it."""
    subtask = Subtask(title="Research", agent_role=WRITER, prompt="find out")
    wait = world.create_subtask(TENANT, parked_writing(world).run_id, subtask)
    child_id = str(wait.subtask_activity_id)
    world.cancel_activity(TENANT, child_id, "")
    return _streamed(world, child_id)


def notifying(world: World) -> Deliver:
    """A comment that mentions an agent, as the stream brings it."""
    activity_id = parked_writing(world).activity_id
    comment = NewComment(text=f"@agent:{WRITER} look")
    world.add_comment.by_operator(TENANT, activity_id, "k1", comment)
    return _streamed(world, activity_id)


def _streamed(world: World, activity_id: str) -> Deliver:
    events = {str(event.sequence): event for event in world.events(activity_id)}
    records = [{"dynamodb": {"SequenceNumber": number}} for number in events]
    link = LinkFromStream(
        link_activities=world.link_activities,
        follow_mentions=world.follow_mentions,
        event_of_record=lambda record: events[record["dynamodb"]["SequenceNumber"]],
    )
    return lambda: link(records)


def tending(world: World) -> Deliver:
    """The sweeper, where an approval has expired."""
    wanted = ReviewWanted(title="Look at it", description="a draft")
    world.request_review(TENANT, parked_writing(world).run_id, wanted)
    world.clock.advance(4 * 86_400)
    return lambda: world.sweep(lambda: True)


DELIVERIES: dict[str, dict[str, Callable[[World], Deliver]]] = {
    "accept_event": {"a request": accepting},
    "operator_api": {"a request": accepting, "a decision": deciding},
    "link_activities": {"a subtask's end": linking, "a mention": notifying},
    "open_run": {"an execution": opening},
    "mint_token": {"a run": minting},
    "execute_aop": {"a run": starting, "an answer that is lost": starting_without_an_answer},
    "start_leap_workflow": {"a run": starting_a_workflow},
    "dispatch_agent": {
        "a run": dispatching_an_agent,
        "an answer that is lost": dispatching_without_an_answer,
    },
    "agent_api": {
        "a result": delivering(DRAFT),
        "a failure": delivering(FAILURE),
        "a review": asking_for_a_review,
        "a subtask": opening_a_subtask,
    },
    "hooks_api": {word: telling(word) for word in ("running", "completed", "failed")},
    "check_run": {word: looking(word) for word in ("in_progress", "paused", "completed", "failed")},
    "park_run": {"a paused run": parking},
    "settle_run": {
        **{word: settling(word) for word in ("completed", "failed", "aborted")},
        "an error": settling_an_error,
    },
    "sweep": {"an ended run": sweeping, "an expired approval": tending},
    "publish_events": {"a log": publishing},
}
CASES = [(function, case) for function, cases in DELIVERIES.items() for case in cases]


LOOKED_AT = {RunStatus.RUNNING, RunStatus.PAUSED}


def rows(world: World) -> Any:
    """Every row, but for the counters of a followed run: how many looks, how many writes."""
    return [
        (
            entry.activity,
            entry.activity_input,
            [_without_count(run) for run in entry.runs.values()],
            list(entry.events),
            dict(entry.waits),
        )
        for entry in world.store._entries.values()
    ], dict(world.durations._rows)


def _without_count(run: Any) -> Any:
    return replace(run, polls=0, version=0) if run.status in LOOKED_AT else run


def test_every_function_is_here():
    assert set(FUNCTION_NAMES) == set(DELIVERIES)


@pytest.mark.parametrize(("function", "case"), CASES)
def test_run_three_times_it_leaves_the_rows_of_one_run(function, case):
    world = World()
    deliver = DELIVERIES[function][case](world)
    deliver()
    once = rows(world)

    deliver()
    deliver()

    assert once == rows(world)
    assert len(world.leena.executes) + len(world.leap.calls_of("start")) <= 1
    activity_ids = {activity_id for _, activity_id in world.store._entries}
    assert len(activity_ids) == (2 if {"subtask", "mention"} & set(re.findall(r"\w+", case)) else 1)
    for activity_id in activity_ids:
        check_invariants(world, activity_id)
