"""When webhooks go out, what they carry, and what each fault makes of them."""

from __future__ import annotations

import json

import pytest

from local.emulation.messages import Hangup, Silence
from local.leap_emulator.faults import WebhookFaultKind
from tests.unit.leap_emulator.conftest import HOOK


def kinds(state, count):
    return [entry.kind for entry in state.ledger.wait_for_webhooks(count)]


@pytest.mark.parametrize(
    ("workflow_id", "status"),
    [("wkf_completes", "completed"), ("wkf_fails", "failed"), ("wkf_is_cancelled", "cancelled")],
)
def test_the_run_object_is_posted_once_when_the_run_ends(
    client, state, receiver, workflow_id, status
):
    run = client.start(workflow_id, webhook_url=HOOK)
    client.turn(0.4)
    assert state.ledger.webhooks() == []
    client.turn(0.2)
    client.turn(60)
    entries = state.ledger.wait_for_webhooks(1)
    assert [(entry.kind, entry.status, entry.outcome) for entry in entries] == [
        ("genuine", status, "answered")
    ]
    assert (entries[0].url, entries[0].response_status) == (HOOK, 200)
    assert receiver.documents == [client.read(run["id"])]


def test_no_webhook_without_a_url_or_without_an_end(client, state):
    client.start()
    client.start("wkf_never_ends", webhook_url=HOOK)
    client.turn(10**6)
    assert state.ledger.webhooks() == []


@pytest.mark.parametrize(
    ("workflow_id", "output"),
    [
        ("wkf_null_output", None),
        ("wkf_text_output", "All is well — ✓"),
        ("wkf_number_output", -0.5),
        ("wkf_list_output", [1, None, {"a": [True]}]),
    ],
)
def test_output_is_any_json(client, state, receiver, workflow_id, output):
    client.start(workflow_id, webhook_url=HOOK)
    client.turn(1)
    state.ledger.wait_for_webhooks(1)
    assert receiver.documents[0]["output"] == output


def test_output_is_of_any_size(client, state, receiver):
    client.start("wkf_large_output", webhook_url=HOOK)
    client.turn(1)
    state.ledger.wait_for_webhooks(1)
    assert len(json.dumps(receiver.documents[0]["output"])) == 400 * 1024


def test_a_bulk_run_s_webhook_has_the_output_csv(client, state, receiver):
    body = {"workflow_id": "wkf_completes", "input_csv_url": "http://a/in.csv", "webhook_url": HOOK}
    bulk = client.call("POST", "/v1/runs/bulk", body).json()
    client.turn(1)
    state.ledger.wait_for_webhooks(1)
    assert receiver.documents[0]["output_csv_url"].endswith(f"{bulk['id']}.csv")


def test_a_run_is_ended_on_command_with_any_outcome(client, state, receiver):
    run = client.start("wkf_never_ends", webhook_url=HOOK)
    path = f"/_emulator/runs/{run['id']}/status"
    shown = client.call("POST", path, {"status": "completed", "output": [1, "two"]}).json()
    assert (shown["status"], shown["is_forced"], shown["is_terminal"]) == ("completed", True, True)
    state.ledger.wait_for_webhooks(1)
    client.call("POST", path, {"status": "failed", "error": "after all"})
    state.ledger.wait_for_webhooks(2)
    assert [document["output"] for document in receiver.documents] == [[1, "two"], None]
    assert receiver.documents[1]["error"] == "after all"


def test_a_run_ended_on_command_is_not_ended_again_by_its_scenario(client, state):
    run = client.start(webhook_url=HOOK)
    client.call("POST", f"/_emulator/runs/{run['id']}/status", {"status": "cancelled"})
    state.ledger.wait_for_webhooks(1)
    client.turn(60)
    assert kinds(state, 1) == ["genuine"]
    assert client.read(run["id"])["status"] == "cancelled"


def test_a_status_that_is_not_terminal_sends_nothing(client, state):
    run = client.start(webhook_url=HOOK)
    client.call("POST", f"/_emulator/runs/{run['id']}/status", {"status": "waiting_for_input"})
    client.turn(60)
    assert state.ledger.webhooks() == []
    assert client.read(run["id"])["status"] == "waiting_for_input"


def test_no_retry_unless_it_is_set(client, state, receiver):
    receiver.answers = [500, 503, 500, 202]
    client.start(webhook_url=HOOK)
    client.turn(1)
    assert len(state.ledger.wait_for_webhooks(1)) == 1
    client.call(
        "PUT", "/_emulator/settings", {"webhook_attempts": 5, "webhook_retry_seconds": 0.01}
    )
    second = client.start(webhook_url=HOOK)
    client.turn(1)
    entries = state.ledger.wait_for_webhooks(3, run_id=second["id"])
    assert [(entry.attempt, entry.response_status) for entry in entries] == [
        (1, 503),
        (2, 500),
        (3, 202),
    ]


def test_lost(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "lost", "times": 1})
    client.start(webhook_url=HOOK)
    client.turn(1)
    entry = state.ledger.wait_for_webhooks(1)[0]
    assert (entry.kind, entry.outcome, entry.response_status) == ("lost", "lost", None)
    assert receiver.bodies == []


def test_twice(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "twice"})
    client.start(webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 2) == ["genuine", "twice"]
    assert receiver.bodies[0] == receiver.bodies[1]


def test_late(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "late", "seconds": 0.05})
    client.start(webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 1) == ["late"]
    assert receiver.documents[0]["status"] == "completed"


def test_shuffled_waits_for_the_next_run_s_webhook(client, state):
    client.faults({"operation": "webhook", "kind": "shuffled", "times": 1, "seconds": 60})
    first = client.start(webhook_url=HOOK)
    client.turn(1)
    second = client.start(webhook_url=HOOK)
    client.turn(1)
    entries = state.ledger.wait_for_webhooks(2)
    assert [(entry.run_id, entry.kind) for entry in entries] == [
        (second["id"], "genuine"),
        (first["id"], "shuffled"),
    ]


def test_outdated_shows_the_run_running_after_its_end(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "outdated"})
    client.start(webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 2) == ["genuine", "outdated"]
    outdated = receiver.documents[1]
    assert (outdated["status"], outdated["output"], outdated["ended_at"]) == ("running", None, None)


def test_forged_has_another_run_s_id_and_goes_first(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "forged"})
    run = client.start(webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 2) == ["forged", "genuine"]
    forged, genuine = receiver.documents
    assert forged["id"] != run["id"]
    assert (forged["status"], genuine["status"]) == ("failed", "completed")


def test_forged_outcome_has_the_right_ids_and_another_end(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "forged_outcome"})
    run = client.start("wkf_fails", webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 2) == ["forged_outcome", "genuine"]
    forged = receiver.documents[0]
    assert (forged["id"], forged["status"]) == (run["id"], "completed")
    assert client.read(run["id"])["status"] == "failed"


def test_mangled_is_half_a_body_and_then_the_whole(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "mangled"})
    client.start(webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 2) == ["mangled", "genuine"]
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(receiver.bodies[0])


def test_huge_output_is_in_the_webhook_alone(client, state, receiver):
    client.faults({"operation": "webhook", "kind": "huge_output", "bytes": 100_000})
    run = client.start(webhook_url=HOOK)
    client.turn(1)
    assert kinds(state, 1) == ["huge_output"]
    assert len(receiver.bodies[0]) > 100_000
    assert client.read(run["id"])["output"]["answer"] == "42"


def test_early_is_sent_before_the_start_is_answered(client, state, receiver):
    client.faults({"kind": "early", "times": 1, "seconds": 3})
    answered = []
    receiver.on_receive = lambda: answered.append(state.ledger.starts()[0].run.run_id)
    delivery = client.deliver(
        "POST", "/v1/runs", {"workflow_id": "wkf_completes", "webhook_url": HOOK}
    )
    assert isinstance(delivery, Silence)
    assert delivery.seconds == 3
    assert delivery.reply is not None
    assert delivery.reply.json()["status"] == "running"
    assert answered == [delivery.reply.json()["id"]]
    assert [entry.kind for entry in state.ledger.webhooks()] == ["early"]
    client.turn(60)
    assert len(state.ledger.webhooks()) == 1
    assert client.read(answered[0])["status"] == "completed"


def test_a_start_that_is_never_answered_still_has_its_webhook(client, state, receiver):
    client.faults({"operation": "start", "kind": "drop_after_accept", "times": 1})
    body = {"workflow_id": "wkf_completes", "webhook_url": HOOK}
    assert client.deliver("POST", "/v1/runs", body) == Hangup()
    client.turn(1)
    run = state.ledger.starts(webhook="run_1.mac")[0].run
    assert state.ledger.wait_for_webhooks(1)[0].run_id == run.run_id


def test_a_webhook_fault_is_bound_to_its_workflow_and_counted(client, state):
    client.faults({"kind": "lost", "workflow_id": "wkf_fails", "times": 1})
    client.start(webhook_url=HOOK)
    client.start("wkf_fails", webhook_url=HOOK)
    client.turn(1)
    assert sorted(kinds(state, 2)) == ["genuine", "lost"]
    assert client.call("GET", "/_emulator/faults").json()["fired"] == 1


def test_a_webhook_is_sent_on_command_with_any_body(client, state, receiver):
    run = client.start("wkf_never_ends", webhook_url=HOOK)
    path = f"/_emulator/runs/{run['id']}/webhook"
    entry = client.call("POST", path, {}).json()
    assert (entry["kind"], entry["status"], entry["response_status"]) == ("genuine", "running", 200)
    client.call("POST", path, {"body": ["forged"], "url": "http://127.0.0.1:7/other"})
    assert receiver.documents[1] == ["forged"]
    assert state.ledger.webhooks()[1].url == "http://127.0.0.1:7/other"


@pytest.mark.parametrize("kind", WebhookFaultKind)
def test_every_kind_has_its_webhooks_written_down(client, state, kind):
    operation = "start" if kind is WebhookFaultKind.EARLY else "webhook"
    seconds = {} if kind in ("lost", "huge_output") else {"seconds": 0}
    client.faults({"operation": operation, "kind": kind, **seconds})
    run = client.start(webhook_url=HOOK)
    client.turn(1)
    entries = state.ledger.wait_for_webhooks(1, run_id=run["id"])
    assert entries[0].size_bytes > 0


def test_reset_forgets_the_ends_that_were_awaited(client, state):
    client.start(webhook_url=HOOK)
    client.call("POST", "/_emulator/reset")
    client.turn(60)
    assert state.ledger.webhooks() == []
