"""`POST /hooks/leap/{name}` as API Gateway delivers it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agentruns.api.hooks import build_hooks_app
from agentruns.errors import ConnectionNotFound, UpstreamUnavailable
from agentruns.hooks import BODY_LIMIT_BYTES
from agentruns.providers import LeapDialect
from agentruns.statuses import RunStatus
from tests.fakes.world import World
from tests.unit.core.hooked import (
    BULK_REQUEST,
    OUTPUT,
    a_body,
    hook_of,
    leap_world,
    parked_workflow,
)
from tests.unit.core.test_hooks import mangled
from tests.unit.structure.project import EVENTS


def call(world: World, name: str, body: bytes, *, encoded: bool = False) -> dict[str, Any]:
    text = base64.b64encode(body).decode() if encoded else body.decode("utf-8", "replace")
    event = {
        "httpMethod": "POST",
        "path": f"/hooks/leap/{name}",
        "pathParameters": {"name": name},
        "body": text,
        "isBase64Encoded": encoded,
    }
    return build_hooks_app(world.accept_hook)(event, None)


@pytest.fixture
def world() -> World:
    return leap_world()


@pytest.mark.parametrize("encoded", [True, False])
def test_a_delivery_is_taken(world, encoded):
    task = parked_workflow(world)

    answer = call(world, hook_of(world, task.run_id), a_body(output="ü"), encoded=encoded)

    assert (200, {"received": True}) == (answer["statusCode"], json.loads(answer["body"]))
    assert (RunStatus.COMPLETED, "ü") == (world.run(task).status, world.run(task).output)


def test_a_repeated_delivery_is_answered_alike(world):
    task = parked_workflow(world)
    name = hook_of(world, task.run_id)

    assert call(world, name, a_body()) == call(world, name, a_body())


def test_who_is_refused_cannot_tell_an_existing_run_from_a_missing_one(world):
    task = parked_workflow(world)
    before = world.record(task.activity_id)

    answers = [call(world, name, body) for name, body in mangled(world, task.run_id)]

    assert 100 == len(answers)
    assert 1 == len({json.dumps(answer, sort_keys=True) for answer in answers})
    assert {404} == {answer["statusCode"] for answer in answers}
    assert before == world.record(task.activity_id)


def test_where_the_body_is_all_there_is_one_mebibyte_is_taken_and_one_byte_more_is_not():
    world = leap_world(LeapDialect.WORKFLOWS)
    task = parked_workflow(world)
    name, body = hook_of(world, task.run_id), a_body()
    fitting = body + b" " * (BODY_LIMIT_BYTES - len(body))

    assert 413 == call(world, name, fitting + b" ")["statusCode"]
    assert 404 == call(world, "nobody", fitting + b" ")["statusCode"]
    assert 413 == call(world, name, b"x" * 5_900_000, encoded=True)["statusCode"]
    assert world.run(task).status is RunStatus.RUNNING
    assert 200 == call(world, name, fitting)["statusCode"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamUnavailable("leap is down"), 503),
        (OSError("the line is cut"), 503),
        (ConnectionNotFound("flows"), 404),
    ],
)
def test_what_fails_here_says_nothing_of_our_insides(error, status, caplog):
    def fail(name: str, body: bytes) -> None:
        raise error

    answer = build_hooks_app(fail)({"pathParameters": {"name": "CANARY"}, "body": ""}, None)

    assert status == answer["statusCode"]
    assert str(error) not in answer["body"]
    assert "CANARY" not in caplog.text


def test_the_hook_stands_in_no_log(world, caplog):
    caplog.set_level("DEBUG")
    task = parked_workflow(world)
    name = hook_of(world, task.run_id)

    call(world, name, a_body(output="CANARY"))
    call(world, name, b"{")
    call(world, name[:-1] + "_", a_body())

    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert name.rsplit(".", 1)[-1][:-1] not in logged
    assert "CANARY" not in logged


@pytest.mark.parametrize(
    ("case", "status"), [("completed_run", 200), ("other_workflow", 404), ("not_json", 404)]
)
def test_an_event_file_is_answered(world, case, status):
    task = parked_workflow(world)
    text = (EVENTS / f"hooks_api-{case}.json").read_text()
    event = json.loads(text.replace("<hook>", hook_of(world, task.run_id)))

    assert status == build_hooks_app(world.accept_hook)(event, None)["statusCode"]


def test_the_event_file_of_a_bulk_run_is_taken_on_a_bulk_run_s_hook_alone():
    world = leap_world(LeapDialect.RUNS)
    single, many = parked_workflow(world), parked_workflow(world, request=BULK_REQUEST)
    text = (EVENTS / "hooks_api-completed_bulk_run.json").read_text().replace("bulk_1", "bulk_2")
    world.leap.ends("bulk_2", output=OUTPUT)

    answers = [
        build_hooks_app(world.accept_hook)(
            json.loads(text.replace("<hook>", hook_of(world, task.run_id))), None
        )
        for task in (single, many)
    ]

    assert [404, 200] == [answer["statusCode"] for answer in answers]
    assert (RunStatus.RUNNING, OUTPUT) == (world.run(single).status, world.run(many).output)


def test_every_event_file_is_used():
    files = {path.stem for path in EVENTS.glob("hooks_api-*.json")}

    cases = ("completed_run", "completed_bulk_run", "other_workflow", "not_json")
    assert {f"hooks_api-{case}" for case in cases} == files
