"""Rows of two providers: those of before read as they did, and each comes back as what it was."""

from __future__ import annotations

import pytest

from agentruns.providers import ConnectionLimits, LeapConnection, LeapDialect, LeapWorkflowAdapter
from agentruns.statuses import RunStatus
from agentruns.store import items
from agentruns.store.connections import DynamoDbConnectionStore
from agentruns.store.values import from_item, to_item
from tests.contracts.samples import a_connection, a_run, an_activity
from tests.fakes.clock import NOON
from tests.fakes.stores import InMemoryConnectionStore


def a_leap_connection(dialect: LeapDialect) -> LeapConnection:
    return LeapConnection(
        tenant="acme",
        name="flows",
        api_url="https://leap.example",
        dialect=dialect,
        created_at=NOON,
        updated_at=NOON,
        limits=ConnectionLimits(max_concurrent_runs=3, requests_per_minute=60),
    )


@pytest.fixture(params=["memory", "dynamodb"])
def store(request):
    if request.param == "memory":
        return InMemoryConnectionStore()
    return DynamoDbConnectionStore(request.getfixturevalue("table"))


@pytest.mark.parametrize("dialect", list(LeapDialect))
def test_a_leap_connection_comes_back_as_it_was(store, dialect):
    connection = a_leap_connection(dialect)
    store.put(connection)
    store.put(a_connection())

    assert connection == store.get("acme", "flows")
    assert (connection, a_connection()) == store.list("acme")


def test_a_workflow_adapter_comes_back_as_it_was():
    adapter = LeapWorkflowAdapter(connection="flows", workflow_id="wkf_1")
    activity = an_activity(adapter=adapter)

    assert activity == items.read_activity(from_item(to_item(items.activity_row(activity))))


def test_a_run_that_was_stored_before_there_were_workflows_is_read():
    run = a_run(an_activity(), status=RunStatus.RUNNING, remote_id="item-1")
    row = dict(items.run_row(run))
    row["aop_item_id"] = row.pop("remote_id")

    assert run == items.read_run(from_item(to_item(row)))
