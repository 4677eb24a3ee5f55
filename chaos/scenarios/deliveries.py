"""Every event delivered three times and shuffled: those that come in, and those that go out."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from chaos.agents.person import Person
from chaos.checker import check
from chaos.embedded import ChaosSite
from chaos.operating import DIALECTS
from chaos.outcome import Outcome, evidence_of
from chaos.scenarios.upstream import polls
from chaos.stack import STACK_NAME, ChaosStack
from chaos.wait_rules import open_subtasks

NAME = "deliveries"
SHORT, LONG = 6, 40
TIMES = 3
RECORDS_PER_BATCH = 10
PATIENCE_SECONDS = 240.0
REPEATED_AFTER_SECONDS = 2.0


def run(site: ChaosSite, seed: int, size: int) -> Outcome:
    """So many events; the same ones again after everything has ended, then the stream's.

    Whoever links activities is given the stream again while they wait for each other, too.
    """
    began = time.monotonic()
    luck = random.Random(seed)  # noqa: S311  # repeatable faults, no secrets
    with site.scenario(NAME, seed) as stack, bus_listener(stack) as published:
        stack.leena.define_aop("asked", polls(in_progress=1, completed=0))
        stack.hire()
        person = Person(stack)
        requested = [_event(stack, number) for number in range(size)]
        first = _deliver_all(stack, "accept-event", _shuffled(requested, luck))
        answered = _activities_of(first)
        accepted = [ids[0] for ids in answered.values()]
        with person.on_duty():
            meanwhile = _wait_while_the_stream_repeats(stack, accepted, luck)
        rows = _digest(stack)
        again = _deliver_all(stack, "accept-event", _shuffled(requested, luck))
        records = list(_stream_records(stack))
        _deliver_stream(stack, "publish-events", records, luck)
        _deliver_stream(stack, "link-activities", records, luck)
        books = stack.books(accepted, person.answers)
        findings = check(books)
        logged = {
            (event.activity_id, event.sequence) for log in books.events.values() for event in log
        }
        seen = published()
        deliveries = len(first) + len(again) + 2 * TIMES * len(records) + meanwhile
        expectations = {
            "one event was answered with two activities": all(
                len(set(ids)) == 1 for ids in (answered | _activities_of(again)).values()
            ),
            "a later delivery opened another activity": _activities_of(again).keys()
            == answered.keys(),
            "rows changed by repeated deliveries": rows == _digest(stack),
            "the bus had another set of events than the logs": logged == seen,
        }
        return Outcome(
            scenario=NAME,
            seed=seed,
            findings=findings,
            faults=deliveries - size - len(records),
            seconds=time.monotonic() - began,
            notes=[
                f"{deliveries} deliveries of {size} requests and {len(records)} stream records,"
                f" {meanwhile} of them to those who link activities while they waited"
            ],
            broken=[text for text, holds in expectations.items() if not holds],
            evidence=evidence_of(stack, findings),
        )


def _event(stack: ChaosStack, number: int) -> dict[str, Any]:
    aop = {"type": "leena_aop", "connection": stack.connection, "aop_id": "asked"}
    workflows = [
        {
            "type": "leap_workflow",
            "connection": stack.connection_to(dialect),
            "workflow_id": "wkf_completes",
        }
        for dialect in DIALECTS
    ]
    kinds: list[dict[str, Any]] = [
        *({"adapter": adapter, "message": "chaos"} for adapter in (aop, *workflows)),
        {"agent_role": stack.writer, "message": f"delegates {stack.helper}"},
        {"agent_role": stack.writer, "message": "reviews"},
    ]
    return {
        "version": "0",
        "id": f"{stack.connection}-{number:04}",
        "source": "agentruns.request",
        "detail-type": "ActivityRequested",
        "time": "2026-01-02T12:00:00Z",
        "region": "us-east-1",
        "detail": kinds[number % len(kinds)],
    }


def _shuffled(events: Sequence[dict[str, Any]], luck: random.Random) -> list[dict[str, Any]]:
    repeated = [event for event in events for _ in range(TIMES)]
    luck.shuffle(repeated)
    return repeated


def _deliver_all(
    stack: ChaosStack, function: str, events: Sequence[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Four at a time; each event with its answer. A failed one comes again, as with Lambda."""
    functions = stack.aws("lambda")

    def deliver(event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        for _ in range(TIMES):
            answer = functions.invoke(
                FunctionName=f"{STACK_NAME}-{function}", Payload=json.dumps(event).encode()
            )
            said = json.loads(answer["Payload"].read())
            if "FunctionError" not in answer and not said.get("batchItemFailures"):
                break
        return event, said

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(deliver, events))


def _activities_of(
    answers: Sequence[tuple[dict[str, Any], dict[str, Any]]],
) -> dict[str, list[str]]:
    """The activities by event id."""
    found: dict[str, list[str]] = {}
    for event, answer in answers:
        found.setdefault(event["id"], []).append(answer.get("activity_id", str(answer)))
    return found


def _wait_while_the_stream_repeats(
    stack: ChaosStack, accepted: Sequence[str], luck: random.Random
) -> int:
    """Until all have ended; how many records, of those who wait and of their subtasks, came again
    meanwhile."""
    give_up_at, delivered = time.monotonic() + PATIENCE_SECONDS, 0
    while still_open := stack.wait_for_ends(accepted, REPEATED_AFTER_SECONDS):
        if time.monotonic() > give_up_at:
            break
        waiting = [record for record in still_open if record.waits]
        ids = {record.activity.activity_id for record in waiting}
        ids |= {part for record in waiting for part in open_subtasks(record)}
        records = [each for activity_id in ids for each in _records_of(stack, activity_id)]
        _deliver_stream(stack, "link-activities", records, luck)
        delivered += TIMES * len(records)
    return delivered


def _deliver_stream(
    stack: ChaosStack, function: str, records: Sequence[dict[str, Any]], luck: random.Random
) -> None:
    shuffled = _shuffled(records, luck)
    batches = [
        {"Records": shuffled[start : start + RECORDS_PER_BATCH]}
        for start in range(0, len(shuffled), RECORDS_PER_BATCH)
    ]
    _deliver_all(stack, function, batches)


def _stream_records(stack: ChaosStack) -> Iterator[dict[str, Any]]:
    """The events of this scenario's activities, subtasks too."""
    for record in stack.stored_activities():
        yield from _records_of(stack, record.activity.activity_id)


def _records_of(stack: ChaosStack, activity_id: str) -> Iterator[dict[str, Any]]:
    """The activity's events as the table's stream delivers them."""
    items = stack.aws("dynamodb").query(
        TableName=stack.deployed.table_name,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :events)",
        ExpressionAttributeValues={
            ":pk": {"S": f"T#default#ACT#{activity_id}"},
            ":events": {"S": "EVT#"},
        },
    )["Items"]
    for item in items:
        yield {
            "eventName": "INSERT",
            "eventSource": "aws:dynamodb",
            "dynamodb": {
                "Keys": {"pk": item["pk"], "sk": item["sk"]},
                "NewImage": item,
                "SequenceNumber": f"{activity_id}{item['sequence']['N']}",
            },
        }


def _digest(stack: ChaosStack) -> str:
    """Of every row that this scenario's activities have."""
    pages = (
        stack.aws("dynamodb").get_paginator("scan").paginate(TableName=stack.deployed.table_name)
    )
    rows = sorted(
        json.dumps(item, sort_keys=True)
        for page in pages
        for item in page["Items"]
        if "#ACT#" in item["pk"]["S"]
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@contextmanager
def bus_listener(stack: ChaosStack) -> Iterator[Any]:
    """A queue behind a rule on the bus; call what it gives for the events that came, as a set of
    (activity id, sequence)."""
    queues, events = stack.aws("sqs"), stack.aws("events")
    name, bus = stack.connection, stack.deployed.event_bus
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": ["agentruns"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    try:
        yield lambda: _received(queues, url)
    finally:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=bus)
        queues.delete_queue(QueueUrl=url)


def _received(queues: Any, url: str) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    while messages := queues.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    ).get("Messages", []):
        for message in messages:
            detail: Mapping[str, Any] = json.loads(message["Body"])["detail"]
            found.add((str(detail["activity_id"]), int(detail["sequence"])))
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found
