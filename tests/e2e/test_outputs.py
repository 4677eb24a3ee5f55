"""Outputs that no row could hold: from Leap's webhook to whoever asks, byte for byte."""

import hashlib
import json
from typing import Any

import pytest
import requests

from agentruns.statuses import ActivityStatus, RunStatus
from tests.deployment import Deployment
from tests.e2e.test_operator_api import require_problem

pytestmark = pytest.mark.stack

PIECE_BYTES = 100_000


def sent_by_leap(size_bytes: int) -> str:
    """What the emulator's workflow gives back, in as many bytes, without the blank in it."""
    return json.dumps({"text": "x" * (size_bytes - len('{"text": ""}'))}, separators=(",", ":"))


def in_ranges(deployment: Deployment, path: str) -> tuple[str, list[requests.Response]]:
    answers: list[requests.Response] = []
    position, size = 0, 1
    while position < size:
        wanted = {"Range": f"bytes={position}-{position + PIECE_BYTES - 1}"}
        answer = deployment.request("GET", path, headers=wanted)
        assert 206 == answer.status_code, answer.text[:300]
        size = int(answer.headers["Content-Range"].rpartition("/")[2])
        position += len(answer.content)
        answers.append(answer)
    return b"".join(each.content for each in answers).decode("ascii"), answers


@pytest.fixture(params=["workflows", "runs"])
def flows(request: pytest.FixtureRequest, deployment: Deployment) -> str:
    """A connection in either dialect to the stack's own Leap emulator."""
    name = f"outputs-{request.param}"
    deployment.connect_leap(name, deployment.info.leap_emulator_url, request.param)
    return name


def test_an_output_of_400_kib_comes_back_whole(
    deployment: Deployment, flows: str, foreign_key: str
):
    activity_id = deployment.start_workflow("wkf_large_output", flows)

    record = deployment.wait_for_end(activity_id)

    run = record.current_run
    assert (ActivityStatus.DONE, RunStatus.COMPLETED) == (record.activity.status, run.status)
    sent = sent_by_leap(400 * 1024)
    shown: dict[str, Any] = deployment.call("GET", f"/v1/runs/{run.run_id}")
    assert shown["output"] is None
    assert len(sent) == shown["output_bytes"]
    path = shown["links"]["output"]
    assert f"/v1/runs/{run.run_id}/output" == path

    text, answers = in_ranges(deployment, path)

    assert sent == text
    assert 5 == len(answers)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    assert {f'"{sha256}"'} == {answer.headers["ETag"] for answer in answers}
    assert {"application/json"} == {answer.headers["Content-Type"] for answer in answers}
    assert sent == deployment.request("GET", path).text
    assert sent == deployment.request("GET", f"{path}?sha256={sha256}").text
    behind = deployment.request("GET", path, headers={"Range": f"bytes={len(sent)}-"})
    require_problem(behind, 416)
    assert f"bytes */{len(sent)}" == behind.headers["Content-Range"]
    assert 404 == deployment.request("GET", path, key=foreign_key).status_code

    printed = deployment.agentruns("output", activity_id)
    page = deployment.agentruns("output", run.run_id, "--page", "2", "--page-bytes", "1000")
    assert (0, sent + "\n") == (printed.exit_code, printed.stdout)
    assert sent[1000:2000] + "\n" == page.stdout
    told = deployment.agentruns("show", activity_id)
    assert f"{len(sent)} bytes" in told.stdout
    assert f"agentruns output {run.run_id}" in told.stderr


def test_a_webhook_above_1_mib_is_a_hint_where_leap_can_be_asked(deployment: Deployment):
    deployment.connect_leap("outputs-huge", deployment.info.leap_emulator_url, "runs")
    activity_id = deployment.start_workflow("wkf_huge_output", "outputs-huge")

    run = deployment.wait_for_end(activity_id).current_run

    assert RunStatus.COMPLETED is run.status
    sent = sent_by_leap(2 * 1024 * 1024)
    printed = deployment.agentruns("output", run.run_id)
    assert (0, sent + "\n") == (printed.exit_code, printed.stdout)


def test_a_webhook_above_1_mib_is_told_of_where_leap_cannot_be_asked(deployment: Deployment):
    deployment.connect_leap("outputs-told", deployment.info.leap_emulator_url, "workflows")
    activity_id = deployment.start_workflow("wkf_huge_output", "outputs-told")

    record = deployment.wait_for(
        activity_id, lambda record: record.current_run.last_problem is not None
    )

    run = record.current_run
    assert RunStatus.RUNNING is run.status
    assert run.last_problem is not None
    assert "hook_too_large" == run.last_problem.code
    deployment.call("POST", f"/v1/activities/{activity_id}/cancel")
