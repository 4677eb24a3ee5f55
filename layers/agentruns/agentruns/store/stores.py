"""The table's stores, each made when it is first asked for, so that a function imports no other.

Not here: the table itself, which `wiring` opens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentruns.agent_stores import (
        AgentKeyStore,
        DeltaStore,
        SessionStore,
        SkillStore,
        ToolCallStore,
    )
    from agentruns.outputs import OutputStore
    from agentruns.ports import (
        ActivityStore,
        AgentStore,
        BudgetStore,
        ConnectionStore,
        DurationStore,
        GateStore,
        LeaseStore,
        LookMarkStore,
        OperatorKeyStore,
        ScheduleStore,
    )
    from agentruns.store.inbox import DynamoDbInbox
    from agentruns.store.table import DynamoDbTable


class DynamoDbStores:
    """What `agentruns.ports` asks of the table."""

    def __init__(self, table: DynamoDbTable, outputs: Callable[[], OutputStore]) -> None:
        self._table = table
        self._outputs = outputs

    @cached_property
    def activities(self) -> ActivityStore:
        from agentruns.store.activities import DynamoDbActivityStore

        return DynamoDbActivityStore(self._table, self._outputs)

    @cached_property
    def inbox(self) -> DynamoDbInbox:
        from agentruns.store.inbox import DynamoDbInbox

        return DynamoDbInbox(self._table)

    @cached_property
    def agents(self) -> AgentStore:
        from agentruns.store.agents import DynamoDbAgentStore

        return DynamoDbAgentStore(self._table)

    @cached_property
    def connections(self) -> ConnectionStore:
        from agentruns.store.connections import DynamoDbConnectionStore

        return DynamoDbConnectionStore(self._table)

    @cached_property
    def schedules(self) -> ScheduleStore:
        from agentruns.store.schedules import DynamoDbScheduleStore

        return DynamoDbScheduleStore(self._table)

    @cached_property
    def operator_keys(self) -> OperatorKeyStore:
        from agentruns.store.operator_keys import DynamoDbOperatorKeyStore

        return DynamoDbOperatorKeyStore(self._table)

    @cached_property
    def agent_keys(self) -> AgentKeyStore:
        from agentruns.store.agent_keys import DynamoDbAgentKeyStore

        return DynamoDbAgentKeyStore(self._table)

    @cached_property
    def skills(self) -> SkillStore:
        from agentruns.store.skills import DynamoDbSkillStore

        return DynamoDbSkillStore(self._table)

    @cached_property
    def sessions(self) -> SessionStore:
        from agentruns.store.sessions import DynamoDbSessionStore

        return DynamoDbSessionStore(self._table)

    @cached_property
    def deltas(self) -> DeltaStore:
        from agentruns.store.deltas import DynamoDbDeltaStore

        return DynamoDbDeltaStore(self._table)

    @cached_property
    def tool_calls(self) -> ToolCallStore:
        from agentruns.store.tool_calls import DynamoDbToolCallStore

        return DynamoDbToolCallStore(self._table)

    @cached_property
    def durations(self) -> DurationStore:
        from agentruns.store.durations import DynamoDbDurationStore

        return DynamoDbDurationStore(self._table)

    @cached_property
    def leases(self) -> LeaseStore:
        from agentruns.store.leases import DynamoDbLeaseStore

        return DynamoDbLeaseStore(self._table)

    @cached_property
    def gates(self) -> GateStore:
        from agentruns.store.gates import DynamoDbGateStore

        return DynamoDbGateStore(self._table)

    @cached_property
    def budgets(self) -> BudgetStore:
        from agentruns.store.budgets import DynamoDbBudgetStore

        return DynamoDbBudgetStore(self._table)

    @cached_property
    def look_marks(self) -> LookMarkStore:
        from agentruns.store.look_marks import DynamoDbLookMarkStore

        return DynamoDbLookMarkStore(self._table)
