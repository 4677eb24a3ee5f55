"""Agents: the roles that activities are given to, and how each is carried out.

Not here: starting anything. Reading, listing and deleting are the store's own calls.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from agentruns.errors import (
    AgentNotFound,
    ConnectionNotFound,
    ConnectionOfOtherProvider,
    InvalidRequest,
)
from agentruns.model import Agent, OnStartUnknown, RetryPolicy
from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.ports import AgentStore, Clock, ConnectionStore
from agentruns.providers import Adapter, Connection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What an operator sets on an agent."""

    adapter: Adapter
    enabled: bool = True
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: int = 86_400
    on_start_unknown: OnStartUnknown = OnStartUnknown.HOLD
    detection: Detection = USUAL_DETECTION


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAgent:
    """Create or replace an agent. Activities that run keep the settings they were opened with."""

    agents: AgentStore
    connections: ConnectionStore
    clock: Clock

    def __call__(self, tenant: str, role: str, settings: AgentSettings) -> Agent:
        """InvalidRequest for an unknown connection, or one of another provider."""
        require_connection(self.connections, tenant, settings.adapter, "adapter.connection")
        now = self.clock()
        agent = Agent(
            tenant=tenant,
            role=role,
            adapter=settings.adapter,
            created_at=self._created_at(tenant, role) or now,
            updated_at=now,
            enabled=settings.enabled,
            retry=settings.retry,
            timeout_seconds=settings.timeout_seconds,
            on_start_unknown=settings.on_start_unknown,
            detection=settings.detection,
        )
        self.agents.put(agent)
        logger.info("agent_stored", extra={"tenant": tenant, "agent_role": role})
        return agent

    def _created_at(self, tenant: str, role: str) -> datetime | None:
        try:
            return self.agents.get(tenant, role).created_at
        except AgentNotFound:
            return None


def require_connection(
    connections: ConnectionStore, tenant: str, adapter: Adapter, field: str
) -> None:
    """InvalidRequest that names `field` where the adapter's connection does not exist, or is
    another provider's."""
    try:
        connection_for(connections, tenant, adapter)
    except (ConnectionNotFound, ConnectionOfOtherProvider) as error:
        raise InvalidRequest([(field, f"{error}; see GET /v1/connections")]) from error


def connection_for(connections: ConnectionStore, tenant: str, adapter: Adapter) -> Connection:
    """The adapter's connection. ConnectionNotFound; ConnectionOfOtherProvider."""
    connection = connections.get(tenant, adapter.connection)
    if connection.provider != adapter.provider:
        raise ConnectionOfOtherProvider(connection.name, connection.provider, adapter.provider)
    return connection
