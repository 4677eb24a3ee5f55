"""The contract of `LookMarkStore`, on the fake and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns.errors import StoreConflict
from agentruns.ports import LookMark, LookMarkStore
from agentruns.store.keys import LOOK_MARKS
from agentruns.store.look_marks import DynamoDbLookMarkStore
from tests.fakes.clock import NOON
from tests.fakes.look_marks import InMemoryLookMarkStore

NEVER = LookMark(tenant="acme", connection="hr")
FULL = replace(
    NEVER,
    until=NOON,
    ahead_until=NOON + timedelta(seconds=60.5),
    ahead_to="run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1",
)


@pytest.fixture(params=["in_memory", "dynamodb"])
def marks(request: pytest.FixtureRequest) -> LookMarkStore:
    if request.param == "in_memory":
        return InMemoryLookMarkStore()
    return DynamoDbLookMarkStore(request.getfixturevalue("table"))


def test_a_mark_that_was_never_written_is_done_until_nowhere(marks):
    assert NEVER == marks.read("acme", "hr")
    assert () == marks.list()


@pytest.mark.parametrize("mark", [FULL, replace(FULL, ahead_until=None, ahead_to=None)])
def test_it_is_kept_as_it_was_written_one_version_on(marks, mark):
    marks.write(mark, NOON)
    assert replace(mark, version=1) == marks.read("acme", "hr")
    marks.write(replace(mark, version=1, ahead_to=None), NOON)
    assert replace(mark, version=2, ahead_to=None) == marks.read("acme", "hr")


def test_whoever_read_it_before_it_moved_does_not_write_it(marks):
    marks.write(FULL, NOON)
    with pytest.raises(StoreConflict):
        marks.write(NEVER, NOON)
    assert replace(FULL, version=1) == marks.read("acme", "hr")


def test_all_of_them_in_one_go_each_by_its_tenant_and_connection(marks):
    own = [replace(FULL, tenant=tenant, connection=name) for tenant in "ab" for name in ("x", "y")]
    for mark in own:
        marks.write(mark, NOON)

    def key(mark: LookMark) -> tuple[str, str]:
        return mark.tenant, mark.connection

    assert [replace(mark, version=1) for mark in own] == sorted(marks.list(), key=key)


def test_one_that_nobody_writes_goes_after_forty_days(table):
    DynamoDbLookMarkStore(table).write(FULL, NOON)
    (row,) = table.read_all(LOOK_MARKS)
    assert int((NOON + timedelta(days=40)).timestamp()) == row["ttl"]
