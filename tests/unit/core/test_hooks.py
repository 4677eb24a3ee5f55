"""Webhooks: early, late, twice, shuffled, mangled, forged."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from agentruns.errors import UpstreamUnavailable
from agentruns.event_types import EventType
from agentruns.providers import LeapDialect
from agentruns.request_errors import HookRefused
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.steps import NextStep
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import HOOK_SECRET_ARN, TENANT, World
from tests.unit.core.hooked import (
    a_body,
    camel,
    hook_of,
    leap_world,
    parked_workflow,
    snake,
)
from tests.unit.core.invariants import check_invariants


@pytest.fixture(params=list(LeapDialect))
def world(request) -> World:
    return leap_world(request.param)


def ended(world: World, status: str = "completed", **fields: Any) -> bytes:
    """The provider's run has ended; what its webhook sends."""
    return a_body(world.leap.ends("rnp_1", status, **fields))


def test_the_hook_of_a_run_is_unguessable_and_its_own():
    world = leap_world()
    urls = {world.hook_urls.url_of(TENANT, f"run_{'0' * 26}_{n}").reveal() for n in range(1, 100)}
    macs = {url.rsplit(".", 1)[-1] for url in urls}

    assert 99 == len(macs)
    assert {43} == {len(mac) for mac in macs}, "256 bits"


def change_the_secret(world: World, key: str) -> None:
    world.secrets.put(HOOK_SECRET_ARN, {"key": key}, "")


def test_a_hook_is_good_after_one_change_of_the_secret_and_not_after_two(world):
    task = parked_workflow(world)
    hook = hook_of(world, task.run_id)
    running, completed = a_body(world.leap.ends("rnp_1", "running")), ended(world)
    change_the_secret(world, "b" * 48)
    hook_after = hook_of(world, task.run_id)
    assert hook_after != hook

    world.accept_hook(hook, running)
    change_the_secret(world, "c" * 48)
    with pytest.raises(HookRefused):
        world.accept_hook(hook, completed)

    world.accept_hook(hook_after, completed)
    assert RunStatus.COMPLETED is world.run(task).status


@pytest.mark.parametrize("before", ["no JSON", "[]", "{}", '{"key": "short"}', '{"key": 1}'])
def test_a_secret_before_it_that_was_none_is_passed_over(world, before):
    task = parked_workflow(world)
    world.secrets.previous[HOOK_SECRET_ARN] = before

    with pytest.raises(HookRefused):
        world.accept_hook(hook_of(world, task.run_id)[:-4] + "AAAA", ended(world))
    world.accept_hook(hook_of(world, task.run_id), ended(world))

    assert RunStatus.COMPLETED is world.run(task).status


@pytest.mark.parametrize("shape", [snake, camel])
@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("completed", RunStatus.COMPLETED),
        ("failed", RunStatus.FAILED),
        ("cancelled", RunStatus.ABORTED),
    ],
)
def test_the_status_decides_in_either_casing_and_without_ended_at(world, shape, word, status):
    task = parked_workflow(world)
    body = json.dumps(shape(world.leap.ends("rnp_1", word))).encode()

    world.accept_hook(hook_of(world, task.run_id), body)

    assert status == world.run(task).status
    ((token, output),) = world.executions.woken
    assert ("callback-1", NextStep.SETTLE) == (token, output["next_step"])


def test_what_runs_on_is_no_news(world):
    task = parked_workflow(world)
    before = world.record(task.activity_id)

    for word in ("running", "queued", "thinking"):
        world.accept_hook(hook_of(world, task.run_id), a_body(world.leap.ends("rnp_1", word)))

    assert before == world.record(task.activity_id)


def test_a_webhook_before_the_starts_answer(world):
    task = world.opened()

    def send(run, _):
        world.leap.ends(run.workflow_run_id)
        world.accept_hook(hook_of(world, task.run_id), ended(world, output=[1]))

    world.leap.before_answer = send
    step = world.start_leap_workflow(task)

    run = world.run(task)
    assert (NextStep.SETTLE, RunStatus.COMPLETED, [1]) == (step.next_step, run.status, run.output)
    assert ["RunStarted", "RunCompleted"] == world.event_types(task.activity_id)[-2:]
    world.settle_run(task)
    check_invariants(world, task.activity_id)


def test_a_webhook_before_the_callback_token_is_stored(world):
    task = world.opened()
    world.start_leap_workflow(task)
    world.accept_hook(hook_of(world, task.run_id), ended(world))
    assert [] == world.executions.woken

    world.executions.wait_on("callback-1")
    world.park_run(task, "callback-1")

    ((token, output),) = world.executions.woken
    assert ("callback-1", NextStep.SETTLE) == (token, output["next_step"])


def test_deliveries_in_any_order_and_number_count_once(world):
    bodies = [a_body(status="running"), a_body(status="completed")] * 3
    for order in set(itertools.permutations(range(len(bodies)), 3)):
        world = leap_world(LeapDialect.WORKFLOWS)
        task = parked_workflow(world)
        for number in [*order, 1, 1]:
            world.accept_hook(hook_of(world, task.run_id), bodies[number])
        run = world.run(task)
        assert (RunStatus.COMPLETED, 1) == (run.status, len(run.evidence))
        assert 1 == world.event_types(task.activity_id).count("RunCompleted")
        assert 1 == len(world.executions.woken)


def test_a_later_word_that_differs_is_kept_and_flagged_once():
    world = leap_world()
    task = parked_workflow(world)
    world.accept_hook(hook_of(world, task.run_id), a_body(status="completed"))
    world.settle_run(task)

    for _ in range(3):
        world.accept_hook(hook_of(world, task.run_id), a_body(status="failed"))

    record = world.record(task.activity_id)
    assert (ActivityStatus.DONE, RunStatus.COMPLETED) == (
        record.activity.status,
        record.current_run.status,
    )
    assert [True, False] == [each.decided for each in record.current_run.evidence]
    assert 1 == world.event_types(task.activity_id).count("RunContradicted")
    check_invariants(world, task.activity_id)


def test_a_second_id_on_the_same_hook_is_a_duplicate_start_told_once(world):
    task = parked_workflow(world)
    world.leap.runs["rnp_2"] = a_workflow_run("rnp_2", status="completed")

    for _ in range(3):
        body = a_body(world.leap.runs["rnp_2"])
        world.accept_hook(hook_of(world, task.run_id), body)

    run = world.run(task)
    assert (RunStatus.RUNNING, ("rnp_2",)) == (run.status, run.other_remote_ids)
    assert 1 == world.event_types(task.activity_id).count(EventType.DUPLICATE_START_DETECTED)
    check_invariants(world, task.activity_id)


def test_an_answer_with_another_id_than_the_webhook_is_a_duplicate_start():
    world = leap_world()
    task = world.opened()
    body = a_body(workflow_run_id="rnp_9")
    world.leap.before_answer = lambda *_: world.accept_hook(hook_of(world, task.run_id), body)

    world.start_leap_workflow(task)

    run = world.run(task)
    assert ("rnp_9", ("rnp_1",), RunStatus.COMPLETED) == (
        run.remote_id,
        run.other_remote_ids,
        run.status,
    )


def test_where_the_provider_can_be_asked_its_word_counts_and_not_the_webhooks():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)

    world.accept_hook(hook_of(world, task.run_id), a_body(status="completed", output="forged"))

    assert RunStatus.RUNNING == world.run(task).status
    world.leap.ends("rnp_1", output="real")
    world.accept_hook(hook_of(world, task.run_id), a_body(status="failed", output="forged"))
    run = world.run(task)
    assert (RunStatus.COMPLETED, "real") == (run.status, run.output)


def test_where_the_provider_does_not_answer_nothing_is_believed():
    world = leap_world(LeapDialect.RUNS)
    task = parked_workflow(world)
    before = world.record(task.activity_id)
    world.leap.on_read_run(UpstreamUnavailable("down"))

    with pytest.raises(UpstreamUnavailable):
        world.accept_hook(hook_of(world, task.run_id), ended(world))

    assert before == world.record(task.activity_id)


def test_a_run_that_was_not_started_is_not_ended_by_a_webhook():
    world = leap_world()
    task = world.opened()
    before = world.record(task.activity_id)

    world.accept_hook(hook_of(world, task.run_id), a_body())

    assert before == world.record(task.activity_id)


def mangled(world: World, run_id: str) -> list[tuple[str, bytes]]:
    """100 calls that are to change nothing."""
    choose = random.Random(4)  # a seed, no secret
    good, body = hook_of(world, run_id), a_body()
    first, tenant, mac = good.split(".")
    missing = f"run_{'0' * 26}_1"
    names = [
        *("", ".", "..", "x", first, f"{first}.{mac}", f"{first}.{tenant}.", good + "A", good[:-1]),
        *(good.upper(), good.lower(), f"{first}.other.{mac}", f"{missing}.{tenant}.{mac}"),
        *(f"{first[:-1]}2.{tenant}.{mac}", good + "\n", " " + good, good + "=", good + "%00"),
        *(f"{first}.{tenant}.{'A' * 43}", f"{first}.{tenant}.{mac[::-1]}"),
        *(hook_of(world, missing), f"{first}.{tenant.upper()}.{mac}"),
    ]
    while len(names) < 70:
        place = choose.randrange(len(first) + len(tenant) + 2, len(good))
        letter = choose.choice([x for x in "ABCxyz019-_" if x != good[place]])
        names.append(good[:place] + letter + good[place + 1 :])
    run = snake(a_workflow_run(status="completed"))
    other = "wkf_2"
    bodies: list[Any] = [
        *({**run, "workflow_id": other}, {**run, "workflow_id": None}, {**run, "id": "../x"}),
        *({**run, "id": ""}, {**run, "id": 7}, {**run, "id": None}, {**run, "status": None}),
        *({**run, "status": 1}, {**run, "status": ""}, {**run, "workflowId": other}),
        *({**run, "status": ["completed"]}, {}, [], [run], "completed", 1, None, True),
        *({"data": run}, {name: value for name, value in run.items() if name != "id"}),
    ]
    raw = [json.dumps(each).encode() for each in bodies]
    raw += [b"", b"{", b"\xff\xfe", b"null", b'{"id": NaN}', body + b"x", body[:-1]]
    raw += [b'{"id":"rnp_1","id":"rnp_1"}', b"[" * 5000, b"\x00" * 10]
    calls = [(name, body) for name in names] + [(good, each) for each in raw]
    return calls[:100]


def test_a_hundred_forged_or_mangled_calls_change_nothing():
    world = leap_world()
    task = parked_workflow(world)
    before = world.record(task.activity_id), world.events(task.activity_id)
    calls = mangled(world, task.run_id)
    assert 100 == len(calls)

    refusals = set()
    for name, body in calls:
        with pytest.raises(HookRefused) as refused:
            world.accept_hook(name, body)
        refusals.add(str(refused.value))

    assert {"there is nothing here"} == refusals
    assert before == (world.record(task.activity_id), world.events(task.activity_id))
    assert [] == world.executions.woken
    world.accept_hook(hook_of(world, task.run_id), a_body())
    assert RunStatus.COMPLETED == world.run(task).status
