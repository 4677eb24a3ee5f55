"""The three triggers, each idempotent per event, and what the bus tells of it all."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from agentruns.statuses import ActivityStatus
from tests.deployment import Deployment
from tests.e2e.canaries import BUS_QUEUE_PREFIX

pytestmark = pytest.mark.stack

EVENTS = Path(__file__).parents[2] / "events"
ENDS = {"done", "failed", "cancelled"}
ROLES = ("it_support", "content_writer")
"""An AOP and a workflow: to a trigger they are the same."""


def put_event(deployment: Deployment, source: str, detail_type: str, detail: Any) -> None:
    answer = deployment.aws("events").put_events(
        Entries=[
            {
                "EventBusName": deployment.info.event_bus,
                "Source": source,
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
            }
        ]
    )
    assert 0 == answer["FailedEntryCount"]


def activities_with(deployment: Deployment, **wanted: Any) -> list[dict[str, Any]]:
    page = deployment.call("GET", "/v1/activities?limit=100")
    return [
        item for item in page["items"] if all(item[name] == value for name, value in wanted.items())
    ]


def wait_for_activities(deployment: Deployment, count: int, **wanted: Any) -> list[dict[str, Any]]:
    give_up_at = time.monotonic() + 45
    while True:
        found = activities_with(deployment, **wanted)
        if len(found) >= count and all(item["status"] in ENDS for item in found):
            return found
        assert time.monotonic() < give_up_at, found
        time.sleep(0.2)


def queue_of_the_bus(deployment: Deployment) -> str:
    """A rule of the test's own: everything of ours on the bus, into a queue."""
    sqs, events = deployment.aws("sqs"), deployment.aws("events")
    url = sqs.create_queue(QueueName=f"{BUS_QUEUE_PREFIX}{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    rule = f"e2e-{uuid.uuid4().hex[:8]}"
    events.put_rule(
        Name=rule,
        EventBusName=deployment.info.event_bus,
        EventPattern=json.dumps({"source": ["agentruns"]}),
    )
    events.put_targets(
        Rule=rule,
        EventBusName=deployment.info.event_bus,
        Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}],
    )
    return str(url)


def receive(deployment: Deployment, queue_url: str) -> list[dict[str, Any]]:
    answer = deployment.aws("sqs").receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    )
    messages = answer.get("Messages", [])
    for message in messages:
        deployment.aws("sqs").delete_message(
            QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
        )
    return [json.loads(message["Body"]) for message in messages]


def failed_events_queue(deployment: Deployment) -> str:
    resources = deployment.aws("cloudformation").describe_stack_resources(
        StackName=deployment.info.stack_name
    )["StackResources"]
    (queue,) = (
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["LogicalResourceId"] == "FailedEventsQueue"
    )
    return str(queue)


def test_an_event_delivered_three_times_opens_one_activity(connected: Deployment, emulator_starts):
    event = json.loads((EVENTS / "accept_event-activity_requested.json").read_text())
    event["id"] = str(uuid.uuid4())
    answers = [connected.invoke("accept-event", event) for _ in range(3)]
    assert [False, True, True] == [answer["repeated"] for answer in answers]
    assert 1 == len({answer["activity_id"] for answer in answers})
    record = connected.wait_for_end(answers[0]["activity_id"])
    assert ActivityStatus.DONE is record.activity.status
    assert 1 == emulator_starts(record.current_run.run_id)


@pytest.mark.parametrize("role", ROLES)
def test_an_event_on_the_bus_opens_an_activity(connected: Deployment, role: str):
    title = f"by event {uuid.uuid4().hex}"
    detail = {"agent_role": role, "message": "Analyze", "title": title}
    put_event(connected, "agentruns.request", "ActivityRequested", detail)
    (activity,) = wait_for_activities(connected, 1, title=title)
    assert ("event", "done") == (activity["trigger"], activity["status"])


def test_a_ticket_event_is_mapped_to_the_ticket_agent(connected: Deployment):
    ticket = json.loads((EVENTS / "ticket-created.json").read_text())
    number = f"INC{uuid.uuid4().hex[:8]}"
    detail = {**ticket["detail"], "ticket_number": number, "description": 'a "quoted"\nline'}
    put_event(connected, ticket["source"], ticket["detail-type"], detail)
    (summary,) = wait_for_activities(connected, 1, title=number)
    activity = connected.call("GET", f"/v1/activities/{summary['activity_id']}")
    assert ("it_support", "event", "done") == (
        activity["agent_role"],
        activity["trigger"],
        activity["status"],
    )
    assert detail == activity["context"]


@pytest.mark.parametrize("role", ROLES)
def test_the_same_idempotency_key_opens_one_activity(
    connected: Deployment, emulator_starts, role: str
):
    body = {"agent_role": role, "message": "once"}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    answers = [connected.request("POST", "/v1/activities", body, headers=key) for _ in range(3)]
    assert [202, 202, 202] == [answer.status_code for answer in answers]
    assert 1 == len({answer.text for answer in answers})
    assert "true" == answers[1].headers["Idempotent-Replayed"]
    other = connected.request("POST", "/v1/activities", {**body, "message": "another"}, headers=key)
    assert 422 == other.status_code
    assert "Idempotency-Key" == other.json()["errors"][0]["field"]
    record = connected.wait_for_end(answers[0].json()["activity_id"])
    assert 1 == emulator_starts(record.current_run.run_id)


def test_requests_with_one_key_at_once_open_one_activity(connected: Deployment, emulator_starts):
    body = {"agent_role": "it_support", "message": "at once"}
    key = {"Idempotency-Key": str(uuid.uuid4())}

    def send(_: int) -> requests.Response:
        return connected.request("POST", "/v1/activities", body, headers=key)

    invalid = connected.request("POST", "/v1/activities", {"agent_role": "nobody"}, headers=key)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(send, range(6)))
    accepted = {answer.text for answer in answers if answer.status_code == 202}
    in_flight = [answer for answer in answers if answer.status_code == 409]
    assert (422, 1, 6) == (
        invalid.status_code,
        len(accepted),
        len(in_flight) + sum(answer.status_code == 202 for answer in answers),
    )
    assert {"urn:agentruns:problem:request_in_flight"} >= {
        each.json()["type"] for each in in_flight
    }
    again = send(0)
    assert {again.text} == accepted
    record = connected.wait_for_end(again.json()["activity_id"])
    assert 1 == emulator_starts(record.current_run.run_id)


@pytest.mark.parametrize("role", ROLES)
def test_a_firing_of_the_scheduler_opens_one_activity_however_often_it_is_delivered(
    connected: Deployment, emulator_starts, role: str
):
    title = f"by schedule {uuid.uuid4().hex}"
    body = {"activity": {"agent_role": role, "title": title}}
    stored = connected.call("PUT", "/v1/schedules/nightly", body)
    at = datetime.now(UTC) + timedelta(seconds=1)
    connected.aws("scheduler").create_schedule(
        Name=f"e2e-{uuid.uuid4().hex[:8]}",
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": connected.info.state_machine_arn,
            "RoleArn": "arn:aws:iam::000000000000:role/e2e-schedule",
            "Input": stored["scheduler_input"],
        },
    )
    (activity,) = wait_for_activities(connected, 1, title=title)
    assert ("schedule", "done") == (activity["trigger"], activity["status"])
    # the same firing once more: what the first execution was started with, under another name
    step_functions = connected.aws("stepfunctions")
    first = step_functions.describe_execution(executionArn=activity["execution_arn"])
    again = step_functions.start_execution(
        stateMachineArn=connected.info.state_machine_arn, input=first["input"]
    )
    execution = connected.execution(again["executionArn"])
    assert ("SUCCEEDED", "ExecutionSuperseded") == (execution.status, execution.states[-1])
    assert 1 == len(activities_with(connected, title=title))
    run_id = connected.record(activity["activity_id"]).current_run.run_id
    assert 1 == emulator_starts(run_id)


def test_an_event_that_cannot_be_taken_ends_in_the_queue_of_failed_events(
    connected: Deployment,
):
    mark = uuid.uuid4().hex
    put_event(
        connected,
        "agentruns.request",
        "ActivityRequested",
        {"agent_role": "it_support", "titel": mark},
    )
    queue = failed_events_queue(connected)
    give_up_at = time.monotonic() + 45
    while not (found := [each for each in receive(connected, queue) if mark in json.dumps(each)]):
        assert time.monotonic() < give_up_at
    assert "titel" in json.dumps(found[0])
    assert [] == activities_with(connected, title=mark)


def test_the_bus_tells_the_whole_story_in_order(connected: Deployment):
    queue = queue_of_the_bus(connected)
    body = {"agent_role": "it_support", "message": "publish", "tags": ["e2e"]}
    activity_id = connected.call("POST", "/v1/activities", body)["activity_id"]
    connected.wait_for_end(activity_id)
    stored = connected.events(activity_id)
    give_up_at = time.monotonic() + 30
    told: dict[int, dict[str, Any]] = {}
    while len(told) < len(stored):
        assert time.monotonic() < give_up_at, told
        for message in receive(connected, queue):
            if message["detail"]["activity_id"] == activity_id:
                told.setdefault(message["detail"]["sequence"], message)
    assert list(range(1, len(stored) + 1)) == list(told), "in order, without a gap"
    assert [event.type.value for event in stored] == [
        message["detail-type"] for message in told.values()
    ]
    assert "ActivityOpened" == told[1]["detail-type"]
    assert "ActivityCompleted" == told[len(stored)]["detail-type"]
    assert {"agentruns"} == {message["source"] for message in told.values()}


def test_the_schedule_of_the_template_names_what_it_opens_and_when(connected: Deployment):
    scheduler = connected.aws("scheduler")
    schedule = scheduler.get_schedule(Name=f"{connected.info.stack_name}-nightly")
    assert "cron(0 3 1 1 ? 2099)" == schedule["ScheduleExpression"]
    assert connected.info.state_machine_arn == schedule["Target"]["Arn"]
    body = {"activity": {"agent_role": "it_support", "message": "The nightly review"}}
    stored = connected.call("PUT", "/v1/schedules/nightly", body)
    assert json.loads(stored["scheduler_input"]) == json.loads(schedule["Target"]["Input"])
