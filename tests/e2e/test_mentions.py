"""A comment from the command line mentions an agent, whose answer is read there too."""

from __future__ import annotations

import re
import time

from local.reference_agent import ReferenceAgent
from tests.deployment import PATIENCE_SECONDS, Deployment

ROLE = "mentioned_reader"


def test_a_comment_from_the_command_line_is_answered_in_the_thread(connected: Deployment):
    body = {"agent_role": "it_support", "message": "please", "title": "Reset the VPN"}
    activity_id = connected.call("POST", "/v1/activities", body)["activity_id"]
    connected.wait_for_end(activity_id)
    with ReferenceAgent() as agent:
        adapter = {"type": "webhook", "url": agent.url}
        stored = connected.call("PUT", f"/v1/agents/{ROLE}", {"adapter": adapter})
        agent.signing_secret = stored["signing_secret"]

        text = "@agent:mentioned-reader can you confirm it? @agent:nobody"
        written = connected.agentruns("comment", activity_id, text)

        assert written.exit_code == 0, written.stderr
        found = re.search(rf"Notified: {ROLE}  (act_\w+)", written.stderr)
        assert found, written.stderr
        assert "Not notified: nobody (unknown agent)" in written.stderr
        lines = read_thread(connected, activity_id, 2)

    assert f"  agent:{ROLE}  Done: operator:bootstrap mentioned you" in lines[1]
    shown = connected.agentruns("show", found[1])
    comment_id = written.stdout.strip()
    assert f"{activity_id} {comment_id}" in shown.stdout
    assert "Mentioned in Reset the VPN" in shown.stdout


def read_thread(connected: Deployment, activity_id: str, length: int) -> list[str]:
    """The lines of the thread, once there are so many."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = connected.agentruns("comment", activity_id).stdout.splitlines()
        if len(lines) >= length:
            return lines
        assert time.monotonic() < deadline, lines
