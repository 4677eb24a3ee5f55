"""Connections in DynamoDB: everything but their credentials, which Secrets Manager keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentruns.errors import ConnectionNotFound
from agentruns.providers import (
    LEAP,
    Connection,
    ConnectionLimits,
    LeapConnection,
    LeapDialect,
    LeenaConnection,
    require_leena,
)
from agentruns.store.keys import connections_key
from agentruns.store.values import Row, read_time, write_time

if TYPE_CHECKING:
    from agentruns.store.table import DynamoDbTable


class DynamoDbConnectionStore:
    """`agentruns.ports.ConnectionStore` on the one table; listed by name."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, connection: Connection) -> None:
        self._table.put(_row(connection))

    def get(self, tenant: str, name: str) -> Connection:
        row = self._table.get(connections_key(tenant), name)
        if row is None:
            raise ConnectionNotFound(name)
        return _connection(row)

    def list(self, tenant: str) -> tuple[Connection, ...]:
        return tuple(_connection(row) for row in self._table.read_all(connections_key(tenant)))

    def delete(self, tenant: str, name: str) -> None:
        """Read first: a condition on the delete would call its own repetition `not found`."""
        self.get(tenant, name)
        self._table.delete(connections_key(tenant), name)


def _row(connection: Connection) -> Row:
    return {
        "pk": connections_key(connection.tenant),
        "sk": connection.name,
        "tenant": connection.tenant,
        "name": connection.name,
        "provider": connection.provider,
        **_provider_attributes(connection),
        "api_url": connection.api_url,
        "max_concurrent_runs": connection.limits.max_concurrent_runs,
        "requests_per_minute": connection.limits.requests_per_minute,
        "created_at": write_time(connection.created_at),
        "updated_at": write_time(connection.updated_at),
    }


def _provider_attributes(connection: Connection) -> Row:
    if isinstance(connection, LeapConnection):
        return {"dialect": connection.dialect.value}
    leena = require_leena(connection)
    return {"region": leena.region, "auth_url": leena.auth_url}


def _connection(row: Row) -> Connection:
    shared: dict[str, Any] = {
        "tenant": row["tenant"],
        "name": row["name"],
        "api_url": row["api_url"],
        "limits": ConnectionLimits(
            max_concurrent_runs=row.get("max_concurrent_runs"),
            requests_per_minute=row.get("requests_per_minute"),
        ),
        "created_at": read_time(row["created_at"]),
        "updated_at": read_time(row["updated_at"]),
    }
    if row["provider"] == LEAP:
        return LeapConnection(dialect=LeapDialect(row["dialect"]), **shared)
    return LeenaConnection(region=row["region"], auth_url=row["auth_url"], **shared)
