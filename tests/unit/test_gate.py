"""The rules of the gate: what closes it, for how long, and who may knock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns import gate
from agentruns.gate import ClosedBecause, Door, Entry, GateState, Refusal
from tests.fakes.clock import NOON

OPEN = GateState(tenant="acme", connection="hr", door=Door.CALLS)


def after(seconds: float):
    return NOON + timedelta(seconds=seconds)


def failed(state=OPEN, at=0.0, *, retry_after_seconds=None, is_probe=False, spread=1.0):
    return gate.unavailable(
        state,
        after(at),
        "connection refused",
        retry_after_seconds=retry_after_seconds,
        is_probe=is_probe,
        spread=spread,
    )


def tripped():
    state = OPEN
    for _ in range(gate.FAILURES_TO_TRIP):
        state = failed(state)
    return state


def test_fewer_failures_than_the_limit_leave_it_open():
    state = OPEN
    for _ in range(gate.FAILURES_TO_TRIP - 1):
        state = failed(state)
        assert Entry.OPEN is state.entry(NOON)
    assert Entry.CLOSED is failed(state).entry(NOON)


def test_an_answer_in_between_begins_the_count_anew():
    state = OPEN
    for _ in range(3 * gate.FAILURES_TO_TRIP):
        state = failed(failed(gate.answered(state)))
    assert Entry.OPEN is state.entry(NOON)


def test_failures_far_apart_do_not_add_up():
    state = OPEN
    for number in range(3 * gate.FAILURES_TO_TRIP):
        state = failed(state, at=number * (gate.STREAK_SECONDS + 1))
    assert not state.is_tripped


def test_it_closes_for_five_seconds_doubling_to_five_minutes():
    state, at, closed = tripped(), 0.0, []
    for _ in range(9):
        closed.append((state.tripped_until - after(at)).total_seconds())
        at += closed[-1]
        assert Entry.PROBE is state.entry(after(at))
        state = failed(gate.probing(state, after(at)), at, is_probe=True)
    assert [5, 10, 20, 40, 80, 160, 300, 300, 300] == closed


def test_a_trip_is_shorter_by_its_jitter():
    state = failed(replace(tripped(), probe_until=after(30)), 10, is_probe=True, spread=0.5)
    assert after(15) == state.tripped_until


def test_while_one_probes_the_others_wait_and_a_dead_probe_is_followed_by_the_next():
    state = gate.probing(tripped(), after(5))
    assert Entry.CLOSED is state.entry(after(5 + gate.PROBE_SECONDS - 0.1))
    assert Entry.PROBE is state.entry(after(5 + gate.PROBE_SECONDS))


def test_a_probe_that_is_answered_opens_it():
    state = gate.answered(gate.probing(tripped(), after(5)))
    assert Entry.OPEN is state.entry(after(5))
    assert (0, 0, "") == (state.failures, state.trips, state.problem)


def test_calls_that_were_under_way_when_it_tripped_do_not_close_it_longer():
    assert tripped() == failed(tripped(), at=4)


@pytest.mark.parametrize(
    ("asked_seconds", "closed_seconds"), [(60, 60), (0, 1), (0.2, 1), (86_400, 300)]
)
def test_a_retry_after_closes_it_for_that_long_within_limits(asked_seconds, closed_seconds):
    state = failed(retry_after_seconds=asked_seconds)
    assert after(closed_seconds) == state.closed_until(NOON)
    assert ClosedBecause.ASKED_TO_WAIT is state.reason(NOON)
    assert Entry.OPEN is state.entry(after(closed_seconds))


def test_an_answer_under_way_does_not_shorten_what_was_asked():
    state = gate.answered(failed(retry_after_seconds=60))
    assert after(60) == state.closed_until(NOON)


def test_of_two_requests_to_wait_the_longer_counts():
    state = failed(failed(retry_after_seconds=60), 1, retry_after_seconds=5)
    assert after(60) == state.closed_until(after(1))


def test_a_refusal_counts_for_a_minute_and_for_the_credentials_that_were_refused():
    state = refused_at(0, 0)
    assert Refusal(
        until=after(60), connection_updated_at=NOON, status=401, detail="no"
    ) == state.refusal_of(NOON, after(59))
    assert state.refusal_of(NOON, after(60)) is None
    assert state.refusal_of(after(1), after(2)) is None, "stored anew: new credentials"
    assert Entry.OPEN is state.entry(NOON), "it closes minting, and not by waiting"


def refused_at(*seconds: float, state: GateState = OPEN, status: int | None = 401) -> GateState:
    for each in seconds:
        state = gate.refused(
            state, after(each), connection_updated_at=NOON, status=status, detail="no"
        )
    return state


@pytest.mark.parametrize(
    ("seconds", "is_closed"),
    [
        ([0], False),  # a moment's, perhaps
        ([0, 60], True),
        ([0, 61], False),
        ([0, 0, 60], True),  # at once again, once its minute is over
        ([0, 0, 121], False),
    ],
)
def test_two_refusals_in_a_row_close(seconds, is_closed):
    last = seconds[-1]
    refusal = refused_at(*seconds).refusal_of(NOON, after(last))
    assert is_closed == (refusal is not None)


def test_refusals_of_other_credentials_are_not_in_a_row():
    state = gate.refused(
        refused_at(0), after(1), connection_updated_at=after(1), status=401, detail="no"
    )
    assert state.refusal_of(after(1), after(1)) is None


@pytest.mark.parametrize(("status", "by_token_endpoint"), [(401, True), (None, False)])
def test_what_is_taken_again_ends_the_row(status, by_token_endpoint):
    state = refused_at(0, status=status)
    assert gate.taken(state, by_token_endpoint=by_token_endpoint).refusal is None
    assert state is gate.taken(state, by_token_endpoint=not by_token_endpoint)
    assert OPEN is gate.taken(OPEN, by_token_endpoint=by_token_endpoint)


def test_an_answer_changes_nothing_on_a_healthy_gate():
    assert OPEN is gate.answered(OPEN)
