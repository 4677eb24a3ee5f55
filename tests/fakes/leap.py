"""Leap Workflows, scripted, with a ledger of what it was asked.

Not the emulator (`local/leap_emulator`), which answers over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentruns.bulk_runs import InputCsv
from agentruns.errors import StartUnknown
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapConnection
from agentruns.refusals import WorkflowRunNotFound
from agentruns.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapCall:
    """One request. Fields that its kind does not have are None."""

    kind: Literal["start", "read_run"]
    connection: str
    api_key: Secret
    workflow_id: str | None = None
    webhook_url: Secret | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    input_csv: InputCsv | None = None
    workflow_run_id: str | None = None
    is_bulk: bool = False


def a_workflow_run(workflow_run_id: str = "rnp_1", **fields: Any) -> WorkflowRun:
    values: dict[str, Any] = {
        "workflow_id": "wkf_1",
        "version_id": "vsp_1",
        "status": "running",
        "started_at": None,
        "ended_at": None,
        "error": None,
        "output": None,
    }
    return WorkflowRun(workflow_run_id=workflow_run_id, **(values | fields))


class FakeLeapApi:
    """A start gives `rnp_1`, `rnp_2`, ..., unless one is scripted; `runs` is what a read shows. A
    bulk start gives `bulk_1`, `bulk_2`, ..., and only a bulk read shows what is called so.

    A start that is scripted as StartUnknown is taken, and its answer lost; after another error it
    is not.
    `before_answer`, where set, is called once a start is taken and before it is answered.
    """

    def __init__(self) -> None:
        self.calls: list[LeapCall] = []
        self.runs: dict[str, WorkflowRun] = {}
        self.before_answer: Callable[[WorkflowRun, Secret], object] | None = None
        self._starts: list[WorkflowRun | Exception] = []
        self._reads: list[Exception] = []

    def on_start(self, *answers: WorkflowRun | Exception) -> None:
        self._starts += answers

    def on_read_run(self, *errors: Exception) -> None:
        self._reads += errors

    def ends(self, workflow_run_id: str, status: str = "completed", **fields: Any) -> WorkflowRun:
        """What the provider shows of it from now on."""
        run = replace(self.runs[workflow_run_id], status=status, **fields)
        self.runs[workflow_run_id] = run
        return run

    def calls_of(self, kind: str) -> list[LeapCall]:
        return [call for call in self.calls if call.kind == kind]

    def start(
        self,
        connection: LeapConnection,
        api_key: Secret,
        *,
        workflow_id: str,
        webhook_url: Secret,
        inputs: Mapping[str, Any] | InputCsv,
    ) -> WorkflowRun:
        is_bulk = isinstance(inputs, InputCsv)
        self.calls.append(
            LeapCall(
                kind="start",
                connection=connection.name,
                api_key=api_key,
                workflow_id=workflow_id,
                webhook_url=webhook_url,
                inputs={} if isinstance(inputs, InputCsv) else dict(inputs),
                input_csv=inputs if isinstance(inputs, InputCsv) else None,
                is_bulk=is_bulk,
            )
        )
        number = len(self.calls_of("start"))
        usual = a_workflow_run(
            f"bulk_{number}" if is_bulk else f"rnp_{number}", workflow_id=workflow_id
        )
        answer = self._starts.pop(0) if self._starts else usual
        if isinstance(answer, Exception) and not isinstance(answer, StartUnknown):
            raise answer
        self.take(usual if isinstance(answer, Exception) else answer, webhook_url)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def take(self, run: WorkflowRun, webhook_url: Secret) -> None:
        """The provider has the start from here on; its answer is still to come."""
        self.runs[run.workflow_run_id] = run
        if self.before_answer is not None:
            self.before_answer(run, webhook_url)

    def read_run(
        self, connection: LeapConnection, api_key: Secret, workflow_run_id: str, *, is_bulk: bool
    ) -> WorkflowRun:
        self.calls.append(
            LeapCall(
                kind="read_run",
                connection=connection.name,
                api_key=api_key,
                workflow_run_id=workflow_run_id,
                is_bulk=is_bulk,
            )
        )
        if self._reads:
            raise self._reads.pop(0)
        is_shown = workflow_run_id in self.runs
        if not is_shown or is_bulk is not workflow_run_id.startswith("bulk_"):
            raise WorkflowRunNotFound(workflow_run_id, 404, "no such run")
        return self.runs[workflow_run_id]
