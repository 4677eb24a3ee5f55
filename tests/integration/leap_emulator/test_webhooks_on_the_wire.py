"""Webhooks over real sockets: what a receiver gets, and what is written down of it."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


def test_a_completed_run_is_posted_to_its_webhook_url(leap, caller, receiver):
    run = caller.start("wkf_quick", webhook_url=receiver.url, input={"a": "ü"}).json()
    entry = leap.ledger.wait_for_webhooks(1)[0]
    assert (entry.run_id, entry.response_status, entry.response_body) == (run["id"], 200, "ok")
    assert receiver.documents == [caller.call("GET", f"v1/runs/{run['id']}").json()]
    assert receiver.documents[0]["input"] == {"a": "ü"}
    assert receiver.headers[0]["content-type"] == "application/json"
    assert "x-api-key" not in receiver.headers[0]


def test_the_seed_s_dialect_from_the_start_to_the_webhook(leap, caller, receiver):
    body = {"workflowId": "wkf_quick", "webhookUrl": receiver.url, "inputs": {"foo": "bar"}}
    run = caller.call("POST", "v1/workflows", body).json()
    leap.ledger.wait_for_webhooks(1)
    ended = receiver.documents[0]
    assert (ended["id"], ended["workflowId"], ended["versionId"]) == (
        run["id"],
        "wkf_quick",
        run["versionId"],
    )
    assert (run["status"], ended["status"]) == ("running", "completed")


def test_early_reaches_the_receiver_before_the_start_is_answered(leap, caller, receiver):
    leap.add_fault(operation="start", kind="early", times=1)
    receiver.seconds = 0.1
    reply = caller.start("wkf_never_ends", webhook_url=receiver.url)
    assert [document["id"] for document in receiver.documents] == [reply.json()["id"]]
    assert (reply.json()["status"], receiver.documents[0]["status"]) == ("running", "completed")


def test_a_start_whose_answer_is_lost_still_has_its_webhook(leap, caller, receiver):
    leap.add_fault(operation="start", kind="drop_after_accept", times=1)
    with pytest.raises(requests.ConnectionError):
        caller.start("wkf_quick", webhook_url=receiver.url)
    leap.ledger.wait_for_webhooks(1)
    assert receiver.documents[0]["id"] == leap.ledger.starts()[0].run.run_id


def test_a_slow_body_arrives_whole(leap, caller, receiver):
    leap.add_fault(operation="webhook", kind="slow", seconds=0.3)
    began = time.monotonic()
    caller.start("wkf_quick", webhook_url=receiver.url)
    entry = leap.ledger.wait_for_webhooks(1)[0]
    assert time.monotonic() - began >= 0.3
    assert receiver.documents[0]["status"] == "completed"
    assert entry.size_bytes == len(receiver.bodies[0])


def test_a_huge_output_arrives_whole(leap, caller, receiver):
    leap.add_fault(operation="webhook", kind="huge_output", bytes=3 * 1024 * 1024)
    caller.start("wkf_quick", webhook_url=receiver.url)
    assert leap.ledger.wait_for_webhooks(1)[0].response_status == 200
    assert len(receiver.bodies[0]) > 3 * 1024 * 1024


def test_a_receiver_that_refuses_early_still_has_its_answer_written_down(leap, caller):
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def refuse():
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        refused = pool.submit(refuse)
        port = server.getsockname()[1]
        leap.add_fault(operation="webhook", kind="huge_output")
        caller.start("wkf_quick", webhook_url=f"http://127.0.0.1:{port}/")
        entry = leap.ledger.wait_for_webhooks(1)[0]
        refused.result(5)
    assert (entry.outcome, entry.response_status) == ("answered", 413)


def test_unreachable_timed_out_and_refused_are_told_apart(leap, caller, receiver):
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    leap.change_settings(webhook_timeout_seconds=0.2)
    receiver.seconds = 0.6
    urls = {
        f"http://127.0.0.1:{free}/": "unreachable",
        receiver.url: "timed_out",
        "http://example.com/hook": "refused",
        "https://127.0.0.1/hook": "refused",
        "http://10.0.0.1/hook": "refused",
    }
    runs = {url: caller.start("wkf_quick", webhook_url=url).json()["id"] for url in urls}
    outcomes = {
        url: leap.ledger.wait_for_webhooks(1, run_id=run)[0].outcome for url, run in runs.items()
    }
    assert outcomes == urls


def test_a_slow_receiver_holds_up_nobody(leap, caller, receiver):
    receiver.seconds = 0.5
    began = time.monotonic()
    for _ in range(10):
        caller.start("wkf_quick", webhook_url=receiver.url)
    leap.ledger.wait_for_webhooks(10)
    assert time.monotonic() - began < 3


def test_retries_end_with_the_first_2xx(leap, caller, receiver):
    leap.change_settings(webhook_attempts=10, webhook_retry_seconds=0.05)
    receiver.status = 503
    caller.start("wkf_quick", webhook_url=receiver.url)
    leap.ledger.wait_for_webhooks(2)
    receiver.status = 204
    while not leap.ledger.webhooks()[-1].is_success:
        time.sleep(0.02)
    sent = leap.ledger.webhooks()
    time.sleep(0.2)
    assert leap.ledger.webhooks() == sent
    assert [entry.attempt for entry in sent] == list(range(1, len(sent) + 1))


def test_100_runs_have_one_webhook_each(leap, caller, receiver):
    def start(_number):
        return requests.post(
            f"{leap.url}/v1/runs",
            json={"workflow_id": "wkf_quick", "webhook_url": receiver.url},
            headers={"X-Api-Key": "demo-key"},
            timeout=20,
        ).json()["id"]

    with ThreadPoolExecutor(10) as pool:
        runs = list(pool.map(start, range(100)))
    leap.ledger.wait_for_webhooks(100, timeout_seconds=20)
    assert sorted(document["id"] for document in receiver.documents) == sorted(runs)
    assert [entry.sequence for entry in leap.ledger.starts()] == list(range(1, 101))
    assert len(leap.ledger.webhooks()) == 100
