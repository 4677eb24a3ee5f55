"""Step Functions in memory: executions that do nothing until a test ends or wakes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentruns.ports import ExecutionState

STATE_MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:activity"
_EXECUTION_PREFIX = "arn:aws:states:us-east-1:123456789012:execution:activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedExecution:
    name: str
    arn: str
    payload: Mapping[str, Any]


class FakeExecutions:
    """`started`, `stopped` (ARN, reason) and `woken` (callback token, output) are the ledger."""

    def __init__(self) -> None:
        self.started: list[StartedExecution] = []
        self.stopped: list[tuple[str, str]] = []
        self.woken: list[tuple[str, Mapping[str, Any]]] = []
        self._statuses: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._start_errors: list[Exception] = []

    # The port.

    def start(self, name: str, payload: Mapping[str, Any]) -> str:
        if self._start_errors:
            raise self._start_errors.pop(0)
        arn = self.arn_of(name)
        if arn not in self._statuses:
            self._statuses[arn] = "RUNNING"
            self.started.append(StartedExecution(name=name, arn=arn, payload=dict(payload)))
        return arn

    def stop(self, execution_arn: str, reason: str) -> None:
        if self._statuses.get(execution_arn) == "RUNNING":
            self._statuses[execution_arn] = "ABORTED"
            self.stopped.append((execution_arn, reason))

    def describe(self, execution_arn: str) -> ExecutionState | None:
        status = self._statuses.get(execution_arn)
        if status is None:
            return None
        return ExecutionState(running=status == "RUNNING", status=status)

    def wake(self, callback_token: str, output: Mapping[str, Any]) -> bool:
        if callback_token not in self._waiting:
            return False
        self._waiting.remove(callback_token)
        self.woken.append((callback_token, dict(output)))
        return True

    # What a test does to it.

    @staticmethod
    def arn_of(name: str) -> str:
        return f"{_EXECUTION_PREFIX}:{name}"

    def wait_on(self, callback_token: str) -> None:
        """An execution waits on this token from now on."""
        self._waiting.add(callback_token)

    def expire(self, callback_token: str) -> None:
        """Nobody waits on it any more."""
        self._waiting.discard(callback_token)

    def run(self, execution_arn: str) -> None:
        """An execution that somebody else started (a schedule)."""
        self._statuses[execution_arn] = "RUNNING"

    def end(self, execution_arn: str, status: str = "SUCCEEDED") -> None:
        self._statuses[execution_arn] = status

    def forget(self, execution_arn: str) -> None:
        """Its history has expired, or it never was."""
        self._statuses.pop(execution_arn, None)

    def fail_next_start(self, error: Exception) -> None:
        self._start_errors.append(error)
