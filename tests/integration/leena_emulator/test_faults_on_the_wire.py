"""Each fault as a real HTTP client meets it."""

from __future__ import annotations

import time

import pytest
import requests
from urllib3.exceptions import ReadTimeoutError

from local.leena_emulator import LeenaEmulator


def test_a_status_with_retry_after(leena, caller):
    headers = {"Retry-After": "2"}
    leena.add_fault(operation="execute", kind="status", status=429, headers=headers, times=1)
    reply = caller.execute()
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "2")
    assert caller.execute().status_code == 200


@pytest.mark.parametrize("accept", [False, True])
def test_a_hang_runs_into_the_clients_timeout(leena, caller, accept):
    leena.add_fault(operation="execute", kind="hang", accept=accept, times=1)
    caller.timeout_seconds = 0.2
    with pytest.raises(requests.ReadTimeout):
        caller.execute()
    assert len(leena.ledger.executes()) == int(accept)


def test_a_hang_ends_without_an_answer_after_its_seconds(leena, caller):
    leena.add_fault(operation="execute", kind="hang", seconds=0.2, times=1)
    with pytest.raises(requests.ConnectionError):
        caller.execute()


def test_a_delay_answers_late_and_the_connection_lives_on(leena, caller):
    leena.add_fault(operation="execute", kind="delay", seconds=0.3, times=1)
    began = time.monotonic()
    assert caller.execute().status_code == 200
    assert time.monotonic() - began >= 0.3
    assert caller.execute().status_code == 200


@pytest.mark.parametrize("accept", [False, True])
def test_a_reset_is_a_reset(leena, caller, accept):
    leena.add_fault(operation="execute", kind="reset", accept=accept, times=1)
    with pytest.raises(requests.ConnectionError, match="reset"):
        caller.execute()
    assert len(leena.ledger.executes()) == int(accept)
    assert caller.execute().status_code == 200


def test_drop_after_accept_closes_without_an_answer(leena, caller):
    leena.add_fault(operation="execute", kind="drop_after_accept", times=1)
    with pytest.raises(requests.ConnectionError, match="without response"):
        caller.execute(context={"agentruns_run_id": "run_1"})
    assert [entry.agentruns_run_id for entry in leena.ledger.executes()] == ["run_1"]


def test_html_empty_broken_json_and_wrong_types(leena, caller):
    for kind in ("html", "empty", "broken_json", "wrong_types"):
        leena.add_fault(operation="execute", kind=kind, times=1)
    html, empty, broken, wrong = (caller.execute() for _ in range(4))
    assert html.headers["Content-Type"].startswith("text/html")
    assert empty.content == b""
    for reply in (html, empty, broken):
        assert reply.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            reply.json()
    assert wrong.json()["aop_item_id"] == 20260422


def test_a_slow_drip_defeats_a_read_timeout_but_not_a_wall_clock(leena, caller):
    leena.add_fault(operation="execute", kind="slow_drip", seconds=0.005, times=1)
    caller.timeout_seconds = 0.15
    began = time.monotonic()
    assert caller.execute().json()["status"] == "accepted"
    assert time.monotonic() - began > 0.5


def test_a_drip_slower_than_the_timeout_runs_into_it(leena, caller):
    leena.add_fault(operation="execute", kind="slow_drip", seconds=5, times=1)
    caller.timeout_seconds = 0.2
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout, ReadTimeoutError)):
        caller.execute()


def test_a_huge_body_has_the_asked_size_and_is_json(leena, caller):
    leena.add_fault(operation="status", kind="huge", bytes=3_000_000, times=1)
    item = caller.execute().json()["aop_item_id"]
    reply = caller.read(item)
    assert len(reply.content) == int(reply.headers["Content-Length"]) == 3_000_000
    assert reply.json()["aop_item_id"] == item


def test_an_endless_body_can_be_left_unread(leena, caller):
    leena.add_fault(operation="execute", kind="huge", bytes=10 * 1024**3, times=1)
    reply = caller.session.post(
        f"{leena.url}/api/v1/external/aop/execute",
        json={"aop_id": "fails"},
        headers=caller.headers,
        stream=True,
        timeout=2,
    )
    assert len(reply.raw.read(1_000_000)) == 1_000_000
    reply.close()
    assert caller.execute().status_code == 200


def test_a_gzip_bomb_is_small_on_the_wire_and_large_after_it(leena, caller):
    leena.add_fault(operation="execute", kind="gzip_bomb", bytes=8 * 1024**2, times=1)
    reply = caller.execute()
    assert int(reply.headers["Content-Length"]) < 100_000
    assert len(reply.content) > 8 * 1024**2
    assert reply.json()["status"] == "accepted"


def test_a_redirect_goes_nowhere_unless_it_is_followed(leena, caller):
    with LeenaEmulator() as elsewhere:
        location = f"{elsewhere.url}/_emulator/redirect-target"
        headers = {"Location": location}
        leena.add_fault(operation="execute", kind="redirect", status=307, headers=headers)
        reply = caller.execute()
        assert (reply.status_code, reply.headers["Location"]) == (307, location)
        assert elsewhere.ledger.as_document()["redirects_followed"] == []
        caller.session.post(location, headers=caller.headers, timeout=2)
        assert elsewhere.ledger.as_document()["redirects_followed"] == [
            {"method": "POST", "had_authorization": True}
        ]


def test_a_revoked_token_mid_run(leena, caller):
    item = caller.execute().json()["aop_item_id"]
    leena.add_fault(operation="status", kind="revoke_token", times=1)
    assert caller.read(item).status_code == 401
    assert caller.mint().status_code == 200
    assert caller.read(item).status_code == 200


def test_extra_fields_and_null_run_id(leena, caller):
    leena.add_fault(operation="execute", kind="extra_fields", times=1)
    leena.add_fault(operation="execute", kind="null_run_id", times=1)
    assert caller.execute().json()["schema_version"] == 7
    assert caller.execute().json()["run_id"] is None


def test_faults_by_the_control_endpoint(leena, caller):
    rules = [{"operation": "token", "kind": "status", "status": 503, "times": 1}]
    assert caller.control("POST", "faults", rules).status_code == 200
    assert caller.mint().status_code == 503
    assert caller.control("GET", "faults").json()["fired"] == 1
    assert caller.control("DELETE", "faults").json()["rules"] == []
    assert caller.control("POST", "faults", [{"kind": "?"}]).json()["field"] == "[0].kind"
