"""Where a secret may have come to lie on a deployed stack, and in which forms it is looked for.

Secrets Manager is the one place where secrets belong. Not here: which secrets, and what runs.
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from tests.deployment import Deployment

Place = tuple[str, bytes]


def forms_of(secret: str) -> set[bytes]:
    """Raw, URL-encoded, hexadecimal, escaped as in JSON and as in JSON within JSON, and in base64
    at each offset, as after `user:`."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    forms = {
        raw,
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        escaped.encode(),
        json.dumps(escaped)[1:-1].encode(),
        raw.hex().encode(),
    }
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        # the characters that the secret alone decides: 6 bits each
        own = encoded[math.ceil(8 * offset / 6) : 8 * (offset + len(raw)) // 6]
        forms |= {own, own.translate(bytes.maketrans(b"+/", b"-_"))}
    return forms


def find_leaks(secrets: Mapping[str, str], places: Iterable[Place]) -> list[str]:
    """`<secret's name> in <place>` for each place that holds one; never the secret itself."""
    wanted = [(name, form) for name, secret in secrets.items() for form in forms_of(secret)]
    return sorted(
        {
            f"{name} in {place}"
            for place, content in places
            for name, form in wanted
            if form in content
        }
    )


def places_of(deployment: Deployment) -> Iterator[Place]:
    """Everything that the stack keeps, shows or writes down, but its secrets. Empties queues."""
    yield from written_places_of(deployment)
    yield from _messages(deployment)
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


def _messages(deployment: Deployment) -> Iterator[Place]:
    """All queues: the dead letters, and those that tests have put behind the bus."""
    sqs = deployment.aws("sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        while True:
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in received.get("Messages", []):
                yield f"queue {url.rpartition('/')[2]}", _text(message)
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
