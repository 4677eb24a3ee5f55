"""The server on real sockets: start and stop, faults of answers, the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from local.leap_emulator import EmulatorSettings, LeapEmulator
from tests.integration.leap_emulator.conftest import Caller

ROOT = Path(__file__).parents[3]


def test_a_bulk_run_from_its_start_to_its_csv(leap, caller):
    leap.define_workflow("wkf_rows", [{"status": "completed"}], row_count=2)
    body = {"workflow_id": "wkf_rows", "input_csv_url": "https://example.com/in.csv"}
    bulk = caller.call("POST", "v1/runs/bulk", body).json()
    csv = requests.get(bulk["output_csv_url"], timeout=3)
    assert csv.headers["Content-Type"].startswith("text/csv")
    assert len(csv.text.splitlines()) == 1 + bulk["row_count"]


def test_a_huge_output_is_read_in_one_answer(leap, caller):
    run = caller.start("wkf_huge_output").json()["id"]
    leap.set_run_status(run, "completed")
    assert len(caller.call("GET", f"v1/runs/{run}").content) > 2 * 1024 * 1024


def test_faults_of_answers_on_the_wire(leap, caller):
    leap.add_fault(operation="start", kind="status", status=503, times=1)
    leap.add_fault(operation="start", kind="reset", times=1, accept=True)
    leap.add_fault(operation="start", kind="hang", times=1, accept=True)
    assert caller.start().status_code == 503
    with pytest.raises(requests.ConnectionError):
        caller.start()
    caller.timeout_seconds = 0.3
    with pytest.raises(requests.ReadTimeout):
        caller.start()
    assert len(leap.ledger.starts()) == 2


def test_a_body_above_1_mib_is_413(leap, caller):
    assert caller.start(input={"text": "x" * 2**21}).status_code == 413
    assert leap.ledger.starts() == []


def test_stop_ends_at_once_and_sends_nothing_more(receiver):
    leap = LeapEmulator().start()
    leap.add_fault(operation="webhook", kind="late", seconds=60)
    caller = Caller(leap.url)
    leap.define_workflow("wkf_now", [{"status": "completed"}])
    caller.start("wkf_now", webhook_url=receiver.url)
    caller.start("wkf_completes_after_30_seconds", webhook_url=receiver.url)
    began = time.monotonic()
    leap.stop()
    caller.session.close()
    assert time.monotonic() - began < 2
    assert receiver.bodies == []


def test_a_port_can_be_taken_again_after_stop():
    with LeapEmulator() as first:
        port = int(first.url.rpartition(":")[2])
    with LeapEmulator(port=port, settings=EmulatorSettings(api_key="own")) as second:
        assert second.url == first.url
        caller = Caller(second.url)
        assert caller.start().status_code == 401
        caller.session.close()


def start_program(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.leap_emulator", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def read_url(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    line = program.stdout.readline()
    found = re.fullmatch(r"leap emulator on (http://127\.0\.0\.1:\d+)\n", line)
    assert found, line
    return found[1]


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_the_program_prints_one_line_serves_and_ends_at_once(tmp_path, stop_signal):
    file = tmp_path / "key"
    file.write_text("own-key\n")
    program = start_program("--port", "0", "--verbose", "--api-key-file", str(file))
    caller = Caller(read_url(program))
    caller.session.headers["X-Api-Key"] = "own-key"
    hook = "http://127.0.0.1:9/hooks/secret.mac"
    assert caller.start("wkf_never_ends", webhook_url=hook).status_code == 200
    caller.session.close()
    began = time.monotonic()
    program.send_signal(stop_signal)
    output, log = program.communicate(timeout=5)
    assert time.monotonic() - began < 2
    assert (program.returncode, output) == (0, "")
    assert "POST /v1/runs 200" in log
    for secret in ("own-key", "secret.mac", "Traceback"):
        assert secret not in log


def test_wrong_options_say_what_is_wrong(tmp_path):
    empty = tmp_path / "key"
    empty.write_text("\n")
    with LeapEmulator() as leap:
        taken = leap.url.rpartition(":")[2]
        for options, code, message in (
            (["--api-key-file", str(empty)], 2, "holds no API key"),
            (["--api-key-file", str(tmp_path / "none")], 2, "holds no API key"),
            (["--port", taken], 1, f"cannot listen on 127.0.0.1:{taken}"),
            (["--port", "x"], 2, "'x' is not an integer"),
        ):
            program = start_program(*options)
            output, log = program.communicate(timeout=10)
            assert (program.returncode, output) == (code, "")
            assert message in log
            assert "Traceback" not in log
