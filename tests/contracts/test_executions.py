"""The contract of `Executions`, and the words Step Functions has for `nobody waits any more`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from agentruns.aws.clients import AwsClients
from agentruns.aws.executions import StepFunctionsExecutions, execution_arn_for
from agentruns.ports import Executions
from tests.fakes import FakeExecutions

ROLE_ARN = "arn:aws:iam::123456789012:role/states"
STATE_MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The executions, and a way to end one."""

    executions: Executions
    end: Callable[[str], None]


def fake_world() -> World:
    executions = FakeExecutions()
    return World(executions=executions, end=executions.end)


@pytest.fixture
def moto() -> Iterator[None]:
    """For a test alone: one within another would leave its settings behind."""
    with mock_aws():
        yield


def step_functions_world(aws: AwsClients) -> World:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    arn = aws.stepfunctions().create_state_machine(
        name="activity", definition=json.dumps(definition), roleArn=ROLE_ARN
    )["stateMachineArn"]
    executions = StepFunctionsExecutions(aws.stepfunctions, arn)
    return World(executions=executions, end=lambda arn: executions.stop(arn, "ended"))


@pytest.fixture(params=["fake", "step_functions"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return fake_world()
    return step_functions_world(request.getfixturevalue("aws"))


class TestExecutions:
    def test_a_started_execution_runs_under_its_name(self, world):
        arn = world.executions.start("act_1-1", {"activity_id": "act_1"})
        assert arn.endswith(":execution:activity:act_1-1")
        assert world.executions.describe(arn).running

    @pytest.mark.parametrize("payload", [{"a": 1}, {"a": 2}])
    def test_row_28_a_name_that_runs_is_as_good_as_started(self, world, payload):
        first = world.executions.start("act_1-1", {"a": 1})
        assert world.executions.start("act_1-1", payload) == first

    def test_a_name_that_ended_does_not_run_again(self, world):
        arn = world.executions.start("act_1-1", {})
        world.end(arn)
        assert world.executions.start("act_1-1", {}) == arn
        assert not world.executions.describe(arn).running

    def test_stopped_does_not_run(self, world):
        arn = world.executions.start("act_1-1", {})
        for _ in range(2):
            world.executions.stop(arn, "cancelled")
            state = world.executions.describe(arn)
            assert (state.running, state.status) == (False, "ABORTED")

    def test_an_unknown_execution_is_none_and_stopping_it_is_nothing(self, world):
        arn = world.executions.start("act_1-1", {}) + "0"
        assert world.executions.describe(arn) is None
        world.executions.stop(arn, "cancelled")


class TestWake:
    @pytest.fixture(params=["fake", "step_functions"])
    def waiting(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[tuple[Executions, str]]:
        if request.param == "fake":
            fake = FakeExecutions()
            fake.wait_on("token")
            yield fake, "token"
            return
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
            yield park_an_execution(AwsClients())

    def test_a_token_that_nobody_waits_on_wakes_nobody(self, waiting):
        executions, _ = waiting
        assert executions.wake("unknown", {}) is False

    def test_finding_9_a_token_wakes_nobody_once_its_task_is_over(self, waiting):
        executions, token = waiting
        assert executions.wake(token, {"next_step": "settle"}) is True
        # Until the waiter has noticed the first, an emulator takes a second.
        give_up_at = time.monotonic() + 10
        while executions.wake(token, {"next_step": "settle"}):
            assert time.monotonic() < give_up_at
            time.sleep(0.05)

    @pytest.mark.parametrize("word", ["TaskDoesNotExist", "TaskTimedOut", "InvalidToken"])
    def test_finding_9_each_word_for_it_is_false(self, aws: AwsClients, word: str) -> None:
        executions = StepFunctionsExecutions(aws.stepfunctions, STATE_MACHINE_ARN)
        with Stubber(aws.stepfunctions()) as stubber:
            stubber.add_client_error("send_task_success", word)
            assert executions.wake("token", {}) is False

    def test_finding_9_execution_already_exists_is_started(self, aws: AwsClients) -> None:
        executions = StepFunctionsExecutions(aws.stepfunctions, STATE_MACHINE_ARN)
        with Stubber(aws.stepfunctions()) as stubber:
            stubber.add_client_error("start_execution", "ExecutionAlreadyExists")
            arn = executions.start("act_1-1", {})
        assert arn == execution_arn_for(STATE_MACHINE_ARN, "act_1-1")
        assert arn == "arn:aws:states:us-east-1:123456789012:execution:activity:act_1-1"


def park_an_execution(aws: AwsClients) -> tuple[Executions, str]:
    """An execution that waits on a callback token, and the token, by way of a queue."""
    queue: Any = boto3.client("sqs")
    url = queue.create_queue(QueueName="tokens")["QueueUrl"]
    park = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    arn = aws.stepfunctions().create_state_machine(
        name="activity",
        definition=json.dumps({"StartAt": "Park", "States": {"Park": park}}),
        roleArn=ROLE_ARN,
    )["stateMachineArn"]
    executions = StepFunctionsExecutions(aws.stepfunctions, arn)
    executions.start("act_1-1", {})
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        messages = queue.receive_message(QueueUrl=url).get("Messages")
        if messages:
            return executions, messages[0]["Body"]
        time.sleep(0.05)
    raise AssertionError("no execution waits after 10 s")
