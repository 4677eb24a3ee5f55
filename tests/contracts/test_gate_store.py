"""The contract of `GateStore`, on the fake and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns.errors import StoreConflict
from agentruns.gate import Door, GateState, Refusal
from agentruns.ports import GateStore
from agentruns.store.gates import DynamoDbGateStore
from agentruns.store.keys import gate_key
from tests.fakes.clock import NOON
from tests.fakes.gates import InMemoryGateStore

OPEN = GateState(tenant="acme", connection="hr", door=Door.CALLS)
REFUSAL = Refusal(
    until=NOON + timedelta(seconds=60),
    connection_updated_at=NOON,
    status=401,
    detail="invalid_client",
)
FULL = GateState(
    tenant="acme",
    connection="hr",
    door=Door.TOKENS,
    failures=7,
    failed_at=NOON,
    trips=3,
    tripped_until=NOON + timedelta(seconds=20),
    probe_until=NOON + timedelta(seconds=50.25),
    wait_until=NOON + timedelta(seconds=60),
    problem="connection refused",
    refusal=REFUSAL,
)


@pytest.fixture(params=["in_memory", "dynamodb"])
def gates(request: pytest.FixtureRequest) -> GateStore:
    if request.param == "in_memory":
        return InMemoryGateStore()
    return DynamoDbGateStore(request.getfixturevalue("table"))


def read(gates: GateStore, state: GateState) -> GateState:
    return gates.read(state.tenant, state.connection, state.door, consistent=True)


class TestGates:
    def test_a_gate_that_was_never_closed_is_open(self, gates):
        assert OPEN == read(gates, OPEN)

    @pytest.mark.parametrize(
        "state",
        [
            FULL,
            replace(FULL, refusal=None),
            OPEN,
            replace(FULL, refusal=replace(REFUSAL, status=None)),
        ],
        ids=["full", "not refused", "empty", "fresh token refused"],
    )
    def test_what_was_written_is_read_back_one_version_later(self, gates, state):
        stored = gates.write(state, NOON)
        assert replace(state, version=1) == stored == read(gates, state)
        assert stored == gates.read(state.tenant, state.connection, state.door, consistent=False)

    def test_of_two_that_read_the_same_one_writes(self, gates):
        gates.write(FULL, NOON)
        seen = read(gates, FULL)
        gates.write(replace(seen, trips=4), NOON)
        with pytest.raises(StoreConflict):
            gates.write(replace(seen, trips=5), NOON)
        assert 4 == read(gates, FULL).trips

    def test_of_two_that_saw_no_row_one_writes(self, gates):
        gates.write(OPEN, NOON)
        with pytest.raises(StoreConflict):
            gates.write(OPEN, NOON)

    def test_doors_connections_and_tenants_have_gates_of_their_own(self, gates):
        gates.write(FULL, NOON)
        for other in (
            replace(FULL, door=Door.CALLS),
            replace(FULL, connection="it"),
            replace(FULL, tenant="globex"),
        ):
            assert 0 == read(gates, other).version


def test_a_row_goes_a_day_after_its_last_write(table):
    DynamoDbGateStore(table).write(FULL, NOON)
    row = table.get(gate_key("acme", "hr"), "tokens")
    assert (NOON + timedelta(days=1)).timestamp() == row["ttl"]
