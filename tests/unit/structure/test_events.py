"""Event files: each function has good and bad ones, each is run through the real handler.

The workers run here over the fakes; the API functions' files run in tests/unit/api.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentruns import lifecycle, wiring
from agentruns.definitions import ActivityRequest, Schedule
from agentruns.errors import ActivityNotFound, ScheduleNotFound
from agentruns.linking import LinkFromStream
from agentruns.model import Activity, ActivityInput, Trigger
from agentruns.providers import Adapter, LeenaAopAdapter
from agentruns.publishing import PublishEvents
from agentruns.statuses import ActivityStatus
from agentruns.steps import RunTask
from agentruns.store.stream import event_of_record
from tests.fakes.clock import NOON
from tests.fakes.event_bus import RecordingEventBus
from tests.fakes.world import (
    CONNECTION,
    LEAP_ADAPTER,
    LEAP_CONNECTION,
    SECRET_PREFIX,
    WRITER,
    WRITER_ADAPTER,
    World,
)
from tests.unit.structure.project import (
    EVENTS,
    FUNCTION_NAMES,
    WORKERS,
    handler,
)

TENANT = "default"
ADAPTER = LeenaAopAdapter(connection=CONNECTION.name, aop_id="reset-vpn")
FOR_THE_BUS = "ticket-created.json"  # what somebody else's system sends; the demo does
CONTEXT = SimpleNamespace(
    aws_request_id="request-1",
    function_name="agentruns-worker",
    get_remaining_time_in_millis=lambda: 180_000,
)

# What becomes of each file: the next step, what the handler answers, or the error it raises.
OUTCOMES: dict[str, Any] = {
    "open_run-activity": "start",
    "open_run-schedule": "start",
    "open_run-later_generation": "end_duplicate",
    "open_run-unknown_activity": ActivityNotFound,
    "open_run-unknown_schedule": ScheduleNotFound,
    "mint_token-pending_run": "start",
    "mint_token-unknown_activity": ActivityNotFound,
    "execute_aop-pending_run": "check",
    "execute_aop-unknown_activity": ActivityNotFound,
    "execute_aop-no_run_id": KeyError,
    "start_leap_workflow-pending_run": "park",
    "start_leap_workflow-unknown_activity": ActivityNotFound,
    "dispatch_agent-pending_run": "park",
    "dispatch_agent-unknown_activity": ActivityNotFound,
    "check_run-running_run": "check",
    "check_run-unknown_activity": ActivityNotFound,
    "park_run-paused_run": None,
    "park_run-unknown_activity": ActivityNotFound,
    "settle_run-ended_run": "end_done",
    "settle_run-failed_worker": "end_failed",
    "settle_run-unknown_activity": ActivityNotFound,
    "sweep-minute": {"due": 1, "left_alone": 1},
    "sweep-by_hand": {"due": 1, "left_alone": 1},
    "link_activities-subtask_ended": {"batchItemFailures": []},
    "link_activities-agent_mentioned": {"batchItemFailures": []},
    "link_activities-unknown_event_type": ValueError,
    "publish_events-new_events": {"batchItemFailures": []},
    "publish_events-other_rows": {"batchItemFailures": []},
    "publish_events-unknown_event_type": ValueError,
}


def read(stem: str) -> Any:
    return json.loads((EVENTS / f"{stem}.json").read_text())


def files_of(function: str) -> list[Path]:
    return sorted(EVENTS.glob(f"{function}-*.json"))


def stored_activity(world: World, task: RunTask, adapter: Adapter = ADAPTER) -> None:
    activity = Activity(
        tenant=TENANT,
        activity_id=task.activity_id,
        agent_role=WRITER if adapter == WRITER_ADAPTER else None,
        adapter=adapter,
        trigger=Trigger.API,
        status=ActivityStatus.QUEUED,
        created_at=NOON,
        updated_at=NOON,
        deadline_at=NOON + timedelta(days=1),
    )
    run = lifecycle.first_run(activity)
    opened = (lifecycle.opened(activity, run),)
    world.store.create(activity, ActivityInput(message="reset my VPN"), run, opened, None)


@pytest.fixture
def world(monkeypatch):
    """The run of the event files, stored; the builders give the fakes' use cases."""
    world = World()
    world.connections.put(replace(CONNECTION, tenant=TENANT))
    world.connections.put(replace(LEAP_CONNECTION, tenant=TENANT))
    world.secrets.put(f"{SECRET_PREFIX}/connections/{TENANT}/flows", {"api_key": "key-1"}, "")
    world.put_agent(tenant=TENANT, role=WRITER, adapter=WRITER_ADAPTER)
    signing = {"signing_secrets": ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0"]}
    world.secrets.put(f"{SECRET_PREFIX}/agents/{TENANT}/{WRITER}", signing, "")
    request = ActivityRequest(adapter=ADAPTER, message="nightly report")
    world.schedules.put(
        Schedule(tenant=TENANT, name="nightly", request=request, created_at=NOON, updated_at=NOON)
    )
    world.bus = RecordingEventBus()  # type: ignore[attr-defined]  # for a test to look at
    publish = PublishEvents(
        bus=world.bus,  # type: ignore[attr-defined]  # likewise
        event_of_record=event_of_record,
    )
    beside = {
        "publish_events": publish,
        "link_activities": LinkFromStream(
            link_activities=world.link_activities,
            follow_mentions=world.follow_mentions,
            event_of_record=event_of_record,
        ),
    }
    for name in WORKERS:
        use_case = beside.get(name) or getattr(world, name)
        monkeypatch.setattr(wiring, name, lambda use_case=use_case: use_case)
    return world


def bring_to(world: World, stem: str) -> None:
    """What happened before such an event comes."""
    task = RunTask.parse(read("check_run-running_run"))
    adapters: dict[str, Adapter] = {
        "start_leap_workflow": LEAP_ADAPTER,
        "dispatch_agent": WRITER_ADAPTER,
    }
    stored_activity(world, task, adapters.get(stem.split("-", 1)[0], ADAPTER))
    if stem.startswith("open_run"):
        return
    world.open_run(read("open_run-activity"))
    if stem.startswith(("mint_token", "execute_aop", "start_leap_workflow", "dispatch_agent")):
        return
    world.executions.run(task.execution_arn)
    if stem == "settle_run-failed_worker":
        return
    world.execute_aop(task)
    if stem.startswith("park_run"):
        world.leena.on_read_status("paused")
        world.check_run(task)
    if stem == "settle_run-ended_run":
        world.leena.on_read_status("completed")
        world.check_run(task)
    if stem.startswith("sweep"):
        world.clock.advance(3600)


@pytest.mark.parametrize("stem", [path.stem for name in WORKERS for path in files_of(name)])
def test_a_worker_does_with_its_event_what_it_says(stem, world, capsys):
    bring_to(world, stem)
    module = handler(stem.split("-", 1)[0])
    expected = OUTCOMES[stem]

    if isinstance(expected, type):
        with pytest.raises(expected):
            module.lambda_handler(read(stem), CONTEXT)
        return
    answer = module.lambda_handler(read(stem), CONTEXT)

    json.dumps(answer)
    if isinstance(expected, str):
        assert expected == answer["next_step"]
    elif isinstance(expected, dict):
        assert expected == {
            name: value for name, value in answer.items() if value or name in expected
        }
    else:
        assert answer is None


def test_a_parked_run_keeps_its_callback_token(world):
    bring_to(world, "park_run-paused_run")
    event = read("park_run-paused_run")

    handler("park_run").lambda_handler(event, CONTEXT)

    run = world.store.read(TENANT, event["activity_id"]).current_run
    assert event["callback_token"] == run.callback_token


def test_new_events_reach_the_bus_in_order_and_other_rows_do_not(world):
    publish = handler("publish_events").lambda_handler

    publish(read("publish_events-other_rows"), CONTEXT)
    assert world.bus.published == []
    publish(read("publish_events-new_events"), CONTEXT)
    assert [event.sequence for event in world.bus.published] == [1, 2]


def test_an_event_that_the_bus_refused_is_delivered_again(world):
    event = read("publish_events-new_events")
    world.bus.refuse_next(1)

    answer = handler("publish_events").lambda_handler(event, CONTEXT)

    number = event["Records"][1]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_every_function_has_two_event_files_at_least(function):
    assert len(files_of(function)) >= 2


@pytest.mark.parametrize("function", WORKERS)
def test_every_worker_that_can_refuse_has_a_bad_event(function):
    outcomes = [OUTCOMES[path.stem] for path in files_of(function)]
    raises = [outcome for outcome in outcomes if isinstance(outcome, type)]

    assert raises or function == "sweep", "sweep takes any event"


def test_every_event_file_belongs_to_a_function():
    of_functions = {path.name for name in FUNCTION_NAMES for path in files_of(name)}

    assert {path.name for path in EVENTS.iterdir()} == of_functions | {FOR_THE_BUS}
    assert set(OUTCOMES) == {path.stem for name in WORKERS for path in files_of(name)}


def test_the_good_events_of_workers_carry_exactly_the_ids_of_a_task():
    task = RunTask.parse(read("check_run-running_run"))

    for stem in (
        "mint_token-pending_run",
        "execute_aop-pending_run",
        "start_leap_workflow-pending_run",
        "dispatch_agent-pending_run",
        "check_run-running_run",
    ):
        assert asdict(task) == read(stem)
