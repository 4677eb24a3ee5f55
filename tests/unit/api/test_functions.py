"""The two functions as they are deployed: handler, wiring, real stores, AWS by moto."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from agentruns import wiring
from agentruns.aws.clients import AwsClients
from agentruns.errors import InvalidRequest, SettingsMissing
from tests.contracts.table import TABLE_NAME, table_definition
from tests.unit.api.driver import ACTIVITY, AGENT, BOOTSTRAP_KEY, CONNECTION, proxy_event

FUNCTIONS = Path(__file__).parents[3] / "functions"
CONTEXT = SimpleNamespace(aws_request_id="request-1", function_name="operator-api")
SETTINGS = {
    "TABLE_NAME": TABLE_NAME,
    "SECRET_PREFIX": "agentruns/test",
    "EVENT_TENANT": "default",
    "ALLOW_PRIVATE_NETWORKS": "false",
    "ALLOWED_PORTS": "443",
    "POLL_FLOOR_SECONDS": "5",
    "POLL_CAP_SECONDS": "60",
    "PAUSED_POLL_FLOOR_SECONDS": "60",
    "PAUSED_POLL_CAP_SECONDS": "900",
    "POWERTOOLS_DEV": "false",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}
ROLE = "arn:aws:iam::123456789012:role/activity"
DEFINITION = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}


def load(function: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"{function}_app", FUNCTIONS / function / "app.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forget_what_was_built(module: ModuleType) -> None:
    for built in vars(module).values():
        if isinstance(built, functools._lru_cache_wrapper):
            built.cache_clear()


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsClients]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    forget_what_was_built(wiring)
    with mock_aws():
        aws = AwsClients()
        aws.dynamodb().create_table(**table_definition())
        secret = aws.secretsmanager().create_secret(
            Name="agentruns/test/operator-key",
            SecretString=json.dumps({"tenant": "default", "key": BOOTSTRAP_KEY}),
        )
        machine = aws.stepfunctions().create_state_machine(
            name="activity", definition=json.dumps(DEFINITION), roleArn=ROLE
        )
        monkeypatch.setenv("OPERATOR_KEY_SECRET_ARN", secret["ARN"])
        monkeypatch.setenv("OUTPUT_BUCKET_NAME", "outputs")
        monkeypatch.setenv("STATE_MACHINE_ARN", machine["stateMachineArn"])
        yield aws
    forget_what_was_built(wiring)


def call(method: str, path: str, body: Any = None, **options: Any) -> Any:
    headers = {
        "authorization": f"ApiKey {options.get('key', BOOTSTRAP_KEY)}",
        "content-type": "application/json",
    } | options.get("headers", {})
    text = None if body is None else json.dumps(body)
    event = proxy_event(method, path, body=text, headers=headers)
    answer = load("operator_api").lambda_handler(event, CONTEXT)
    shown = json.loads(answer["body"]) if answer["body"] else None
    return answer["statusCode"], shown


def test_from_a_connection_to_a_running_execution(deployed: AwsClients):
    assert call("PUT", "/v1/connections/acme", CONNECTION)[0] == 200
    assert call("PUT", "/v1/agents/it_support", AGENT)[0] == 200
    key = {"idempotency-key": "order-42"}
    status, started = call("POST", "/v1/activities", ACTIVITY, headers=key)
    assert status == 202
    assert call("POST", "/v1/activities", ACTIVITY, headers=key) == (202, started)
    status, shown = call("GET", started["links"]["self"])
    assert (status, shown["message"], shown["context"]) == (200, "Analyze the ticket", {"n": 1})
    _, listed = call("GET", "/v1/activities")
    assert [item["activity_id"] for item in listed["items"]] == [started["activity_id"]]
    _, events = call("GET", started["links"]["events"])
    assert [event["type"] for event in events["items"]] == ["ActivityOpened"]
    (machine,) = deployed.stepfunctions().list_state_machines()["stateMachines"]
    executions = deployed.stepfunctions().list_executions(
        stateMachineArn=machine["stateMachineArn"]
    )["executions"]
    assert [each["name"] for each in executions] == [f"{started['activity_id']}-1"]
    _, cancelled = call("POST", f"{started['links']['self']}/cancel")
    assert cancelled["status"] == "cancelled"


def test_an_issued_key_works_until_it_is_revoked(deployed: AwsClients):
    status, issued = call("POST", "/v1/operator-keys", {"name": "ci", "scopes": ["read"]})
    assert status == 201
    assert call("GET", "/v1/agents", key=issued["key"]) == (
        200,
        {"items": [], "next_cursor": None},
    )
    assert call("PUT", "/v1/agents/x", AGENT, key=issued["key"])[0] == 403
    assert call("DELETE", f"/v1/operator-keys/{issued['key_id']}") == (204, None)
    assert call("GET", "/v1/agents", key=issued["key"])[0] == 401


def test_a_schedule_survives_storing_and_reading(deployed: AwsClients):
    call("PUT", "/v1/connections/acme", CONNECTION)
    call("PUT", "/v1/agents/it_support", AGENT)
    _, stored = call("PUT", "/v1/schedules/nightly", {"activity": {**ACTIVITY, "tags": ["a"]}})
    assert call("GET", "/v1/schedules/nightly") == (200, stored)


def test_an_event_opens_one_activity_however_often_it_comes(deployed: AwsClients):
    call("PUT", "/v1/connections/acme", CONNECTION)
    call("PUT", "/v1/agents/it_support", AGENT)
    event = {
        "id": "event-1",
        "source": "agentruns.request",
        "detail-type": "ActivityRequested",
        "detail": ACTIVITY,
    }
    handler = load("accept_event").lambda_handler
    first = handler(event, CONTEXT)
    assert handler(event, CONTEXT) == {**first, "repeated": True}
    assert first["repeated"] is False
    with pytest.raises(InvalidRequest):
        handler({**event, "detail": {}}, CONTEXT)


def test_missing_settings_are_all_named(deployed: AwsClients, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("EVENT_TENANT")
    monkeypatch.delenv("STATE_MACHINE_ARN")
    with pytest.raises(SettingsMissing) as caught:
        load("accept_event").lambda_handler({}, CONTEXT)
    assert set(caught.value.names) == {"EVENT_TENANT", "STATE_MACHINE_ARN"}


def test_each_log_line_is_one_json_object(deployed: AwsClients, capsys: pytest.CaptureFixture[str]):
    nasty = 'a\r\n{"level": "ERROR"}\x1b[31m\u2028\u0085line'
    call("GET", f"/v1/agents/{nasty}")
    call("GET", f"/v1/{nasty}", headers={"authorization": f"ApiKey {nasty}"})
    call("POST", "/v1/activities", {**ACTIVITY, "title": nasty}, headers={"accept": nasty})
    with pytest.raises(InvalidRequest):
        load("accept_event").lambda_handler({"id": nasty}, CONTEXT)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["request_refused"] * 3
    assert "ERROR" not in {json.loads(line)["level"] for line in lines}
