"""The command as a process: what it imports, a real Ctrl-C, a real terminal, a closed pipe."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.operator_api import ACTIVITY_ID, an_activity

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "agentruns_cli")
SLOW_IMPORTS = ("requests", "boto3", "botocore", "rich", "pydantic", "local")


class RunningActivity(BaseHTTPRequestHandler):
    """Answers every GET with the same running activity, and stores any connection."""

    def do_GET(self) -> None:
        self._answer(an_activity())

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"name": "leena"})

    def do_POST(self) -> None:
        self._answer({"ok": True, "checks": [{"name": "token", "ok": True, "detail": "minted"}]})

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Say nothing."""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), RunningActivity) as server:
        # looks ten times as often as usual whether it is to end
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'agentruns'}",
            "AGENTRUNS_API_URL": f"http://127.0.0.1:{server.server_port}",
            "AGENTRUNS_OPERATOR_KEY": "k",
        }
        server.shutdown()


def test_help_imports_nothing_slow(environment):
    code = (
        "import sys\n"
        "from agentruns_cli.main import app\n"
        "try: app(['--help'], prog_name='agentruns')\n"
        "except SystemExit: pass\n"
        f"print([name for name in {SLOW_IMPORTS!r} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert "agentruns up" in done.stdout
    assert done.stderr.strip() == "[]"


def test_ctrl_c_ends_a_watch_off_a_terminal(environment):
    process = subprocess.Popen(
        [*COMMAND, "watch", ACTIVITY_ID],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, stderr = process.communicate(timeout=20)

    assert process.returncode == 130
    assert first.startswith(ACTIVITY_ID)
    assert rest == ""
    assert f"Return to it: agentruns watch {ACTIVITY_ID}" in stderr
    assert "Traceback" not in stderr


def test_a_terminal_gets_a_display_in_place_without_colours_if_asked(environment):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "watch", ACTIVITY_ID],
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "100", "NO_COLOR": "1"},
        stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = _read_until(master, b"next check")
    process.send_signal(signal.SIGINT)
    shown += _read_until(master, b"watch " + ACTIVITY_ID.encode())

    assert process.wait(timeout=20) == 130
    assert b"\x1b[?25l" in shown, "the cursor is hidden while drawing"
    assert b"\x1b[?25h" in shown, "and back afterwards"
    assert b"\x1b[3" not in shown, "no colours under NO_COLOR"
    os.close(master)


def test_a_terminal_does_not_echo_secrets(environment):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "connect", "leena"],
        env={**environment, "TERM": "xterm"},
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    for prompt, answer, is_echoed in (
        (b"Client id", b"my-id", True),
        (b"Client secret", b"secret-CANARY", False),
        (b"User name", b"ada", True),
        (b"Password", b"password-CANARY", False),
        (b"Region", b"us-east-1", True),
    ):
        shown += _read_until(master, prompt)
        _wait_for_echo(master, is_echoed)
        os.write(master, answer + b"\n")
    shown += _read_until(master, b"minted")

    assert process.wait(timeout=20) == 0
    assert b"my-id" in shown
    assert b"CANARY" not in shown
    os.close(master)


def test_a_reader_that_goes_away_leaves_no_stack_trace(environment):
    script = '"$0" -m agentruns_cli watch "$1" --wait-timeout 1 | head -n 0'

    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, ACTIVITY_ID],
        env=environment, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_an_unknown_command_is_a_usage_error(environment):
    done = subprocess.run(
        [*COMMAND, "dance"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "dance" in done.stderr


def _wait_for_echo(master: int, is_echoed: bool) -> None:
    """The prompt comes first, the terminal's echo is switched a moment later; fails after 20 s."""
    give_up_at = time.monotonic() + 20
    while bool(termios.tcgetattr(master)[3] & termios.ECHO) != is_echoed:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def _read_until(master: int, words: bytes) -> bytes:
    """What the terminal got up to and with these words; fails after 20 s."""
    text = b""
    give_up_at = time.monotonic() + 20
    while words not in text:
        assert time.monotonic() < give_up_at, text
        if select.select([master], [], [], 0.2)[0]:
            text += os.read(master, 65536)
    return text
