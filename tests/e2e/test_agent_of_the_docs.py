"""The agent that docs/agents.md tells its reader to write, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import requests

from local.processes import free_port
from tests.deployment import Deployment

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"


def program() -> str:
    found = re.search(r"```python agent\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_it_has_fifty_lines_at_most():
    assert len(program().splitlines()) <= 50


def test_it_takes_work_and_delivers_it(deployment: Deployment, tmp_path: Path):
    (tmp_path / "agent.py").write_text(program())
    port = free_port()
    adapter = {"type": "webhook", "url": f"http://127.0.0.1:{port}/"}
    stored = deployment.call("PUT", "/v1/agents/docs_writer", {"adapter": adapter})
    environment = os.environ | {"PORT": str(port), "SIGNING_SECRET": stored["signing_secret"]}
    with subprocess.Popen(
        [sys.executable, "agent.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    ) as agent:
        try:
            _wait_until_it_answers(port)
            body = {"agent_role": "docs_writer", "message": "Write about our VPN"}
            activity_id = deployment.call("POST", "/v1/activities", body)["activity_id"]
            record = deployment.wait_for_end(activity_id)
        finally:
            agent.terminate()

    assert record.current_run.output == "Done: Write about our VPN"


def _wait_until_it_answers(port: int) -> None:
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        try:
            unsigned = requests.post(f"http://127.0.0.1:{port}/", data=b"{}", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            assert unsigned.status_code == 401
            return
    raise AssertionError("the agent did not start")
