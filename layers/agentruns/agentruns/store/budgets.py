"""The request budgets of connections in DynamoDB: one row each, under 1 KB, written per request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agentruns.budget import BudgetState, Sent, Use
from agentruns.store.keys import META, budget_key
from agentruns.store.table import ABSENT, DynamoDbTable, Put, at_version
from agentruns.store.values import Row, read_optional_time, write_optional_time

KEPT_UNUSED = timedelta(days=1)


class DynamoDbBudgetStore:
    """`agentruns.ports.BudgetStore` on the one table; its TTL removes what nobody uses any more."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def read(self, tenant: str, connection: str) -> BudgetState:
        row = self._table.get(budget_key(tenant, connection), META)
        if row is None:
            return BudgetState(tenant=tenant, connection=connection)
        return _state(row)

    def write(self, state: BudgetState, now: datetime) -> BudgetState:
        """StoreContention where the row is too busy to tell."""
        condition = at_version(state.version) if state.version else ABSENT
        following = replace(state, version=state.version + 1)
        subject = f"request budget of connection {state.connection!r}"
        self._table.put_if(subject, Put(row=_row(following, now), condition=condition))
        return following


def _row(state: BudgetState, now: datetime) -> Row:
    return {
        "pk": budget_key(state.tenant, state.connection),
        "sk": META,
        "tenant": state.tenant,
        "connection": state.connection,
        "version": state.version,
        "limit": state.limit,
        "sent": _text(state.sent),
        "starts_told": write_optional_time(state.starts_told),
        "looks_told": write_optional_time(state.looks_told),
        "last": state.last and state.last.value,
        "ttl": int((now + KEPT_UNUSED).timestamp()),
    }


def _state(row: Row) -> BudgetState:
    return BudgetState(
        tenant=row["tenant"],
        connection=row["connection"],
        version=row["version"],
        limit=row["limit"],
        sent=tuple(_sent(row["sent"])),
        starts_told=read_optional_time(row.get("starts_told")),
        looks_told=read_optional_time(row.get("looks_told")),
        last=Use(row["last"]) if "last" in row else None,
    )


def _text(sent: Sequence[Sent]) -> str:
    """`1767355200 0:8:0 3:1:2`: the first second, then seconds after it, starts and looks."""
    first = sent[0].second if sent else 0
    return " ".join(
        [str(first), *(f"{each.second - first}:{each.starts}:{each.looks}" for each in sent)]
    )


def _sent(text: str) -> Iterator[Sent]:
    first, *each_second = text.split(" ")
    for counts in each_second:
        after, starts, looks = map(int, counts.split(":"))
        yield Sent(second=int(first) + after, starts=starts, looks=looks)
