"""The gate around calls: what is sent, what is not, what it costs, and what threads do to it."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import Any

import pytest

from agentruns import gate
from agentruns.errors import ConnectionClosed, StartUnknown, UpstreamUnavailable
from agentruns.gate import Door
from agentruns.gated_leena import GatedLeenaApi
from agentruns.gating import REMEMBERED_SECONDS, ConnectionGate
from agentruns.providers import LeenaCredentials
from agentruns.refusals import AopItemNotFound, CredentialsRejected, TokenRejected
from agentruns.secret import Secret
from tests.fakes import FakeClock, FakeLeenaApi
from tests.fakes.gates import InMemoryGateStore
from tests.fakes.world import CONNECTION

CREDENTIALS = LeenaCredentials(
    client_id="c", client_secret=Secret("s"), username="u", password=Secret("p")
)
DOWN = UpstreamUnavailable("connection refused")
TOKEN = Secret("token")


class Gated:
    """Containers that share the rows: `api` is one, `another()` the next."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.gates = InMemoryGateStore()
        self.leena = FakeLeenaApi()
        self.api = self.another()

    def another(self) -> GatedLeenaApi:
        connection_gate = ConnectionGate(gates=self.gates, clock=self.clock, spread=lambda: 1.0)
        return GatedLeenaApi(self.leena, connection_gate, self.clock)

    def look(self, api: GatedLeenaApi | None = None, token: Secret = TOKEN) -> Any:
        return (api or self.api).read_status(CONNECTION, token, "item-1")

    def start(self) -> Any:
        return self.api.execute(
            CONNECTION, TOKEN, aop_id="reset-vpn", message_to_start="m", context={}
        )

    def trip(self) -> None:
        self.leena.on_read_status(*[DOWN] * gate.FAILURES_TO_TRIP)
        for _ in range(gate.FAILURES_TO_TRIP):
            with pytest.raises(UpstreamUnavailable):
                self.look()


@pytest.fixture
def gated() -> Gated:
    return Gated()


def test_a_healthy_connection_is_read_once_in_a_while_and_never_written(gated):
    for _ in range(100):
        gated.look()
    assert (1, 0) == (gated.gates.reads, gated.gates.writes)
    gated.clock.advance(REMEMBERED_SECONDS)
    gated.look()
    assert (2, 0) == (gated.gates.reads, gated.gates.writes)


def test_a_refusal_is_an_answer(gated):
    gated.leena.on_read_status(*[AopItemNotFound("item-1", 404, "no")] * 20)
    for _ in range(20):
        with pytest.raises(AopItemNotFound):
            gated.look()
    assert 0 == gated.gates.writes


def test_a_connection_that_is_down_is_not_called_by_anybody(gated):
    gated.trip()
    sent = len(gated.leena.calls)
    with pytest.raises(ConnectionClosed, match="last problem: connection refused") as closed:
        gated.look(gated.another())
    with pytest.raises(ConnectionClosed):
        gated.start()
    assert sent == len(gated.leena.calls)
    assert closed.value.retry_after_seconds == pytest.approx(7.5)


def test_starts_of_unknown_outcome_count_as_unavailable(gated):
    gated.leena.on_execute(*[StartUnknown("timed out")] * gate.FAILURES_TO_TRIP)
    for _ in range(gate.FAILURES_TO_TRIP):
        with pytest.raises(StartUnknown):
            gated.start()
    with pytest.raises(ConnectionClosed):
        gated.look()


def test_another_container_notices_within_what_it_remembers(gated):
    other = gated.another()
    gated.look(other)
    gated.trip()
    gated.leena.on_read_status("in_progress")
    gated.look(other)  # it remembers that all was well
    gated.trip()
    gated.clock.advance(REMEMBERED_SECONDS)
    with pytest.raises(ConnectionClosed):
        gated.look(other)


def test_a_probe_that_succeeds_opens_it_for_all(gated):
    gated.trip()
    gated.clock.advance(5)
    gated.leena.on_read_status("in_progress")
    gated.look()
    gated.look()
    gated.look(gated.another())


def test_a_probe_that_fails_closes_it_for_longer(gated):
    gated.trip()
    gated.clock.advance(5)
    gated.leena.on_read_status(DOWN)
    with pytest.raises(UpstreamUnavailable):
        gated.look()
    gated.clock.advance(9.9)
    with pytest.raises(ConnectionClosed):
        gated.look()


def test_a_probe_that_told_nothing_is_followed_by_another(gated):
    gated.trip()
    gated.clock.advance(5)
    gated.leena.on_read_status(ValueError("a bug"), "in_progress")
    with pytest.raises(ValueError, match="a bug"):
        gated.look()
    gated.look()


def test_of_a_hundred_callers_one_probes(gated):
    gated.trip()
    gated.clock.advance(5)
    sent: list[str] = []
    outcomes: list[str] = []
    others_are_done = threading.Event()

    def answer_last(*_: Any) -> str:
        sent.append("probe")
        assert others_are_done.wait(20)
        return "in_progress"

    def look(api: GatedLeenaApi) -> None:
        try:
            gated.look(api)
        except ConnectionClosed:
            outcomes.append("closed")
            if len(outcomes) == 99:
                others_are_done.set()

    gated.leena.read_status = answer_last
    callers = [threading.Thread(target=look, args=(gated.another(),)) for _ in range(100)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert ["probe"] == sent
    assert ["closed"] * 99 == outcomes
    assert not gated.gates.read("acme", "hr", Door.CALLS, consistent=True).is_tripped


def test_retry_after_on_one_call_closes_it_for_all_kinds_of_calls(gated):
    gated.leena.on_execute(UpstreamUnavailable("429", retry_after_seconds=60))
    with pytest.raises(UpstreamUnavailable):
        gated.start()
    other = gated.another()
    with pytest.raises(ConnectionClosed) as closed:
        gated.look(other)
    assert closed.value.retry_after_seconds == pytest.approx(62.5)
    gated.clock.advance(60)
    gated.look(other)
    gated.look()


def test_the_token_endpoint_has_a_gate_of_its_own(gated):
    gated.trip()
    gated.api.mint(CONNECTION, CREDENTIALS)
    with pytest.raises(ConnectionClosed):
        gated.look()


def test_refused_credentials_are_not_tried_again_for_a_minute(gated):
    gated.leena.on_mint(*[CredentialsRejected("hr", 401, "invalid_client")] * 3)
    for api in (gated.api, gated.another(), gated.another(), gated.api):
        with pytest.raises(CredentialsRejected, match=r"answered 401 \(invalid_client\)"):
            api.mint(CONNECTION, CREDENTIALS)
    assert 2 == len(gated.leena.mints), "the first may have been a moment's"
    gated.clock.advance(gate.REFUSED_SECONDS)
    for api in (gated.api, gated.another()):
        with pytest.raises(CredentialsRejected):
            api.mint(CONNECTION, CREDENTIALS)
    assert 3 == len(gated.leena.mints)


def test_refusals_with_a_mint_between_them_close_nothing(gated):
    refusal = CredentialsRejected("hr", 401, "a moment's")
    for _ in range(5):
        gated.leena.on_mint(refusal)
        with pytest.raises(CredentialsRejected):
            gated.api.mint(CONNECTION, CREDENTIALS)
        gated.another().mint(CONNECTION, CREDENTIALS)
    assert 10 == len(gated.leena.mints)


def test_fresh_tokens_refused_with_a_taken_one_between_them_close_nothing(gated):
    for _ in range(5):
        for answers in ([TokenRejected("hr")], []):
            token = gated.api.mint(CONNECTION, CREDENTIALS).access_token
            gated.leena.on_read_status(*answers)
            with contextlib.suppress(TokenRejected):
                gated.look(token=token)
    assert 10 == len(gated.leena.mints)


def test_new_credentials_are_tried_at_once(gated):
    gated.leena.on_mint(CredentialsRejected("hr", 401, "invalid_client"))
    with pytest.raises(CredentialsRejected):
        gated.api.mint(CONNECTION, CREDENTIALS)
    stored_anew = replace(CONNECTION, updated_at=gated.clock.advance(1))
    gated.another().mint(stored_anew, CREDENTIALS)


def test_a_fresh_token_that_is_refused_closes_minting(gated):
    for _ in range(2):
        token = gated.api.mint(CONNECTION, CREDENTIALS).access_token
        gated.leena.on_read_status(TokenRejected("hr"))
        with pytest.raises(TokenRejected):
            gated.look(token=token)
    with pytest.raises(TokenRejected):
        gated.another().mint(CONNECTION, CREDENTIALS)
    assert 2 == len(gated.leena.mints)


@pytest.mark.parametrize("ends", ["taken before", "outlived"])
def test_a_token_that_was_good_may_be_replaced_as_often_as_it_ends(gated, ends):
    for _ in range(20):
        token = gated.api.mint(CONNECTION, CREDENTIALS).access_token
        if ends == "taken before":
            gated.look(token=token)
        else:
            gated.clock.advance(3600)
        gated.leena.on_read_status(TokenRejected("hr"))
        with pytest.raises(TokenRejected):
            gated.look(token=token)
    assert 20 == len(gated.leena.mints)


def test_a_gate_that_cannot_be_reached_closes_nothing_and_breaks_nothing(gated, caplog):
    def broken(*_: Any, **__: Any) -> Any:
        raise OSError("the line is cut")

    gated.gates.read = broken
    gated.gates.write = broken
    gated.look()
    gated.api.mint(CONNECTION, CREDENTIALS)
    gated.leena.on_read_status(DOWN)
    with pytest.raises(UpstreamUnavailable, match="connection refused"):
        gated.look()
    assert "gate_not_reached" in caplog.messages


def test_each_closing_is_counted_once_with_its_reason(gated, counted):
    gated.trip()
    gated.leena.on_mint(*[CredentialsRejected("hr", 401, "no")] * 2)
    for _ in range(3):
        with pytest.raises(CredentialsRejected):
            gated.api.mint(CONNECTION, CREDENTIALS)
        with pytest.raises(ConnectionClosed):
            gated.look()
    assert ["unavailable", "refused"] == [reason for name, reason in counted]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def count(name: str, value: int = 1, *, connection: str, reason: str) -> None:
        found.append((name, reason))

    monkeypatch.setattr("agentruns.telemetry.count", count)
    return found
