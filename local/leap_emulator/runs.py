"""Runs: what one accepted start made, how far it has come, and how it is shown.

A run follows its scenario by the clock, unless it was ended by command. A bulk run is a run with a
CSV; its rows are not run one by one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.emulation.clock import Clock, control_timestamp
from local.emulation.errors import RequestRefused
from local.leap_emulator.dialects import Casing, Dialect, in_casing, provider_timestamp
from local.leap_emulator.ids import new_id
from local.leap_emulator.settings import EmulatorSettings
from local.leap_emulator.workflows import RunStatus, Workflow, is_terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What a start carried. `input_csv_url` makes it a bulk run."""

    dialect: Dialect
    workflow_id: str
    webhook_url: str | None = None
    inputs: dict[str, Any] | None = None
    input_csv_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands at one moment. `output` and `error` are None where they do not apply."""

    status: str
    started_at: datetime | None
    ended_at: datetime | None
    output: Any = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """Changed only by its `RunStore`, under the store's lock."""

    run_id: str
    workflow: Workflow
    request: StartRequest
    created_at: datetime
    forced: Standing | None = None

    @property
    def is_bulk(self) -> bool:
        return self.request.input_csv_url is not None

    @property
    def ends_at(self) -> datetime | None:
        """When its scenario ends it; None: never."""
        *passing, last = self.workflow.phases
        if not is_terminal(last.status):
            return None
        return self.created_at + timedelta(seconds=sum(phase.seconds or 0 for phase in passing))

    def standing(self, now: datetime) -> Standing:
        if self.forced is not None:
            return self.forced
        entered_at, started_at = self.created_at, None
        for phase in self.workflow.phases:
            if phase.status != RunStatus.QUEUED and started_at is None:
                started_at = entered_at
            if phase.seconds is None or now < entered_at + timedelta(seconds=phase.seconds):
                return self.standing_in(phase.status, started_at, entered_at)
            entered_at += timedelta(seconds=phase.seconds)
        raise AssertionError("the last phase has no seconds")

    def standing_in(
        self, status: str, started_at: datetime | None, entered_at: datetime
    ) -> Standing:
        return Standing(
            status=status,
            started_at=started_at,
            # The provider's sample of a failed run has no end either.
            ended_at=(entered_at if is_terminal(status) and status != RunStatus.FAILED else None),
            output=self.workflow.make_output() if status == RunStatus.COMPLETED else None,
            error=self.workflow.error if status == RunStatus.FAILED else None,
        )

    def as_document(
        self, standing: Standing, settings: EmulatorSettings, base_url: str
    ) -> dict[str, Any]:
        """The provider's run object, or bulk run object."""
        document: dict[str, Any] = {
            "id": self.run_id,
            "version_id": self.workflow.version_id,
            "status": standing.status,
            "created_at": provider_timestamp(self.created_at),
            "workflow_id": self.workflow.workflow_id,
            "error": standing.error,
        }
        if self.is_bulk:
            is_done = standing.status == RunStatus.COMPLETED
            output_csv_url = f"{base_url}/_emulator/files/{self.run_id}.csv" if is_done else None
            document |= {
                "input_csv_url": self.request.input_csv_url,
                "output_csv_url": output_csv_url,
                "row_count": self.workflow.row_count,
            }
        else:
            document |= {
                "started_at": provider_timestamp(standing.started_at),
                "ended_at": provider_timestamp(standing.ended_at),
                settings.input_name: self.request.inputs,
                "output": standing.output,
            }
        return in_casing(document, self.request.dialect, Casing(settings.casing))

    def as_control_document(self, now: datetime) -> dict[str, Any]:
        standing = self.standing(now)
        return {
            "run_id": self.run_id,
            "workflow_id": self.workflow.workflow_id,
            "dialect": self.request.dialect.value,
            "is_bulk": self.is_bulk,
            "webhook_url": self.request.webhook_url,
            "status": standing.status,
            "is_terminal": is_terminal(standing.status),
            "is_forced": self.forced is not None,
            "created_at": control_timestamp(self.created_at),
            "ends_at": control_timestamp(self.ends_at) if self.ends_at else None,
        }


class RunStore:
    """All runs since the start or the last reset, in memory. Thread safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    def create(self, workflow: Workflow, request: StartRequest) -> Run:
        run = Run(
            run_id=new_id("rnp" if request.input_csv_url is None else "bulk"),
            workflow=workflow,
            request=request,
            created_at=self._clock(),
        )
        with self._lock:
            self._runs[run.run_id] = run
        return run

    def find(self, run_id: str) -> Run | None:
        with self._lock:
            return self._runs.get(run_id)

    def get(self, run_id: str) -> Run:
        """Raises RequestRefused 404."""
        run = self.find(run_id)
        if run is None:
            raise RequestRefused(404, f"Workflow run {run_id} not found")
        return run

    def all(self) -> list[Run]:
        with self._lock:
            return list(self._runs.values())

    def force(self, run_id: str, status: str, *, outcome: dict[str, Any]) -> Run:
        """Shows `status` from now on, whatever the scenario. Raises RequestRefused 404.

        `outcome` may have `output` and `error`; without them it is the workflow's own.
        """
        run, now = self.get(run_id), self._clock()
        with self._lock:
            own = run.standing_in(status, run.standing(now).started_at or now, now)
            run.forced = Standing(
                status=status,
                started_at=own.started_at,
                ended_at=own.ended_at,
                output=outcome.get("output", own.output),
                error=outcome.get("error", own.error),
            )
        return run

    def clear(self) -> None:
        with self._lock:
            self._runs.clear()
