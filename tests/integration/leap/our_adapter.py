"""Our adapter over its real HTTP against an emulator, with a short deadline."""

from __future__ import annotations

from datetime import UTC, datetime

from agentruns.adapters.http import JsonHttp
from agentruns.adapters.leap import LeapHttpApi
from agentruns.bulk_runs import InputCsv
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapConnection, LeapDialect
from agentruns.secret import Secret
from tests.integration.leap.recorded import INPUT_CSV_URL, INPUTS, WEBHOOK_URL, WORKFLOW_ID

DEADLINE_SECONDS = 1.5
READ_SECONDS = 1.0


def now() -> datetime:
    return datetime.now(UTC)


class OurAdapter:
    """`adapters.leap` over one connection. What it sends is as `recorded` has it."""

    def __init__(
        self, url: str, dialect: LeapDialect = LeapDialect.RUNS, api_key: str = "demo-key"
    ) -> None:
        self.connection = LeapConnection(
            tenant="default",
            name="flows",
            api_url=url,
            dialect=dialect,
            created_at=now(),
            updated_at=now(),
        )
        self.api_key = Secret(api_key)
        self.api = LeapHttpApi(
            JsonHttp(
                allow_private_networks=True,
                clock=now,
                deadline_seconds=DEADLINE_SECONDS,
                read_seconds=READ_SECONDS,
            )
        )

    def start(self, workflow_id: str = WORKFLOW_ID) -> WorkflowRun:
        return self.api.start(
            self.connection,
            self.api_key,
            workflow_id=workflow_id,
            webhook_url=Secret(WEBHOOK_URL),
            inputs=INPUTS,
        )

    def start_bulk(self, workflow_id: str = WORKFLOW_ID) -> WorkflowRun:
        return self.api.start(
            self.connection,
            self.api_key,
            workflow_id=workflow_id,
            webhook_url=Secret(WEBHOOK_URL),
            inputs=InputCsv(INPUT_CSV_URL),
        )

    def read(self, workflow_run_id: str) -> WorkflowRun:
        return self._read(workflow_run_id, is_bulk=False)

    def read_bulk(self, bulk_run_id: str) -> WorkflowRun:
        return self._read(bulk_run_id, is_bulk=True)

    def _read(self, run_id: str, *, is_bulk: bool) -> WorkflowRun:
        return self.api.read_run(self.connection, self.api_key, run_id, is_bulk=is_bulk)
