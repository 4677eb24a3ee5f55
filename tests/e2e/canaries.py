"""Where a secret may have come to lie on a deployed stack, and in which forms it is looked for.

What belongs where is said of each kind of text (`Kind`). Not here: which texts, and what runs.
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

from tests.deployment import Deployment

Place = tuple[str, bytes]
"""Named by its kind first: `row T#default#... META`."""

BUS_QUEUE_PREFIX = "e2e-"
"""Of the queues that tests put behind the bus; all others hold dead letters."""

JSON_LEVELS = 4
"""A caller's JSON is text in a row's JSON, which is text in a listing's."""


class Kind(Enum):
    """Of a text, by the kinds of places where it may lie. Anywhere else it has leaked.

    `dispatch` is what an agent was sent; an `answer` is one to an operator of the tenant or to the
    run's own agent, as against a `foreign` one.
    """

    NOWHERE = frozenset[str]()
    """Credentials, which Secrets Manager has, and of a key its hash in a row; and what was in a URL
    or a body that was not taken: no row, and no answer says it back."""
    CONTENT = frozenset({"row", "object", "answer", "dispatch"})
    """What work is about: with the activity, and with whoever may read or does it."""
    LABEL = CONTENT | {"event"}
    """What a subscriber of the bus sees besides ids and statuses (docs/events.md)."""
    REFUSAL = CONTENT | {"event", "history", "execution", "log"}
    """One line in which a provider says why it refuses a start: the error's message."""

    @property
    def places(self) -> frozenset[str]:
        return self.value


class Text(NamedTuple):
    """`must`: kinds of places where it has to be found, or the search proves nothing."""

    value: str
    kind: Kind
    must: frozenset[str] = frozenset()


def kind_of_place(place: str) -> str:
    return place.split()[0]


def find_strays(texts: Mapping[str, Text], places: Iterable[Place]) -> list[str]:
    """As `find_leaks`, of each text where its kind does not belong; and where it is missing."""
    seen = _seen({name: text.value for name, text in texts.items()}, places)
    strays = [
        f"{name} in {place}"
        for name, place in seen
        if kind_of_place(place) not in texts[name].kind.places
    ]
    there = {(name, kind_of_place(place)) for name, place in seen}
    missing = [
        f"{name} in no {kind}"
        for name, text in texts.items()
        for kind in sorted(text.must)
        if (name, kind) not in there
    ]
    return strays + missing


def forms_of(secret: str) -> set[bytes]:
    """Raw, URL-encoded, hexadecimal, escaped as in JSON and as in JSON within JSON, with what is
    not ASCII escaped at any level or none, and in base64 at each offset, as after `user:`."""
    raw = secret.encode()
    forms = {
        raw,
        quote(secret, safe="").encode(),
        quote(secret, safe="/:@").encode(),
        quote_plus(secret).encode(),
        raw.hex().encode(),
    }
    for ascii_from in range(JSON_LEVELS + 1):
        escaped = secret
        for level in range(JSON_LEVELS):
            escaped = json.dumps(escaped, ensure_ascii=level >= ascii_from)[1:-1]
            forms.add(escaped.encode())
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # the characters that the secret alone decides: 6 bits each
        own = encoded[math.ceil(8 * offset / 6) : 8 * (offset + len(raw)) // 6]
        forms |= {own, own.translate(bytes.maketrans(b"+/", b"-_"))}
    return forms


def find_leaks(secrets: Mapping[str, str], places: Iterable[Place]) -> list[str]:
    """`<secret's name> in <place>` for each place that holds one; never the secret itself."""
    return [f"{name} in {place}" for name, place in _seen(secrets, places)]


def _seen(texts: Mapping[str, str], places: Iterable[Place]) -> list[tuple[str, str]]:
    wanted = [(name, form) for name, text in texts.items() for form in forms_of(text)]
    return sorted(
        {(name, place) for place, content in places for name, form in wanted if form in content}
    )


def places_of(deployment: Deployment) -> Iterator[Place]:
    """Everything that the stack keeps, shows or writes down, but its secrets. Empties queues."""
    yield from written_places_of(deployment)
    yield from _objects(deployment)
    yield from _messages(deployment)
    yield from _metrics(deployment)
    yield from _stack(deployment)
    for number, answer in enumerate(deployment.answers):
        yield f"answer {number}", answer
    for file in sorted(deployment.state.logs.iterdir()):
        yield f"log file {file.name}", file.read_bytes()


def written_places_of(deployment: Deployment) -> Iterator[Place]:
    """Logs, executions and rows; reading them changes nothing."""
    yield from _log_lines(deployment)
    yield from _executions(deployment)
    yield from _rows(deployment)


def _log_lines(deployment: Deployment) -> Iterator[Place]:
    logs = deployment.aws("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            for lines in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                for event in lines["events"]:
                    yield f"log group {name}", event["message"].encode()


def _executions(deployment: Deployment) -> Iterator[Place]:
    step_functions = deployment.aws("stepfunctions")
    machine = deployment.info.state_machine_arn
    for page in step_functions.get_paginator("list_executions").paginate(stateMachineArn=machine):
        for execution in page["executions"]:
            arn = execution["executionArn"]
            yield f"execution {arn}", _text(step_functions.describe_execution(executionArn=arn))
            history = step_functions.get_paginator("get_execution_history")
            for events in history.paginate(executionArn=arn):
                yield f"history of {arn}", _text(events["events"])


def _rows(deployment: Deployment) -> Iterator[Place]:
    scan = deployment.aws("dynamodb").get_paginator("scan")
    for page in scan.paginate(TableName=deployment.info.table_name):
        for item in page["Items"]:
            yield f"row {item['pk']['S']} {item['sk']['S']}", _text(item)


def _objects(deployment: Deployment) -> Iterator[Place]:
    s3 = deployment.aws("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for entry in page.get("Contents", []):
                if entry["Key"].startswith("outputs/"):  # not the code that was deployed
                    body = s3.get_object(Bucket=bucket["Name"], Key=entry["Key"])["Body"].read()
                    yield f"object {entry['Key']}", body


def _metrics(deployment: Deployment) -> Iterator[Place]:
    """Names and dimensions; the lines that carry them are in the logs."""
    for page in deployment.aws("cloudwatch").get_paginator("list_metrics").paginate():
        yield "metrics", _text(page["Metrics"])


def _messages(deployment: Deployment) -> Iterator[Place]:
    """All queues: the dead letters, and those that tests have put behind the bus."""
    sqs = deployment.aws("sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        name = url.rpartition("/")[2]
        kind = "event" if name.startswith(BUS_QUEUE_PREFIX) else "queue"
        while True:
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in received.get("Messages", []):
                yield f"{kind} {name}", _text(message)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if not received.get("Messages"):
                break


def _stack(deployment: Deployment) -> Iterator[Place]:
    cloudformation = deployment.aws("cloudformation")
    name = deployment.info.stack_name
    yield "stack", _text(cloudformation.describe_stacks(StackName=name))
    yield "stack events", _text(cloudformation.describe_stack_events(StackName=name))
    yield "template", _text(cloudformation.get_template(StackName=name))
    for page in deployment.aws("lambda").get_paginator("list_functions").paginate():
        yield "function configurations", _text(page)


def _text(document: Any) -> bytes:
    return json.dumps(document, default=str, ensure_ascii=False).encode()
