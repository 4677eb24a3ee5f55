"""What a request names: an agent, in either spelling of its role, and the connection it works over.

Not here: storing either (`agents`, `connections`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentruns.errors import (
    AgentNotFound,
    ConnectionNotFound,
    ConnectionOfOtherProvider,
    InvalidRequest,
)
from agentruns.ids import other_spelling
from agentruns.providers import Adapter, Connection, WebhookAgentAdapter

if TYPE_CHECKING:
    from agentruns.definitions import Agent
    from agentruns.ports import AgentStore, ConnectionStore


def agent_for(agents: AgentStore, tenant: str, role: str) -> Agent:
    """The agent of a role in either spelling (`blog-writer`, `blog_writer`). AgentNotFound."""
    try:
        return agents.get(tenant, role)
    except AgentNotFound:
        other = other_spelling(role)
        if other == role:
            raise
    try:
        return agents.get(tenant, other)
    except AgentNotFound as error:
        raise AgentNotFound(role) from error


def is_same_role(one: str, other: str) -> bool:
    """In whichever spelling."""
    return one_spelling(one) == one_spelling(other)


def one_spelling(role: str) -> str:
    """Of the two that a role has, always the same."""
    return min(role, other_spelling(role))


def require_connection(
    connections: ConnectionStore, tenant: str, adapter: Adapter, field: str
) -> None:
    """InvalidRequest that names `field` where the adapter's connection does not exist, or is
    another provider's."""
    try:
        connection_for(connections, tenant, adapter)
    except (ConnectionNotFound, ConnectionOfOtherProvider) as error:
        raise InvalidRequest([(field, f"{error}; see GET /v1/connections")]) from error


def connection_for(
    connections: ConnectionStore, tenant: str, adapter: Adapter
) -> Connection | None:
    """The adapter's connection; None of an agent that is called at its URL. ConnectionNotFound;
    ConnectionOfOtherProvider."""
    if isinstance(adapter, WebhookAgentAdapter):
        return None
    connection = connections.get(tenant, adapter.connection)
    if connection.provider != adapter.provider:
        raise ConnectionOfOtherProvider(connection.name, connection.provider, adapter.provider)
    return connection
