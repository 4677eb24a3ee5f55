"""The budget around calls: what is sent, what is not, what it costs, and what threads do to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns import gate
from agentruns.budget import share_of
from agentruns.budgeting import (
    PATIENCE_SECONDS,
    REMEMBERED_SECONDS,
    BudgetedLeenaApi,
    RequestBudget,
)
from agentruns.errors import (
    ConnectionClosed,
    RequestBudgetSpent,
    StoreConflict,
    UpstreamUnavailable,
)
from agentruns.gate import Door
from agentruns.gated_leena import GatedLeenaApi
from agentruns.gating import ConnectionGate
from agentruns.ports import BudgetStore
from agentruns.providers import (
    ConnectionLimits,
    LeenaConnection,
    LeenaCredentials,
)
from agentruns.secret import Secret
from tests.fakes import FakeClock, FakeLeenaApi
from tests.fakes.budgets import InMemoryBudgetStore
from tests.fakes.gates import InMemoryGateStore
from tests.fakes.world import CONNECTION

LIMIT = 10


def limited_to(requests_per_minute: int | None) -> LeenaConnection:
    limits = ConnectionLimits(requests_per_minute=requests_per_minute)
    return replace(CONNECTION, limits=limits)


LIMITED = limited_to(LIMIT)
TOKEN = Secret("token")
DOWN = UpstreamUnavailable("connection refused")


class Budgeted:
    """Containers that share the rows: `api` is one, `another()` the next. As `wiring` builds it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.budgets: Any = InMemoryBudgetStore()
        self.gates = InMemoryGateStore()
        self.leena = FakeLeenaApi()
        self.slept: list[float] = []
        self.api = self.another()

    def another(self) -> GatedLeenaApi:
        request_budget = RequestBudget(
            budgets=self.budgets, clock=self.clock, sleep=self.sleep, spread=lambda: 1.0
        )
        connection_gate = ConnectionGate(gates=self.gates, clock=self.clock, spread=lambda: 1.0)
        budgeted = BudgetedLeenaApi(self.leena, request_budget)
        return GatedLeenaApi(budgeted, connection_gate, self.clock)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    def look(self, api: GatedLeenaApi | None = None, connection: Any = LIMITED) -> Any:
        return (api or self.api).read_status(connection, TOKEN, "item-1")

    def start(self, api: GatedLeenaApi | None = None, connection: Any = LIMITED) -> Any:
        return (api or self.api).execute(
            connection, TOKEN, aop_id="reset-vpn", message_to_start="m", context={}
        )

    def spend(self) -> None:
        """All of it: the looks' share, and what that leaves to starts."""
        for _ in range(share_of(LIMIT)):
            self.look()
        for _ in range(LIMIT - share_of(LIMIT)):
            self.start()


@pytest.fixture
def budgeted() -> Budgeted:
    return Budgeted()


def test_a_connection_without_a_budget_costs_nothing(budgeted):
    for _ in range(100):
        budgeted.look(connection=CONNECTION)
        budgeted.start(connection=CONNECTION)
    assert (0, 0) == (budgeted.budgets.reads, budgeted.budgets.writes)


def test_with_one_a_request_costs_a_write_and_minting_nothing(budgeted):
    credentials = LeenaCredentials(
        client_id="c", client_secret=Secret("s"), username="u", password=Secret("p")
    )
    for _ in range(5):
        budgeted.look()
        budgeted.api.mint(LIMITED, credentials)
    assert (1, 5) == (budgeted.budgets.reads, budgeted.budgets.writes)
    budgeted.clock.advance(REMEMBERED_SECONDS)
    budgeted.look()
    assert (2, 6) == (budgeted.budgets.reads, budgeted.budgets.writes)


@pytest.mark.parametrize("call", ["look", "start"])
def test_what_is_over_the_budget_of_all_containers_is_not_sent(budgeted, call):
    budgeted.spend()
    sent = len(budgeted.leena.calls)
    with pytest.raises(RequestBudgetSpent, match="10 requests a minute is used up") as spent:
        getattr(budgeted, call)(budgeted.another())
    assert sent == len(budgeted.leena.calls) == LIMIT
    wait_seconds = spent.value.retry_after_seconds or 0.0
    assert 62 <= wait_seconds <= 63
    budgeted.clock.advance(wait_seconds)
    getattr(budgeted, call)()


def test_looks_leave_a_fifth_to_starts(budgeted):
    for _ in range(share_of(LIMIT)):
        budgeted.look()
    with pytest.raises(RequestBudgetSpent):
        budgeted.look()
    budgeted.start()


def test_a_look_waits_a_moment_for_its_turn_and_a_start_does_not(budgeted):
    for _ in range(share_of(LIMIT)):
        budgeted.start()
    for _ in range(LIMIT - share_of(LIMIT)):
        budgeted.look()
    budgeted.clock.advance(55)
    with pytest.raises(RequestBudgetSpent):
        budgeted.start()
    assert [] == budgeted.slept
    budgeted.look()
    (waited,) = budgeted.slept
    assert 7 <= waited <= 8


def test_it_tells_nothing_of_the_provider(budgeted):
    budgeted.spend()
    for _ in range(2 * gate.FAILURES_TO_TRIP):
        with pytest.raises(RequestBudgetSpent):
            budgeted.look()
    assert 0 == budgeted.gates.writes


def test_a_closed_gate_takes_nothing_from_it(budgeted):
    budgeted.leena.on_read_status(*[DOWN] * gate.FAILURES_TO_TRIP)
    for _ in range(gate.FAILURES_TO_TRIP):
        with pytest.raises(UpstreamUnavailable):
            budgeted.look()
    writes = budgeted.budgets.writes
    for _ in range(10):
        with pytest.raises(ConnectionClosed):
            budgeted.look()
    assert gate.FAILURES_TO_TRIP == writes == budgeted.budgets.writes


def test_a_probe_without_a_budget_leaves_the_probe_to_the_next(budgeted):
    budgeted.leena.on_read_status(*[DOWN] * gate.FAILURES_TO_TRIP)
    for _ in range(gate.FAILURES_TO_TRIP):
        with pytest.raises(UpstreamUnavailable):
            budgeted.look()
    budgeted.clock.advance(5)
    lowered = limited_to(2)
    with pytest.raises(RequestBudgetSpent):
        budgeted.look(connection=lowered)
    state = budgeted.gates.read("acme", "hr", Door.CALLS, consistent=True)
    assert (True, None) == (state.is_tripped, state.probe_until)


@pytest.mark.parametrize("limit", [None, 20])
def test_another_budget_counts_from_the_next_request(budgeted, limit):
    budgeted.spend()
    with pytest.raises(RequestBudgetSpent):
        budgeted.look()
    budgeted.look(connection=limited_to(limit))


def test_a_budget_that_cannot_be_reached_holds_nobody_back(budgeted, caplog):
    def broken(*_: Any, **__: Any) -> Any:
        raise OSError("the line is cut")

    budgeted.budgets.write = broken
    for _ in range(2 * LIMIT):
        budgeted.start()
    budgeted.budgets.read = broken
    budgeted.look(budgeted.another())
    assert {"budget_not_reached"} == set(caplog.messages)


def test_a_row_that_is_always_lost_to_others_is_a_short_wait(budgeted):
    def lost(*_: Any, **__: Any) -> Any:
        raise StoreConflict("moved on")

    budgeted.budgets.write = lost
    with pytest.raises(RequestBudgetSpent) as spent:
        budgeted.start()
    assert 2 == pytest.approx(spent.value.retry_after_seconds)
    assert 2.54 == pytest.approx(sum(budgeted.slept))


def test_each_request_held_back_is_counted(budgeted, monkeypatch):
    found: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        "agentruns.telemetry.count", lambda name, **dimensions: found.append((name, dimensions))
    )
    budgeted.spend()
    for call in (budgeted.look, budgeted.start):
        with pytest.raises(RequestBudgetSpent):
            call()
    assert [("RequestsHeldBack", {"connection": "hr"})] * 2 == found


def granted_at_once(budgets: BudgetStore, containers: int, threads: int, asks: int) -> list[bool]:
    """All of them at one moment: which were let through."""
    clock = FakeClock()
    made: list[RequestBudget] = [
        RequestBudget(budgets=budgets, clock=clock) for _ in range(containers)
    ]
    start = threading.Barrier(containers * threads)

    def ask(request_budget: RequestBudget) -> list[bool]:
        start.wait()
        return [is_granted(request_budget) for _ in range(asks)]

    with ThreadPoolExecutor(containers * threads) as pool:
        each = list(pool.map(ask, made * threads))
    return [found for founds in each for found in founds]


def is_granted(request_budget: RequestBudget) -> bool:
    api = BudgetedLeenaApi(FakeLeenaApi(), request_budget)
    try:
        api.execute(
            limited_to(100),
            TOKEN,
            aop_id="reset-vpn",
            message_to_start="m",
            context={},
        )
    except RequestBudgetSpent:
        return False
    return True


def test_threads_of_one_process_never_race_each_other():
    budgets = InMemoryBudgetStore()
    found = granted_at_once(budgets, containers=1, threads=32, asks=5)
    assert share_of(100) == sum(found)
    assert 0 == budgets.conflicts


def test_containers_at_once_get_what_is_there_and_no_more():
    budgets = InMemoryBudgetStore()
    found = granted_at_once(budgets, containers=8, threads=4, asks=5)
    assert share_of(100) == sum(found)


def test_the_row_is_waited_for_within_one_process_without_holding_up_another_connection(budgeted):
    entered, released = threading.Event(), threading.Event()
    write: Callable[..., Any] = budgeted.budgets.write

    def slow(state: Any, now: Any) -> Any:
        if state.connection == "hr":
            entered.set()
            assert released.wait(20)
        return write(state, now)

    budgeted.budgets.write = slow
    thread = threading.Thread(target=budgeted.look)
    thread.start()
    assert entered.wait(20)
    budgeted.look(connection=replace(LIMITED, name="it"))
    released.set()
    thread.join(20)
    assert 2 == len(budgeted.leena.calls)


def test_a_look_is_patient_for_less_than_the_gate_waits_for_a_probe():
    longest_call = timedelta(seconds=20)
    patience = timedelta(seconds=max(PATIENCE_SECONDS.values()))
    assert patience + longest_call <= timedelta(seconds=gate.PROBE_SECONDS)
