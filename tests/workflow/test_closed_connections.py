"""The connection's gate on the deployed stack: an upstream that is down, and one that is back."""

from __future__ import annotations

import time

import pytest

from agentruns.gate import FAILURES_TO_TRIP
from agentruns.statuses import ActivityStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, starts_of

pytestmark = pytest.mark.stack

RUNS = 8
PATIENCE_SECONDS = 60.0


def gate_of(deployment: Deployment, connection: str) -> dict[str, object]:
    answer = deployment.call("POST", f"/v1/connections/{connection}/check", {})
    checks: dict[str, dict[str, object]] = {check["name"]: check for check in answer["checks"]}
    return checks["gate"]


def wait_until_closed(deployment: Deployment, connection: str) -> dict[str, object]:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while (gate := gate_of(deployment, connection))["ok"]:
        assert time.monotonic() < give_up_at, gate
        time.sleep(1)
    return gate


def test_an_api_that_is_down_is_probed_and_all_runs_end_well_once_it_is_back(
    deployment: Deployment,
):
    with LeenaEmulator() as other:
        other.define_aop(
            "behind-the-gate", [{"status": "in_progress", "polls": 1}, {"status": "completed"}]
        )
        other.add_fault(
            aop_id="behind-the-gate",
            operation="status",
            kind="status",
            status=502,
            times=1000,
        )
        deployment.connect("gated", other.url)
        assert gate_of(deployment, "gated")["ok"] is True
        ids = [deployment.start("behind-the-gate", "gated") for _ in range(RUNS)]
        gate = wait_until_closed(deployment, "gated")
        assert "calls: unavailable" in str(gate["detail"])
        fired = other.faults.fired()
        # those under way while it tripped; warm workers remember an open gate for three seconds,
        # in which a run is looked at up to three times here, since waits take a tenth
        assert FAILURES_TO_TRIP <= fired <= FAILURES_TO_TRIP + 3 * RUNS
        other.faults.clear()
        records = [deployment.wait_for_end(activity_id, 120) for activity_id in ids]
        assert {ActivityStatus.DONE} == {record.activity.status for record in records}
        assert [1] * RUNS == [len(starts_of(other, record)) for record in records]
        assert gate_of(deployment, "gated")["ok"] is True
