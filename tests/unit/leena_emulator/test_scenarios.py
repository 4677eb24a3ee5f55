"""What a client sees of each ready AOP, and of those defined by the control endpoint."""

from __future__ import annotations

import pytest

from local.leena_emulator.scenarios import READY_AOPS

P, Z, C, F, A = "in_progress", "paused", "completed", "failed", "aborted"
UNKNOWN = "awaiting_reassignment"

SEEN_BY_POLLS = {
    "it_support_ticket_creation": [P, P, Z, Z, P, C, C],
    "aop-1": [P, P, C, C],
    "completes_at_once": [C, C],
    "completes_after_3_polls": [P, P, P, C, C],
    "pauses_then_completes": [P, Z, Z, Z, P, C, C],
    "pauses_then_aborts": [P, Z, Z, A, A],
    "fails": [P, P, F, F],
    "fails_at_once": [F, F],
    "aborts": [P, P, A, A],
    "unknown_status_then_completes": [P, UNKNOWN, UNKNOWN, C, C],
    "never_ends": [P] * 20,
    "stays_paused": [P] + [Z] * 20,
    "null_run_id": [P, C, C],
}
SEEN_BY_SECONDS: dict[str, dict[float, str]] = {
    "completes_after_5_seconds": {0: P, 4.9: P, 5: C, 100: C},
    "completes_after_30_seconds": {0: P, 29: P, 30: C},
    "pauses_for_10_seconds": {0: P, 2: Z, 11.9: Z, 12: P, 14: C},
}


def test_every_ready_aop_is_tried_here():
    tried = {*SEEN_BY_POLLS, *SEEN_BY_SECONDS, "cannot_be_executed"}
    assert tried == {aop.aop_id for aop in READY_AOPS}


@pytest.mark.parametrize("aop_id", SEEN_BY_POLLS)
def test_a_scenario_by_polls(client, aop_id):
    expected = SEEN_BY_POLLS[aop_id]
    assert client.statuses(client.start(aop_id), len(expected)) == expected


@pytest.mark.parametrize("aop_id", SEEN_BY_SECONDS)
def test_a_scenario_by_the_clock(client, clock, aop_id):
    item, started_at = client.start(aop_id), clock.now
    for age_seconds, status in SEEN_BY_SECONDS[aop_id].items():
        clock.turn(age_seconds - (clock.now - started_at).total_seconds())
        assert client.read(item).json()["status"] == status


def test_completed_at_of_a_clock_scenario_is_the_true_end_not_the_read(client, clock):
    item = client.start("pauses_for_10_seconds")
    clock.turn(1000)
    assert client.read(item).json()["completed_at"] == "2026-04-22T15:51:09.000000"


def test_null_run_id_answers_run_id_null(client):
    assert client.execute("null_run_id").json()["run_id"] is None


def test_polls_of_one_item_do_not_advance_another(client):
    first, second = client.start("fails"), client.start("fails")
    assert client.statuses(first, 3) == [P, P, F]
    assert client.statuses(second, 1) == [P]


def test_a_new_aop_is_defined_by_put_and_runs_by_slug_and_object_id(client):
    phases = [{"status": P, "polls": 1}, {"status": Z, "seconds": 3}, {"status": C}]
    reply = client.call("PUT", "/_emulator/aops/my_aop", {"phases": phases})
    assert reply.status == 201
    assert reply.json()["phases"] == phases
    for aop_id in ("my_aop", reply.json()["object_id"]):
        assert client.statuses(client.start(aop_id), 3) == [P, Z, Z]


def test_an_aop_is_replaced_by_put_and_items_under_way_keep_their_phases(client, state):
    before = client.start("fails")
    object_id = state.aops.get("fails").object_id
    reply = client.call("PUT", f"/_emulator/aops/{object_id}", {"phases": [{"status": C}]})
    assert (reply.status, reply.json()["aop_id"]) == (200, "fails")
    assert client.statuses(client.start("fails"), 1) == [C]
    assert client.statuses(before, 3) == [P, P, F]


def test_definition_flags_make_an_aop_unexecutable_or_without_run_id(client):
    phases = [{"status": C}]
    client.call("PUT", "/_emulator/aops/x", {"phases": phases, "executable": False})
    client.call("PUT", "/_emulator/aops/y", {"phases": phases, "null_run_id": True})
    assert client.execute("x").status == 400
    assert client.execute("y").json()["run_id"] is None


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "body"),
        ({}, "phases"),
        ({"phases": []}, "phases"),
        ({"phases": {}}, "phases"),
        ({"phases": [7]}, "phases[0]"),
        ({"phases": [{"polls": 1}]}, "phases[0].status"),
        ({"phases": [{"status": "paused"}, {"status": "completed"}]}, "phases[0].polls"),
        ({"phases": [{"status": "paused", "polls": 0}]}, "phases[0].polls"),
        ({"phases": [{"status": "paused", "polls": True}]}, "phases[0].polls"),
        ({"phases": [{"status": "paused", "seconds": -1}]}, "phases[0].seconds"),
        ({"phases": [{"status": "paused", "seconds": 1, "polls": 1}]}, "phases[0].seconds"),
        ({"phases": [{"status": "paused", "pols": 1}]}, "phases[0].pols"),
        ({"phases": [{"status": "paused"}], "executable": "no"}, "executable"),
        ({"phases": [{"status": "paused"}], "other": 1}, "other"),
    ],
)
def test_a_wrong_definition_is_400_and_names_the_field(client, document, field):
    reply = client.call("PUT", "/_emulator/aops/my_aop", document)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert field in reply.json()["message"]
    assert client.execute("my_aop").status == 404


@pytest.mark.parametrize("aop_id", ["a b", "-x", "0" * 24, "x" * 101])
def test_an_odd_slug_is_400(client, aop_id):
    reply = client.call("PUT", f"/_emulator/aops/{aop_id}", {"phases": [{"status": C}]})
    assert (reply.status, reply.json()["field"]) == (400, "aop_id")
