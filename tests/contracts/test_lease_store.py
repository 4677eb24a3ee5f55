"""The contract of `LeaseStore`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentruns.ports import LeaseStore
from agentruns.store.leases import DynamoDbLeaseStore
from tests.fakes import FakeClock, InMemoryLeaseStore


@pytest.fixture(params=["in_memory", "dynamodb"])
def leases(request: pytest.FixtureRequest) -> LeaseStore:
    if request.param == "in_memory":
        return InMemoryLeaseStore()
    return DynamoDbLeaseStore(request.getfixturevalue("table"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class TestLeases:
    def test_one_of_two_gets_it(self, leases, clock):
        assert leases.acquire("mint", "a", clock(), 10)
        assert not leases.acquire("mint", "b", clock(), 10)
        assert leases.acquire("another", "b", clock(), 10)

    def test_the_owner_gets_it_again_and_longer(self, leases, clock):
        assert leases.acquire("mint", "a", clock(), 10)
        clock.advance(9)
        assert leases.acquire("mint", "a", clock(), 10)
        clock.advance(9)
        assert not leases.acquire("mint", "b", clock(), 10)

    def test_it_runs_out_to_the_millisecond(self, leases, clock):
        assert leases.acquire("mint", "a", clock(), 0.5)
        clock.advance(0.499)
        assert not leases.acquire("mint", "b", clock(), 10)
        clock.advance(0.001)
        assert leases.acquire("mint", "b", clock(), 10)
        assert not leases.acquire("mint", "a", clock(), 10)

    def test_released_is_free(self, leases, clock):
        assert leases.acquire("mint", "a", clock(), 10)
        leases.release("mint", "a")
        assert leases.acquire("mint", "b", clock(), 10)

    def test_only_the_owner_releases(self, leases, clock):
        assert leases.acquire("mint", "a", clock(), 10)
        leases.release("mint", "b")
        leases.release("nobody holds this", "b")
        assert not leases.acquire("mint", "b", clock(), 10)

    def test_who_lost_it_does_not_release_the_next_owner(self, leases, clock):
        assert leases.acquire("mint", "a", clock(), 10)
        later = clock() + timedelta(seconds=11)
        assert leases.acquire("mint", "b", later, 10)
        leases.release("mint", "a")
        assert not leases.acquire("mint", "c", later, 10)
