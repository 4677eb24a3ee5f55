"""The gates of connections in DynamoDB: one small row per gate, written only while something is
wrong with the connection."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agentruns.gate import Door, GateState, Refusal
from agentruns.store.keys import gate_key
from agentruns.store.table import ABSENT, DynamoDbTable, Put, at_version
from agentruns.store.values import (
    Row,
    read_optional_time,
    read_time,
    write_optional_time,
    write_time,
)

KEPT_UNUSED = timedelta(days=1)


class DynamoDbGateStore:
    """`agentruns.ports.GateStore` on the one table; its TTL removes what nobody writes any more."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def read(self, tenant: str, connection: str, door: Door, *, consistent: bool) -> GateState:
        row = self._table.get(gate_key(tenant, connection), door.value, consistent=consistent)
        if row is None:
            return GateState(tenant=tenant, connection=connection, door=door)
        return _state(row)

    def write(self, state: GateState, now: datetime) -> GateState:
        """StoreContention where the row is too busy to tell."""
        condition = at_version(state.version) if state.version else ABSENT
        following = replace(state, version=state.version + 1)
        subject = f"gate {state.door.value!r} of connection {state.connection!r}"
        self._table.put_if(subject, Put(row=_row(following, now), condition=condition))
        return following


def _row(state: GateState, now: datetime) -> Row:
    refusal = state.refusal
    return {
        "pk": gate_key(state.tenant, state.connection),
        "sk": state.door.value,
        "tenant": state.tenant,
        "connection": state.connection,
        "version": state.version,
        "failures": state.failures,
        "failed_at": write_optional_time(state.failed_at),
        "trips": state.trips,
        "tripped_until": write_optional_time(state.tripped_until),
        "probe_until": write_optional_time(state.probe_until),
        "wait_until": write_optional_time(state.wait_until),
        "problem": state.problem,
        "refused_until": refusal and write_time(refusal.until),
        "refused_connection": refusal and write_time(refusal.connection_updated_at),
        "refused_status": refusal and refusal.status,
        "refused_detail": refusal and refusal.detail,
        "ttl": int((now + KEPT_UNUSED).timestamp()),
    }


def _state(row: Row) -> GateState:
    return GateState(
        tenant=row["tenant"],
        connection=row["connection"],
        door=Door(row["sk"]),
        version=row["version"],
        failures=row["failures"],
        failed_at=read_optional_time(row.get("failed_at")),
        trips=row["trips"],
        tripped_until=read_optional_time(row.get("tripped_until")),
        probe_until=read_optional_time(row.get("probe_until")),
        wait_until=read_optional_time(row.get("wait_until")),
        problem=row["problem"],
        refusal=_refusal(row),
    )


def _refusal(row: Row) -> Refusal | None:
    if "refused_until" not in row:
        return None
    return Refusal(
        until=read_time(row["refused_until"]),
        connection_updated_at=read_time(row["refused_connection"]),
        status=row.get("refused_status"),
        detail=row["refused_detail"],
    )
