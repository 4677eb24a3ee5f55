"""Sessions of agents in DynamoDB: a row per session, and one that says which was the last."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from agentruns.agent_records import AgentSession
from agentruns.store import keys
from agentruns.store.table import ANY, DynamoDbTable, Put
from agentruns.store.values import Row, read_time, write_time

KEPT_UNUSED = timedelta(days=90)


class DynamoDbSessionStore:
    """`agentruns.agent_stores.SessionStore` on the one table; its TTL removes what is not used."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, session: AgentSession, now: datetime) -> None:
        places = (_sort_key(session.session_id), keys.LATEST_SESSION)
        rows = [Put(row=_row(session, place, now), condition=ANY) for place in places]
        self._table.write_all(f"session of {session.role!r}", rows)

    def find(self, tenant: str, role: str, session_id: str) -> AgentSession | None:
        return self._get(tenant, role, _sort_key(session_id))

    def latest(self, tenant: str, role: str) -> AgentSession | None:
        return self._get(tenant, role, keys.LATEST_SESSION)

    def _get(self, tenant: str, role: str, sort_key: str) -> AgentSession | None:
        row = self._table.get(keys.sessions_key(tenant, role), sort_key)
        return None if row is None else _session(row)


def _sort_key(session_id: str) -> str:
    """A session's id is the agent's own text, of any form."""
    return keys.session_sort_key(hashlib.sha256(session_id.encode()).hexdigest())


def _row(session: AgentSession, sort_key: str, now: datetime) -> Row:
    return {
        "pk": keys.sessions_key(session.tenant, session.role),
        "sk": sort_key,
        "tenant": session.tenant,
        "role": session.role,
        "session_id": session.session_id,
        "run_id": session.run_id,
        "input_tokens": session.input_tokens,
        "output_tokens": session.output_tokens,
        "created_at": write_time(session.created_at),
        "updated_at": write_time(session.updated_at),
        "ttl": int((now + KEPT_UNUSED).timestamp()),
    }


def _session(row: Row) -> AgentSession:
    return AgentSession(
        tenant=row["tenant"],
        role=row["role"],
        session_id=row["session_id"],
        run_id=row["run_id"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
    )
