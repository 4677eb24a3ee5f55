"""FAILURE-MODES row 24: unique texts go in, runs end well and badly, and each shows only where its
kind belongs; secrets nowhere.

Runs last of the session (by its name), so that it also reads what all other tests left behind.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from agentruns.model import ActivityRecord
from agentruns.statuses import ActivityStatus
from local.leap_emulator import EmulatorSettings as LeapSettings
from local.leap_emulator import LeapEmulator
from local.leena_emulator import Credentials, EmulatorSettings, LeenaEmulator
from tests.deployment import Deployment, has_ended, is_parked
from tests.e2e.agent_day import live_through_a_day_of_an_agent
from tests.e2e.canaries import (
    BUS_QUEUE_PREFIX,
    Kind,
    Place,
    Text,
    find_leaks,
    find_strays,
    forms_of,
    kind_of_place,
    places_of,
)
from tests.e2e.leap_day import LeapDay, live_through_a_day_of_leap
from tests.e2e.test_triggers import put_event, queue_of_the_bus
from tests.e2e.text_day import live_through_a_day_of_texts

pytestmark = pytest.mark.stack


LEAP_KEYS = ("api key", "wrong api key")
PLANTED = ("log", "metrics", "row", "execution", "queue", "event", "object", "answer")


def canary(name: str) -> str:
    """With the characters that encodings change."""
    return f'canary {name}+/=&"ü\\{uuid.uuid4().hex}'


@dataclass(frozen=True, slots=True)
class Scene:
    """What went in, by name, and everything that was found afterwards."""

    texts: dict[str, Text]
    activity_ids: list[str]
    places: list[Place]


@pytest.fixture(scope="module")
def scene(deployment: Deployment, foreign_key: str) -> Scene:
    """A day with every kind of mishap, over a connection whose secrets are all unique."""
    secrets = {name: canary(name) for name in ("client_secret", "username", "password")}
    secrets["wrong password"] = canary("wrong password")
    credentials = Credentials(
        client_id="canary-client",
        client_secret=secrets["client_secret"],
        username=secrets["username"],
        password=secrets["password"],
    )
    queue_of_the_bus(deployment)
    with (
        pytest.MonkeyPatch.context() as patch,
        LeenaEmulator(settings=EmulatorSettings(credentials=credentials)) as leena,
    ):
        mint = leena.tokens.mint

        def record_token(settings: EmulatorSettings) -> Any:
            minted = mint(settings)
            secrets[f"access token {len(secrets)}"] = minted.access_token
            return minted

        patch.setattr(leena.tokens, "mint", record_token)
        document = {
            "client_id": "canary-client",
            **{name: secrets[name] for name in ("client_secret", "username", "password")},
        }
        ids = _live_through_a_day(deployment, leena, document, secrets["wrong password"])
        for activity_id in ids:
            deployment.wait_for(activity_id, lambda seen: has_ended(seen) or is_parked(seen))
        ids += _redrive_what_failed(deployment, ids)
    day = _day_of_leap(deployment)
    agents = live_through_a_day_of_an_agent(deployment)
    told = live_through_a_day_of_texts(deployment, foreign_key)
    secrets |= {**day.secrets, **agents.secrets, "operator key": deployment.info.operator_key}
    private = {
        name: Text(value, Kind.CONTENT, frozenset({"row", "answer"}))
        for name, value in day.private.items()
    }
    hidden = {name: Text(value, Kind.NOWHERE) for name, value in secrets.items()}
    return Scene(
        texts=hidden | private | told.texts,
        activity_ids=ids + day.activity_ids + agents.activity_ids + told.activity_ids,
        places=[*places_of(deployment), *told.places],
    )


def _day_of_leap(deployment: Deployment) -> LeapDay:
    # a header's value: visible ASCII
    keys = {name: canary(name).replace("ü", "u").replace(" ", "-") for name in LEAP_KEYS}
    with LeapEmulator(settings=LeapSettings(api_key=keys["api key"])) as leap:
        day = live_through_a_day_of_leap(
            deployment,
            leap,
            api_key=keys["api key"],
            wrong_key=keys["wrong api key"],
            private={name: uuid.uuid4().hex for name in ("message", "input", "output")},
        )
        successors = _redrive_what_failed(deployment, day.activity_ids)
    return replace(day, activity_ids=day.activity_ids + successors)


def _live_through_a_day(
    deployment: Deployment, leena: LeenaEmulator, document: dict[str, str], wrong_password: str
) -> list[str]:
    url = leena.url
    asked = {"region": "us-east-1", "base_urls": {"auth": url, "api": url}, **document}
    deployment.agentruns("connect", "leena", "canary", "--from-stdin", stdin=json.dumps(asked))
    deployment.connect("canary", url, **document)
    deployment.connect("canary-wrong", url, **{**document, "password": wrong_password})
    for name in ("canary", "canary-wrong"):
        deployment.call("POST", f"/v1/connections/{name}/check", {})
        deployment.agentruns("check", name)
    deployment.request("GET", "/v1/connections/canary")
    deployment.request("GET", "/v1/connections")
    # refused bodies that hold secrets: the answer and the log name fields, never values
    misplaced = {"provider": "leena", "region": document["password"], **document}
    deployment.request("PUT", "/v1/connections/canary-refused", misplaced)
    deployment.request(
        "PUT", "/v1/connections/canary-refused", {**asked, "password": [wrong_password]}
    )
    deployment.request("PUT", "/v1/connections/canary-refused", data=json.dumps(asked)[:-1])
    deployment.request("POST", "/v1/activities", document)
    nobody = {"agent_role": "canary_nobody"}  # so it ends among the failed events
    put_event(deployment, "agentruns.request", "ActivityRequested", nobody)

    unauthorized = {"operation": "execute", "kind": "status", "status": 401, "times": 1}
    faults: dict[str, list[dict[str, Any]]] = {
        "canary-completes": [],
        "canary-401": [{"operation": "status", "kind": "revoke_token", "times": 1}],
        "canary-401-at-start": [unauthorized],
        "canary-403": [{"operation": "execute", "kind": "status", "status": 403}],
        "canary-500": [{"operation": "execute", "kind": "status", "status": 500, "times": 1}],
        "canary-drop": [{"operation": "execute", "kind": "drop_after_accept", "times": 1}],
        "canary-html": [{"operation": "status", "kind": "html", "times": 2}],
        "canary-token": [{"operation": "token", "kind": "broken_json", "times": 1}],
    }  # fmt: skip
    for name, rules in faults.items():
        leena.define_aop(name, [{"status": "in_progress", "polls": 1}, {"status": "completed"}])
        for rule in rules:
            on = {} if rule["operation"] == "token" else {"aop_id": name}
            leena.add_fault(**rule, **on)
    ids = [deployment.start(name, "canary") for name in faults]
    ids.append(deployment.start("canary-completes", "canary-wrong"))
    deployment.agentruns("start", "--aop", "canary-completes", "--connection", "canary", "--watch")
    for activity_id in ids:
        deployment.agentruns("show", activity_id)
    return ids


def _has_come_to_rest(record: ActivityRecord) -> bool:
    """Ended, or waiting for a person: which of them meet a refusal is a race."""
    return has_ended(record) or is_parked(record)


def _redrive_what_failed(deployment: Deployment, activity_ids: list[str]) -> list[str]:
    """The successors, at rest again: rejected credentials and a refused start among them."""
    records = [deployment.record(activity_id) for activity_id in activity_ids]
    failed = [record for record in records if record.activity.status is ActivityStatus.FAILED]
    assert failed
    successors = []
    for record in failed:
        path = f"/v1/activities/{record.activity.activity_id}/redrive"
        accepted = deployment.call("POST", path, {"reason": "once more"})
        successors.append(str(accepted["activity_id"]))
    for activity_id in successors:
        deployment.wait_for(activity_id, _has_come_to_rest)
        deployment.agentruns("show", activity_id)
    return successors


def test_each_text_is_where_its_kind_belongs_and_nowhere_else(scene: Scene):
    assert 15 <= sum(name.startswith("mac ") for name in scene.texts), "hooks went out"
    assert 7 <= sum("token" in name for name in scene.texts), "tokens were minted"
    kinds = {kind_of_place(place) for place, _ in scene.places}
    assert kinds >= {
        *("log", "execution", "history", "row", "object", "event", "queue", "metrics", "stack"),
        *("template", "function", "answer", "dispatch", "foreign"),
    }
    seen = b"\n".join(content for _, content in scene.places)
    for activity_id in scene.activity_ids:
        assert activity_id.encode() in seen, "the places are those of this very stack"
    assert [] == find_strays(scene.texts, scene.places)


@pytest.fixture
def plant(deployment: Deployment) -> Iterator[Callable[[str, str], None]]:
    """Puts a text into a kind of place, and takes it out again where that can be done."""
    logs, group = deployment.aws("logs"), f"/aws/lambda/{deployment.info.stack_name}-check-run"
    sqs, s3 = deployment.aws("sqs"), deployment.aws("s3")
    key = {"pk": {"S": "PLANTED"}, "sk": {"S": uuid.uuid4().hex}}
    url = queue_of_the_bus(deployment)
    dead_letters = next(
        each for each in sqs.list_queues()["QueueUrls"] if f"/{BUS_QUEUE_PREFIX}" not in each
    )
    s3.create_bucket(Bucket="planted")
    logs.create_log_stream(logGroupName=group, logStreamName="planted")
    answers = len(deployment.answers)

    def line(text: str) -> None:
        event = {"timestamp": 1, "message": f"so {text} it"}
        logs.put_log_events(logGroupName=group, logStreamName="planted", logEvents=[event])

    def metric(text: str) -> None:
        dimensions = [{"Name": "x", "Value": text}]
        data = [{"MetricName": "x", "Dimensions": dimensions, "Value": 1}]
        deployment.aws("cloudwatch").put_metric_data(Namespace="planted", MetricData=data)

    def row(text: str) -> None:
        item = {**key, "text": {"S": text}}
        deployment.aws("dynamodb").put_item(TableName=deployment.info.table_name, Item=item)

    def execution(text: str) -> None:
        deployment.aws("stepfunctions").start_execution(
            stateMachineArn=deployment.info.state_machine_arn, input=json.dumps({"x": text})
        )

    ways = {
        "log": line,
        "metrics": metric,
        "row": row,
        "execution": execution,
        "queue": lambda text: sqs.send_message(QueueUrl=dead_letters, MessageBody=text),
        "event": lambda text: sqs.send_message(QueueUrl=url, MessageBody=text),
        "object": lambda text: s3.put_object(Bucket="planted", Key="outputs/x", Body=text.encode()),
        "answer": lambda text: deployment.answers.append(text.encode()),
    }
    assert set(ways) == set(PLANTED)
    yield lambda kind, text: ways[kind](text)
    del deployment.answers[answers:]
    deployment.aws("dynamodb").delete_item(TableName=deployment.info.table_name, Key=key)
    logs.delete_log_stream(logGroupName=group, logStreamName="planted")
    s3.delete_object(Bucket="planted", Key="outputs/x")
    s3.delete_bucket(Bucket="planted")


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_a_text_that_was_let_out_would_be_found(
    deployment: Deployment, scene: Scene, plant: Callable[[str, str], None], kind: Kind
):
    """The proof that the search can fail: in each kind of place, each in another form."""
    value = canary("planted")
    forms = sorted(form.decode() for form in forms_of(value) if form.isascii())
    for place, form in zip(PLANTED, forms, strict=False):
        plant(place, form)
    strays = find_strays({"planted": Text(value, kind)}, places_of(deployment))
    found = {kind_of_place(stray.removeprefix("planted in ")) for stray in strays}
    assert found - {"history"} == set(PLANTED) - kind.places
    assert ("history" in found) is ("history" not in kind.places)


def test_a_text_that_is_not_where_it_has_to_be_would_be_missed():
    missing = {"it": Text("told", Kind.CONTENT, frozenset({"row", "answer"}))}
    assert ["it in no answer"] == find_strays(missing, [("row x", b"told"), ("answer 1", b"")])


def test_each_form_of_a_secret_is_looked_for():
    secret = "s3cret-with-ümlaut/+"
    for form in forms_of(secret):
        around = b"before " + form + b" after"
        assert ["it in there"] == find_leaks({"it": secret}, [("there", around)])
    assert [] == find_leaks({"it": secret}, [("there", b"s3cret-with")])
