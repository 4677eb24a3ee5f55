"""The executions of one state machine. botocore owns the retries; every call bears a repetition."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentruns.ports import ExecutionState

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

_RUNNING = frozenset({"RUNNING", "PENDING_REDRIVE"})
MAX_CAUSE_CHARACTERS = 32_768
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""


class StepFunctionsExecutions:
    """`agentruns.ports.Executions`; `client` is asked for at the first use."""

    def __init__(self, client: Callable[[], SFNClient], state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, name: str, payload: Mapping[str, Any]) -> str:
        """Start it, or name the execution that has this name already.

        AWS answers the same name and input with the execution that runs; one that ended, and the
        emulator any, with ExecutionAlreadyExists: all are as good as started.
        """
        client = self._client()
        try:
            answer = client.start_execution(
                stateMachineArn=self._state_machine_arn, name=name, input=json.dumps(dict(payload))
            )
        except client.exceptions.ExecutionAlreadyExists:
            return execution_arn_for(self._state_machine_arn, name)
        return answer["executionArn"]

    def stop(self, execution_arn: str, reason: str) -> None:
        client = self._client()
        try:
            client.stop_execution(
                executionArn=execution_arn, error="Stopped", cause=reason[:MAX_CAUSE_CHARACTERS]
            )
        except client.exceptions.ExecutionDoesNotExist:
            return

    def describe(self, execution_arn: str) -> ExecutionState | None:
        client = self._client()
        try:
            status = client.describe_execution(executionArn=execution_arn)["status"]
        except client.exceptions.ExecutionDoesNotExist:
            return None
        return ExecutionState(running=status in _RUNNING, status=status)

    def wake(self, callback_token: str, output: Mapping[str, Any]) -> bool:
        """Complete the waiting task.

        That nobody waits any more is said in three ways: TaskDoesNotExist and TaskTimedOut by
        AWS and MiniStack, InvalidToken by moto.
        """
        client = self._client()
        try:
            client.send_task_success(taskToken=callback_token, output=json.dumps(dict(output)))
        except (
            client.exceptions.TaskDoesNotExist,
            client.exceptions.TaskTimedOut,
            client.exceptions.InvalidToken,
        ):
            return False
        return True


def execution_arn_for(state_machine_arn: str, name: str) -> str:
    """The ARN of the execution of that name: `stateMachine:M` becomes `execution:M:<name>`."""
    parts = state_machine_arn.split(":")
    parts[5] = "execution"
    return ":".join([*parts, name])
