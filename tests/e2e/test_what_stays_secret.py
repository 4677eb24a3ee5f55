"""FAILURE-MODES row 24: unique secrets go in, runs end well and badly, and nowhere do they show.

Runs last of the session (by its name), so that it also reads what all other tests left behind.
"""

import json
import uuid
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
from tests.e2e.canaries import find_leaks, forms_of, places_of
from tests.e2e.leap_day import LeapDay, live_through_a_day_of_leap
from tests.e2e.test_triggers import put_event, queue_of_the_bus

pytestmark = pytest.mark.stack


LEAP_KEYS = ("api key", "wrong api key")


def canary(name: str) -> str:
    """With the characters that encodings change."""
    return f'canary {name}+/=&"ü\\{uuid.uuid4().hex}'


@dataclass(frozen=True, slots=True)
class Scene:
    """`secrets` belong in Secrets Manager, `private` also in rows and answers; nowhere else."""

    secrets: dict[str, str]
    private: dict[str, str]
    activity_ids: list[str]


@pytest.fixture(scope="module")
def scene(deployment: Deployment) -> Scene:
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
    secrets["operator key"] = deployment.info.operator_key
    return Scene(
        secrets=secrets | day.secrets | agents.secrets,
        private=day.private,
        activity_ids=ids + day.activity_ids + agents.activity_ids,
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
    put_event(deployment, "agentruns.request", "ActivityRequested", {"agent_role": "it_support"})

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


def test_no_secret_is_anywhere_but_in_secrets_manager(deployment: Deployment, scene: Scene):
    assert len(scene.secrets) >= 7, "tokens were minted and written down"
    assert 15 <= sum(name.startswith("mac ") for name in scene.secrets), "hooks went out"
    places = list(places_of(deployment))
    kinds = {place.split()[0] for place, _ in places}
    assert {"log", "execution", "history", "row", "queue", "stack", "template", "answer"} <= kinds
    seen = b"\n".join(content for _, content in places)
    for activity_id in scene.activity_ids:
        assert activity_id.encode() in seen, "the places are those of this very stack"
    assert [] == find_leaks(scene.secrets, places)


def test_what_is_a_run_s_own_is_in_rows_and_answers_alone(deployment: Deployment, scene: Scene):
    places = list(places_of(deployment))
    own = [place for place in places if place[0].split()[0] in {"row", "answer"}]
    others = [place for place in places if place not in own]
    for name, value in scene.private.items():
        assert find_leaks({name: value}, own), "it was there to be let out"
    assert [] == find_leaks(scene.private, others)


def test_a_secret_that_was_let_out_would_be_found(deployment: Deployment, scene: Scene):
    """The proof that the search can fail: one plant of another form in each kind of place."""
    planted = {"planted": canary("planted")}
    forms = sorted(forms_of(planted["planted"]), key=lambda form: form.decode("utf-8", "replace"))
    logs, group = deployment.aws("logs"), f"/aws/lambda/{deployment.info.stack_name}-check-run"
    logs.create_log_stream(logGroupName=group, logStreamName="planted")
    plants = {
        "log group": lambda text: logs.put_log_events(
            logGroupName=group,
            logStreamName="planted",
            logEvents=[{"timestamp": 1, "message": f"so {text} it"}],
        ),
        "queue": lambda text: deployment.aws("sqs").send_message(
            QueueUrl=deployment.aws("sqs").list_queues()["QueueUrls"][0], MessageBody=text
        ),
        "row": lambda text: deployment.aws("dynamodb").put_item(
            TableName=deployment.info.table_name,
            Item={"pk": {"S": "PLANTED"}, "sk": {"S": "META"}, "text": {"S": text}},
        ),
        "answer": lambda text: deployment.answers.append(text.encode()),
    }
    base64_forms = [form for form in forms if form.decode("utf-8", "replace").isascii()]
    for plant, form in zip(plants.values(), base64_forms, strict=False):
        plant(form.decode())
    try:
        found = find_leaks(planted, places_of(deployment))
    finally:
        deployment.answers.pop()
        key = {"pk": {"S": "PLANTED"}, "sk": {"S": "META"}}
        deployment.aws("dynamodb").delete_item(TableName=deployment.info.table_name, Key=key)
        logs.delete_log_stream(logGroupName=group, logStreamName="planted")
    for kind in plants:
        assert any(f"planted in {kind}" in leak for leak in found), (kind, found)


def test_each_form_of_a_secret_is_looked_for():
    secret = "s3cret-with-ümlaut/+"
    for form in forms_of(secret):
        around = b"before " + form + b" after"
        assert ["it in there"] == find_leaks({"it": secret}, [("there", around)])
    assert [] == find_leaks({"it": secret}, [("there", b"s3cret-with")])
