"""A connection's request budget on the deployed stack, counted where the requests arrive."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from agentruns.statuses import ActivityStatus
from local.leena_emulator import LeenaEmulator, Operation
from tests.deployment import Deployment, starts_of

pytestmark = pytest.mark.stack

RUNS = 8
BUDGET = 16
AOP = "within-a-budget"


def watch(emulator: LeenaEmulator, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """When each request arrives, and which."""
    arrivals: list[tuple[float, str]] = []
    count = emulator.ledger.count_received

    def note(operation: Operation) -> None:
        arrivals.append((time.monotonic(), operation.value))
        count(operation)

    monkeypatch.setattr(emulator.ledger, "count_received", note)
    return arrivals


def test_runs_share_a_budget_over_all_containers_and_end_well(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    with LeenaEmulator() as other:
        other.define_aop(AOP, [{"status": "in_progress", "polls": 1}, {"status": "completed"}])
        arrivals = watch(other, monkeypatch)
        deployment.connect("budgeted", other.url)
        limits = {"requests_per_minute": BUDGET}
        stored = deployment.call("PUT", "/v1/connections/budgeted/limits", limits)
        assert BUDGET == stored["limits"]["requests_per_minute"]
        ids = [deployment.start(AOP, "budgeted") for _ in range(RUNS)]
        records = [deployment.wait_for_end(activity_id, 240) for activity_id in ids]
        starts = [len(starts_of(other, record)) for record in records]
    assert {ActivityStatus.DONE} == {record.activity.status for record in records}
    assert [1] * RUNS == starts
    kinds = Counter(kind for _, kind in arrivals)
    assert (RUNS, 2 * RUNS) == (kinds["execute"], kinds["status"])
    times = sorted(at for at, kind in arrivals if kind != "token")
    in_each_minute = [sum(at <= other_at < at + 60 for other_at in times) for at in times]
    assert max(in_each_minute) <= BUDGET < len(times)
    assert times[-1] - times[0] > 60
