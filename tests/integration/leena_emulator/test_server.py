"""The server on real sockets: many clients, odd requests, start and stop, the command line."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from local.leena_emulator import Credentials, EmulatorSettings, LeenaEmulator
from tests.integration.leena_emulator.conftest import AUTH, USER, Caller

ROOT = Path(__file__).parents[3]


def raw_exchange(leena: LeenaEmulator, request: bytes) -> bytes:
    host, port = leena.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=2) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_the_whole_path_from_token_to_completed(caller):
    item = caller.execute("it_support_ticket_creation").json()["aop_item_id"]
    statuses = [caller.read(item).json()["status"] for _ in range(6)]
    expected = ["in_progress", "in_progress", "paused", "paused", "in_progress", "completed"]
    assert statuses == expected


def test_100_concurrent_executes_are_all_in_the_ledger_once(leena, caller):
    barrier = threading.Barrier(100)

    def start(number):
        own = Caller(leena.url, timeout_seconds=20)
        own.headers = caller.headers
        barrier.wait()
        reply = own.execute("completes_at_once", context={"agentruns_run_id": f"run_{number}"})
        status = own.read(reply.json()["aop_item_id"]).json()["status"]
        own.session.close()
        return reply.json()["aop_item_id"], status

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(start, range(100)))
    entries = leena.ledger.executes()
    assert len({item for item, _ in answers}) == 100
    assert {status for _, status in answers} == {"completed"}
    assert {entry.aop_item_id for entry in entries} == {item for item, _ in answers}
    assert sorted(entry.agentruns_run_id for entry in entries) == sorted(
        f"run_{number}" for number in range(100)
    )
    assert [entry.sequence for entry in leena.ledger.entries] == list(range(1, 102))


def test_a_fault_with_times_fires_exactly_so_often_under_concurrency(leena, caller):
    leena.add_fault(operation="execute", kind="status", status=503, times=10)

    def start(_number):
        own = Caller(leena.url, timeout_seconds=20)
        own.headers = caller.headers
        status = own.execute().status_code
        own.session.close()
        return status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(start, range(40)))
    assert (statuses.count(503), statuses.count(200)) == (10, 30)
    assert len(leena.ledger.executes()) == 30


def test_one_connection_serves_many_requests_quickly(leena, caller):
    host = leena.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=2)
    began = time.monotonic()
    sockets = set()
    for _ in range(50):
        connection.request("GET", "/_emulator/health")
        assert connection.getresponse().read()
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1
    # 50 delayed acknowledgements alone would be 2 s.
    assert time.monotonic() - began < 1.5


def test_a_body_above_1_mib_is_413_and_1_mib_is_read(leena, caller):
    reply = caller.execute(message_to_start="x" * (10 * 1024 * 1024))
    assert reply.status_code == 413
    assert list(reply.json()) == ["message"]
    fitting = caller.execute(message_to_start="x" * (1024 * 1024 - 100))
    assert fitting.status_code == 200
    assert len(leena.ledger.executes()) == 1


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"POST /api/v1/external/aop/execute HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
        (b"POST /api/v1/external/aop/execute HTTP/1.1\r\nContent-Length: -1", 400),
        (b"BREW /coffee HTTP/1.1", 501),
        (b"GET / HTTP/9.9", 505),
        (b"nonsense", 400),
        (b"GET http://[ HTTP/1.1", 400),
    ],
)
def test_odd_requests_get_a_json_message(leena, request_head, status):
    answer = raw_exchange(leena, request_head + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert list(json.loads(body)) == ["message"]


def test_head_answers_have_no_body(leena):
    assert raw_exchange(
        leena, b"HEAD /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    ).endswith(b"\r\n\r\n")


def test_unknown_paths_are_404_with_a_message(leena, caller):
    reply = caller.session.get(f"{leena.url}/nothing/here", timeout=2)
    assert (reply.status_code, reply.json()) == (404, {"message": "No such path: /nothing/here"})


def test_stop_cuts_hanging_and_idle_connections_at_once():
    leena = LeenaEmulator().start()
    caller = Caller(leena.url, timeout_seconds=20)
    caller.mint()
    leena.add_fault(operation="execute", kind="hang")
    failures = []

    def hang():
        try:
            caller.execute()
        except requests.ConnectionError as exc:
            failures.append(exc)

    waiting = threading.Thread(target=hang)
    waiting.start()
    while leena.faults.fired() == 0:
        time.sleep(0.01)
    began = time.monotonic()
    leena.stop()
    waiting.join(5)
    caller.session.close()
    assert time.monotonic() - began < 2
    assert len(failures) == 1


def test_a_port_can_be_taken_again_after_stop():
    with LeenaEmulator() as first:
        caller = Caller(first.url)
        caller.mint()
        port = int(first.url.rpartition(":")[2])
    with LeenaEmulator(port=port) as second:
        assert second.url == first.url
        assert caller.mint().status_code == 200
    caller.session.close()


def test_own_credentials_and_expiry():
    own = Credentials(client_id="c", client_secret="s", username="u", password="p")
    with LeenaEmulator(settings=EmulatorSettings(credentials=own, expires_in=7)) as leena:
        url = f"{leena.url}/api/v1.0/oauth/token"
        assert requests.post(url, json=USER, auth=AUTH, timeout=2).status_code == 401
        body = {"username": "u", "password": "p", "grant_type": "password"}
        reply = requests.post(url, json=body, auth=("c", "s"), timeout=2)
        assert reply.json()["expires_in"] == 7


def start_program(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.leena_emulator", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def read_url(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    line = program.stdout.readline()
    found = re.fullmatch(r"leena emulator on (http://127\.0\.0\.1:\d+)\n", line)
    assert found, line
    return found[1]


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_the_program_prints_one_line_serves_and_ends_at_once(stop_signal):
    program = start_program("--port", "0", "--verbose")
    url = read_url(program)
    caller = Caller(url)
    assert caller.mint().status_code == 200
    item = caller.execute("completes_at_once").json()["aop_item_id"]
    assert caller.read(item).json()["status"] == "completed"
    caller.control("POST", "faults", [{"operation": "execute", "kind": "hang"}])
    caller.timeout_seconds = 0.2
    with pytest.raises(requests.ReadTimeout):
        caller.execute()
    began = time.monotonic()
    program.send_signal(stop_signal)
    output, log = program.communicate(timeout=5)
    caller.session.close()
    assert program.returncode == 0
    assert time.monotonic() - began < 2
    assert output == ""
    assert "POST /api/v1.0/oauth/token 200" in log
    bearer = caller.headers["Authorization"].removeprefix("Bearer ")
    for secret in ("demo-secret", "demo-password", bearer, "Traceback"):
        assert secret not in log


def test_the_program_is_silent_without_verbose(tmp_path):
    file = tmp_path / "credentials.json"
    file.write_text(
        json.dumps({"client_id": "c", "client_secret": "s", "username": "u", "password": "p"})
    )
    program = start_program("--credentials", str(file), "--expires-in", "9")
    url = read_url(program)
    body = {"username": "u", "password": "p", "grant_type": "password"}
    reply = requests.post(f"{url}/api/v1.0/oauth/token", json=body, auth=("c", "s"), timeout=2)
    assert reply.json()["expires_in"] == 9
    program.terminate()
    assert program.communicate(timeout=5) == ("", "")


def test_wrong_options_say_what_is_wrong(tmp_path):
    incomplete = tmp_path / "credentials.json"
    incomplete.write_text('{"client_id": "c", "password": "very secret"}')
    with LeenaEmulator() as leena:
        taken = leena.url.rpartition(":")[2]
        for options, code, message in (
            (["--credentials", str(incomplete)], 2, "lacks client_secret, username"),
            (["--credentials", str(tmp_path / "none")], 2, "cannot be read as JSON"),
            (["--port", taken], 1, f"cannot listen on 127.0.0.1:{taken}"),
            (["--port", "x"], 2, "'x' is not an integer"),
            (["--expires-in", "0"], 2, "0 is not from 1 to"),
        ):
            program = start_program(*options)
            output, log = program.communicate(timeout=10)
            assert (program.returncode, output) == (code, "")
            assert message in log
            assert "very secret" not in log
            assert "Traceback" not in log


def test_a_killed_program_goes_on_with_its_journal(tmp_path):
    options = ("--journal", str(tmp_path / "journal.jsonl"))
    program = start_program(*options)
    caller = Caller(read_url(program))
    caller.mint()
    items = [caller.execute("fails").json()["aop_item_id"] for _ in range(20)]
    program.kill()
    program.communicate(timeout=5)
    program = start_program(*options)
    caller.url = read_url(program)
    assert caller.read(items[0]).status_code == 401
    caller.mint()
    assert {caller.read(item).json()["status"] for item in items} == {"in_progress"}
    entries = caller.control("GET", "ledger?operation=execute").json()["entries"]
    assert [entry["aop_item_id"] for entry in entries] == items
    caller.session.close()
    program.terminate()
    assert program.communicate(timeout=5) == ("", "")
