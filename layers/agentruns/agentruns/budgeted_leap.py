"""The request budget around Leap's API, as `budgeting.BudgetedLeenaApi` around Leena's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentruns.budget import Use

if TYPE_CHECKING:
    from agentruns.budgeting import RequestBudget
    from agentruns.bulk_runs import InputCsv
    from agentruns.provider_ports import LeapApi, WorkflowRun
    from agentruns.providers import LeapConnection
    from agentruns.secret import Secret


class BudgetedLeapApi:
    """LeapApi within the connection's budget. Errors as the port, and RequestBudgetSpent."""

    def __init__(self, api: LeapApi, request_budget: RequestBudget) -> None:
        self._api = api
        self._budget = request_budget

    def start(
        self,
        connection: LeapConnection,
        api_key: Secret,
        *,
        workflow_id: str,
        webhook_url: Secret,
        inputs: Mapping[str, Any] | InputCsv,
    ) -> WorkflowRun:
        self._budget.take(connection, Use.START)
        return self._api.start(
            connection, api_key, workflow_id=workflow_id, webhook_url=webhook_url, inputs=inputs
        )

    def read_run(
        self, connection: LeapConnection, api_key: Secret, workflow_run_id: str, *, is_bulk: bool
    ) -> WorkflowRun:
        self._budget.take(connection, Use.LOOK)
        return self._api.read_run(connection, api_key, workflow_run_id, is_bulk=is_bulk)
