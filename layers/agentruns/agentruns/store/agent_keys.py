"""Keys of agents in DynamoDB: found by their id alone, listed by role.

Two rows a key, written and deleted together: one to find it by, one in its role's list.
"""

from __future__ import annotations

from agentruns.agent_errors import AgentKeyNotFound
from agentruns.agent_records import AgentKey
from agentruns.store import keys
from agentruns.store.table import ANY, DynamoDbTable, Put
from agentruns.store.values import Row, read_time, write_time


class DynamoDbAgentKeyStore:
    """`agentruns.agent_stores.AgentKeyStore` on the one table."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, key: AgentKey) -> None:
        places = (_place(key), _listed_place(key))
        rows = [Put(row=_row(key, *place), condition=ANY) for place in places]
        self._table.write_all(f"agent key {key.key_id!r}", rows)

    def find(self, key_id: str) -> AgentKey | None:
        row = self._table.get(keys.agent_key_key(key_id), keys.META)
        return None if row is None else _agent_key(row)

    def list(self, tenant: str, role: str) -> tuple[AgentKey, ...]:
        listed = self._table.read_all(keys.agent_keys_key(tenant, role))
        return tuple(_agent_key(row) for row in listed)

    def delete(self, tenant: str, role: str, key_id: str) -> None:
        """The key itself first: from then on it opens nothing, whatever happens to the list."""
        listed = {key.key_id: key for key in self.list(tenant, role)}
        if key_id not in listed:
            raise AgentKeyNotFound(key_id)
        self._table.delete(*_place(listed[key_id]))
        self._table.delete(*_listed_place(listed[key_id]))


def _place(key: AgentKey) -> tuple[str, str]:
    return keys.agent_key_key(key.key_id), keys.META


def _listed_place(key: AgentKey) -> tuple[str, str]:
    sort_key = f"{write_time(key.created_at)}#{key.key_id}"
    return keys.agent_keys_key(key.tenant, key.role), sort_key


def _row(key: AgentKey, pk: str, sk: str) -> Row:
    return {
        "pk": pk,
        "sk": sk,
        "tenant": key.tenant,
        "role": key.role,
        "key_id": key.key_id,
        "name": key.name,
        "secret_sha256": key.secret_sha256,
        "created_at": write_time(key.created_at),
    }


def _agent_key(row: Row) -> AgentKey:
    return AgentKey(
        tenant=row["tenant"],
        role=row["role"],
        key_id=row["key_id"],
        name=row["name"],
        secret_sha256=row["secret_sha256"],
        created_at=read_time(row["created_at"]),
    )
