"""The connection gate around Leap's API: as `gated_leena.GatedLeenaApi`, without tokens.

Not here: the gate itself (`gating`), its rules (`gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentruns.gate import Door

if TYPE_CHECKING:
    from agentruns.bulk_runs import InputCsv
    from agentruns.gating import ConnectionGate
    from agentruns.provider_ports import LeapApi, WorkflowRun
    from agentruns.providers import LeapConnection
    from agentruns.secret import Secret


class GatedLeapApi:
    """LeapApi behind the connection's gate. Errors as the port, and ConnectionClosed."""

    def __init__(self, api: LeapApi, connection_gate: ConnectionGate) -> None:
        self._api = api
        self._gate = connection_gate

    def start(
        self,
        connection: LeapConnection,
        api_key: Secret,
        *,
        workflow_id: str,
        webhook_url: Secret,
        inputs: Mapping[str, Any] | InputCsv,
    ) -> WorkflowRun:
        return self._call(
            connection,
            lambda: self._api.start(
                connection,
                api_key,
                workflow_id=workflow_id,
                webhook_url=webhook_url,
                inputs=inputs,
            ),
        )

    def read_run(
        self, connection: LeapConnection, api_key: Secret, workflow_run_id: str, *, is_bulk: bool
    ) -> WorkflowRun:
        return self._call(
            connection,
            lambda: self._api.read_run(connection, api_key, workflow_run_id, is_bulk=is_bulk),
        )

    def _call(self, connection: LeapConnection, call: Callable[[], WorkflowRun]) -> WorkflowRun:
        is_probe = self._gate.enter(connection, Door.CALLS)
        return self._gate.send(connection, Door.CALLS, call, is_probe=is_probe)
