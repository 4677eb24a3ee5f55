"""The contract of `DurationStore`, on the fake and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.durations import RUNS_KEPT, StoredDurations
from agentruns.errors import StoreConflict
from agentruns.ports import DurationStore
from agentruns.store.durations import DynamoDbDurationStore
from agentruns.store.keys import durations_key
from agentruns.store.table import DynamoDbTable
from tests.fakes import InMemoryDurationStore
from tests.fakes.clock import NOON

EMPTY = StoredDurations(tenant="acme", subject="it_support hr reset-vpn")


@pytest.fixture(params=["in_memory", "dynamodb"])
def durations(request: pytest.FixtureRequest) -> DurationStore:
    if request.param == "in_memory":
        return InMemoryDurationStore()
    return DynamoDbDurationStore(request.getfixturevalue("table"))


def counted(stored: StoredDurations, run_id: str, seconds: float) -> StoredDurations:
    following = stored.counting(run_id, seconds)
    assert following is not None
    return following


class TestDurations:
    def test_none_are_stored_at_first(self, durations):
        assert EMPTY == durations.read("acme", EMPTY.subject)

    def test_what_was_written_is_read_back_one_version_later(self, durations):
        first = counted(EMPTY, "run_1", 60)
        durations.write(first, NOON)
        assert replace(first, version=1) == durations.read("acme", EMPTY.subject)
        second = counted(durations.read("acme", EMPTY.subject), "run_2", 90)
        durations.write(second, NOON)
        assert replace(second, version=2) == durations.read("acme", EMPTY.subject)

    def test_one_of_two_who_read_the_same_is_refused(self, durations):
        durations.write(counted(EMPTY, "run_1", 60), NOON)
        with pytest.raises(StoreConflict):
            durations.write(counted(EMPTY, "run_2", 90), NOON)
        seen = durations.read("acme", EMPTY.subject)
        durations.write(counted(seen, "run_2", 90), NOON)
        with pytest.raises(StoreConflict):
            durations.write(counted(seen, "run_3", 90), NOON)
        assert 2 == len(durations.read("acme", EMPTY.subject).counted)

    def test_tenants_and_subjects_are_apart(self, durations):
        durations.write(counted(EMPTY, "run_1", 60), NOON)
        for tenant, subject in (("other", EMPTY.subject), ("acme", "- hr reset-vpn")):
            assert 0 == durations.read(tenant, subject).version


def test_a_full_row_stays_small_and_leaves_after_90_days(table: DynamoDbTable, request: Any):
    stored = EMPTY
    for number in range(3 * RUNS_KEPT):
        stored = counted(stored, f"run_{number}", 60 + number % 7)
    DynamoDbDurationStore(table).write(stored, NOON)
    row = table.get(durations_key("acme"), EMPTY.subject)
    assert row is not None
    assert int((NOON + timedelta(days=90)).timestamp()) == row["ttl"]
    size = sum(len(name) + len(str(value)) for name, value in row.items() if name != "counted")
    assert size + sum(1 + len(mark) for mark in row["counted"]) < 1024
