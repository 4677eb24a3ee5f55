"""The contract of `BudgetStore`, on the fake and on DynamoDB."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns.budget import COUNTED_SECONDS, BudgetState, Sent, Use
from agentruns.errors import StoreConflict
from agentruns.ports import BudgetStore
from agentruns.store.budgets import DynamoDbBudgetStore
from agentruns.store.keys import META, budget_key
from agentruns.store.values import to_item
from tests.fakes.budgets import InMemoryBudgetStore
from tests.fakes.clock import NOON

UNUSED = BudgetState(tenant="acme", connection="hr")
SECOND = int(NOON.timestamp())
FULL = BudgetState(
    tenant="acme",
    connection="hr",
    limit=60,
    sent=(
        Sent(second=SECOND, starts=3),
        Sent(second=SECOND + 1, looks=8),
        Sent(second=SECOND + 40, starts=1, looks=2),
    ),
    starts_told=NOON + timedelta(seconds=61.25),
    looks_told=NOON + timedelta(seconds=70),
    last=Use.LOOK,
)


@pytest.fixture(params=["in_memory", "dynamodb"])
def budgets(request: pytest.FixtureRequest) -> BudgetStore:
    if request.param == "in_memory":
        return InMemoryBudgetStore()
    return DynamoDbBudgetStore(request.getfixturevalue("table"))


class TestBudgets:
    def test_a_budget_that_was_never_used_is_whole(self, budgets):
        assert UNUSED == budgets.read("acme", "hr")

    @pytest.mark.parametrize(
        "state",
        [FULL, UNUSED, replace(FULL, starts_told=None, last=Use.START)],
        ids=["full", "unused", "no start told"],
    )
    def test_what_was_written_is_read_back_one_version_later(self, budgets, state):
        stored = budgets.write(state, NOON)
        assert replace(state, version=1) == stored == budgets.read("acme", "hr")

    def test_of_two_that_read_the_same_one_writes(self, budgets):
        budgets.write(FULL, NOON)
        seen = budgets.read("acme", "hr")
        budgets.write(replace(seen, limit=61), NOON)
        with pytest.raises(StoreConflict):
            budgets.write(replace(seen, limit=62), NOON)
        assert 61 == budgets.read("acme", "hr").limit

    def test_of_two_that_saw_no_row_one_writes(self, budgets):
        budgets.write(UNUSED, NOON)
        with pytest.raises(StoreConflict):
            budgets.write(UNUSED, NOON)

    def test_connections_and_tenants_have_budgets_of_their_own(self, budgets):
        budgets.write(FULL, NOON)
        assert 0 == budgets.read("acme", "it").version == budgets.read("globex", "hr").version


def test_a_row_goes_a_day_after_its_last_write(table):
    DynamoDbBudgetStore(table).write(FULL, NOON)
    row = table.get(budget_key("acme", "hr"), META)
    assert (NOON + timedelta(days=1)).timestamp() == row["ttl"]


def test_a_row_of_a_full_minute_costs_one_write_unit(table):
    """Up to 1 KB: each second of it used, 600 requests a minute."""
    sent = tuple(Sent(second=SECOND + each, starts=2, looks=8) for each in range(COUNTED_SECONDS))
    DynamoDbBudgetStore(table).write(replace(FULL, sent=sent, limit=600), NOON)
    row = table.get(budget_key("acme", "hr"), META)
    assert len(json.dumps(to_item(row))) < 1024
