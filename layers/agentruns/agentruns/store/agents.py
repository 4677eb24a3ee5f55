"""Agents in DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentruns.definitions import Agent
from agentruns.errors import AgentNotFound
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.store.keys import agents_key
from agentruns.store.settings_json import (
    adapter_from_json,
    adapter_to_json,
    detection_from_json,
    detection_to_json,
    retry_to_json,
)
from agentruns.store.values import Row, read_json, read_time, write_json, write_time
from agentruns.wait import OnApprovalExpired

if TYPE_CHECKING:
    from agentruns.store.table import DynamoDbTable


class DynamoDbAgentStore:
    """`agentruns.ports.AgentStore` on the one table; listed by role."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, agent: Agent) -> None:
        self._table.put(_row(agent))

    def get(self, tenant: str, role: str) -> Agent:
        row = self._table.get(agents_key(tenant), role)
        if row is None:
            raise AgentNotFound(role)
        return _agent(row)

    def list(self, tenant: str) -> tuple[Agent, ...]:
        return tuple(_agent(row) for row in self._table.read_all(agents_key(tenant)))

    def delete(self, tenant: str, role: str) -> None:
        """Read first: a condition on the delete would call its own repetition `not found`."""
        self.get(tenant, role)
        self._table.delete(agents_key(tenant), role)


def _row(agent: Agent) -> Row:
    return {
        "pk": agents_key(agent.tenant),
        "sk": agent.role,
        "tenant": agent.tenant,
        "role": agent.role,
        "adapter": write_json(adapter_to_json(agent.adapter)),
        "created_at": write_time(agent.created_at),
        "updated_at": write_time(agent.updated_at),
        "enabled": agent.enabled,
        "retry": write_json(retry_to_json(agent.retry)),
        "timeout_seconds": agent.timeout_seconds,
        "on_start_unknown": agent.on_start_unknown.value,
        "detection": write_json(detection_to_json(agent.detection)),
        "system_prompt": agent.system_prompt or None,
        "model": agent.model or None,
        "max_turns": agent.max_turns,
        "skills": agent.skills or None,
        "on_approval_expired": agent.on_approval_expired.value,
    }


def _agent(row: Row) -> Agent:
    return Agent(
        tenant=row["tenant"],
        role=row["role"],
        adapter=adapter_from_json(read_json(row["adapter"])),
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
        enabled=row["enabled"],
        retry=RetryPolicy(**read_json(row["retry"])),
        timeout_seconds=row["timeout_seconds"],
        on_start_unknown=OnStartUnknown(row["on_start_unknown"]),
        detection=detection_from_json(row.get("detection")),
        system_prompt=row.get("system_prompt", ""),
        model=row.get("model", ""),
        max_turns=row.get("max_turns"),
        skills=row.get("skills", ()),
        on_approval_expired=OnApprovalExpired(row.get("on_approval_expired", "fail")),
    )
