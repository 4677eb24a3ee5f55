"""The reference agent as an author runs it: by two settings, until Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@contextmanager
def running(**settings: str) -> Iterator[subprocess.Popen[str]]:
    surroundings = {
        name: value for name, value in os.environ.items() if name not in {"PORT", "SIGNING_SECRET"}
    }
    command = [sys.executable, "-m", "local.reference_agent"]
    with subprocess.Popen(
        command,
        env=surroundings | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("settings", [{}, {"PORT": "0"}, {"PORT": "x", "SIGNING_SECRET": SECRET}])
def test_what_is_missing_is_said(settings: dict[str, str]):
    with running(**settings) as agent:
        _, told = agent.communicate(timeout=30)
    assert agent.returncode == 2
    assert "PORT" in told
    assert "SIGNING_SECRET" in told
    assert "Traceback" not in told


def test_it_takes_what_is_signed_only_and_ends_at_ctrl_c():
    with running(PORT="0", SIGNING_SECRET=SECRET) as agent:
        assert agent.stdout is not None
        url = agent.stdout.readline().split("at ")[1].split(";")[0]

        assert requests.post(url, json={"runId": "run_x"}, timeout=10).status_code == 401

        agent.send_signal(signal.SIGINT)
        _, told = agent.communicate(timeout=30)
    assert (agent.returncode, told) == (0, "")
