"""How a workflow behaves: its phases and outcome, the catalogue of ready ones, and the parser.

A scenario is a list of phases, each a status for a number of seconds, gone through in order; the
last one stays for ever. Only the last may be terminal.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from local.emulation.errors import InvalidField, RequestRefused
from local.emulation.fields import Fields
from local.emulation.phases import MAXIMUM_SECONDS, parse_phases
from local.leap_emulator.ids import version_id_of

DEFAULT_ERROR = "Step 2 failed: the model gave no answer"
_WORKFLOW_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MAXIMUM_OUTPUT_BYTES = 256 * 1024 * 1024
_NAMES = (
    "phases",
    "description",
    "output",
    "output_bytes",
    "error",
    "row_count",
    "can_be_run",
)


class RunStatus(StrEnum):
    """The five known statuses; a scenario may also show any other text, as a surprise."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_TERMINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})


def is_terminal(status: str) -> bool:
    """True for completed, failed and cancelled."""
    return status in _TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """`status`, shown for `seconds`; None: for ever."""

    status: str
    seconds: float | None = None

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"status": self.status}
        return document if self.seconds is None else {**document, "seconds": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow as the emulator knows it.

    `output`: any JSON, of a completed run; `output_bytes` instead: an object of about that size.
    `error`: of a failed run. `row_count`: of a bulk run. `can_be_run` false: a start answers 400.
    """

    workflow_id: str
    phases: tuple[Phase, ...]
    description: str = ""
    output: Any = None
    output_bytes: int | None = None
    error: str = DEFAULT_ERROR
    row_count: int = 3
    can_be_run: bool = True

    @property
    def version_id(self) -> str:
        return version_id_of(self.workflow_id)

    def make_output(self) -> Any:
        return self.output if self.output_bytes is None else output_of_size(self.output_bytes)

    def as_document(self) -> dict[str, Any]:
        return {
            "workflow_id": self.workflow_id,
            "version_id": self.version_id,
            "description": self.description,
            "phases": [phase.as_document() for phase in self.phases],
            "output": self.output,
            "output_bytes": self.output_bytes,
            "error": self.error,
            "row_count": self.row_count,
            "can_be_run": self.can_be_run,
        }


def output_of_size(size_bytes: int) -> dict[str, str]:
    """An object that is `size_bytes` long as JSON, 13 bytes at least."""
    return {"text": "x" * max(0, size_bytes - len('{"text": ""}'))}


def _running_then(status: str, seconds: float = 0.5) -> tuple[Phase, ...]:
    return Phase(status=RunStatus.RUNNING, seconds=seconds), Phase(status=status)


_COMPLETES = _running_then(RunStatus.COMPLETED)
_ANSWER = {"answer": "42", "steps": [{"name": "think", "tokens": 7}]}

READY_WORKFLOWS: tuple[Workflow, ...] = (
    Workflow(
        workflow_id="wkf_i3F5UjpZ2Vg",
        description="the published clients' example",
        phases=_COMPLETES,
        output=_ANSWER,
    ),
    Workflow(workflow_id="wkf_completes", phases=_COMPLETES, output=_ANSWER),
    Workflow(
        workflow_id="wkf_completes_after_5_seconds",
        phases=_running_then(RunStatus.COMPLETED, 5),
        output=_ANSWER,
    ),
    Workflow(
        workflow_id="wkf_completes_after_30_seconds",
        phases=_running_then(RunStatus.COMPLETED, 30),
        output=_ANSWER,
    ),
    Workflow(
        workflow_id="wkf_queues_then_completes",
        phases=(Phase(status=RunStatus.QUEUED, seconds=0.5), *_COMPLETES),
        output=_ANSWER,
    ),
    Workflow(workflow_id="wkf_fails", phases=_running_then(RunStatus.FAILED)),
    Workflow(workflow_id="wkf_is_cancelled", phases=_running_then(RunStatus.CANCELLED)),
    Workflow(
        workflow_id="wkf_unknown_status_then_completes",
        phases=(
            Phase(status=RunStatus.RUNNING, seconds=0.2),
            Phase(status="waiting_for_input", seconds=0.3),
            Phase(status=RunStatus.COMPLETED),
        ),
        output=_ANSWER,
    ),
    Workflow(workflow_id="wkf_never_ends", phases=(Phase(status=RunStatus.RUNNING),)),
    Workflow(workflow_id="wkf_null_output", phases=_COMPLETES),
    Workflow(workflow_id="wkf_text_output", phases=_COMPLETES, output="All is well — ✓"),
    Workflow(workflow_id="wkf_number_output", phases=_COMPLETES, output=-0.5),
    Workflow(workflow_id="wkf_list_output", phases=_COMPLETES, output=[1, None, {"a": [True]}]),
    Workflow(workflow_id="wkf_large_output", phases=_COMPLETES, output_bytes=400 * 1024),
    Workflow(workflow_id="wkf_huge_output", phases=_COMPLETES, output_bytes=2 * 1024 * 1024),
    Workflow(workflow_id="wkf_cannot_be_run", phases=_COMPLETES, can_be_run=False),
)


class WorkflowCatalogue:
    """The workflows that can be started, by id. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.restore_ready_ones()

    def restore_ready_ones(self) -> None:
        with self._lock:
            self._by_id = {workflow.workflow_id: workflow for workflow in READY_WORKFLOWS}

    def find(self, workflow_id: str) -> Workflow | None:
        with self._lock:
            return self._by_id.get(workflow_id)

    def get(self, workflow_id: str) -> Workflow:
        """Raises RequestRefused 404."""
        workflow = self.find(workflow_id)
        if workflow is None:
            raise RequestRefused(404, f"Workflow {workflow_id} not found")
        return workflow

    def all(self) -> list[Workflow]:
        with self._lock:
            return list(self._by_id.values())

    def define_from_document(self, workflow_id: str, document: Any) -> tuple[Workflow, bool]:
        """The body of `PUT /_emulator/workflows/{workflow_id}`; true if its id was new.

        Runs under way keep their old scenario. Raises InvalidField.
        """
        if not _WORKFLOW_ID.fullmatch(workflow_id):
            raise InvalidField(
                "workflow_id", "must be letters, digits, '_', '.', '-', at most 100 of them"
            )
        workflow = _parse_workflow(workflow_id, document)
        with self._lock:
            is_new = workflow_id not in self._by_id
            self._by_id[workflow_id] = workflow
        return workflow, is_new


def _parse_workflow(workflow_id: str, document: Any) -> Workflow:
    fields = Fields(document)
    fields.refuse_unknown(_NAMES)
    if "output" in fields and "output_bytes" in fields:
        raise InvalidField("output_bytes", "give either output or output_bytes, not both")
    return Workflow(
        workflow_id=workflow_id,
        phases=parse_phases(fields, "{status, seconds}", _parse_phase),
        description=fields.text("description", "defined by PUT"),
        output=fields.value("output") if "output" in fields else None,
        output_bytes=(
            fields.integer("output_bytes", low=0, high=_MAXIMUM_OUTPUT_BYTES)
            if "output_bytes" in fields
            else None
        ),
        error=fields.text("error", DEFAULT_ERROR),
        row_count=fields.integer("row_count", 3, low=0, high=10**6),
        can_be_run=fields.boolean("can_be_run", True),
    )


def _parse_phase(fields: Fields, is_last: bool) -> Phase:
    fields.refuse_unknown(("status",) if is_last else ("status", "seconds"))
    status = fields.text("status")
    if is_last:
        return Phase(status=status)
    if is_terminal(status):
        raise InvalidField(fields.name_of("status"), "only the last phase may be terminal")
    return Phase(status=status, seconds=fields.number("seconds", low=0, high=MAXIMUM_SECONDS))
