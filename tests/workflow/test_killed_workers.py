"""A worker's process dies at the worst moment (kill -9): nothing starts twice, all of it ends."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from agentruns.errors import StartUnknown
from agentruns.statuses import ActivityStatus, RunStatus
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment, is_parked, starts_of
from tests.workflow.scenarios import Scenario, start_all

pytestmark = pytest.mark.stack

WINDOW_SECONDS = 3.0


def kill_workers(deployment: Deployment, function: str, is_now: Callable[[], bool]) -> None:
    """Kill every process of the function at the moment named. No other test uses it meanwhile."""
    give_up_at = time.monotonic() + 30
    while not is_now():
        assert time.monotonic() < give_up_at, "the moment to kill never came"
        time.sleep(0.02)
    pids = deployment.workers(function)
    assert pids, f"{function} has no process to kill"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module", autouse=True)
def killed_while_minting(deployment: Deployment) -> Iterator[tuple[LeenaEmulator, str]]:
    """Begun before the others: the dead worker's lease has to run out first, which takes 30 s."""
    with LeenaEmulator() as other:
        other.add_fault(operation="token", kind="delay", seconds=WINDOW_SECONDS, times=1)
        deployment.connect("killed-mint", other.url)
        activity_id = deployment.start("aop-1", "killed-mint")
        kill_workers(deployment, "mint-token", lambda: len(other.ledger.mints()) == 1)
        yield other, activity_id


@pytest.mark.parametrize("policy", ["hold", "fail"])
def test_killed_between_the_providers_acceptance_and_the_row(
    deployment: Deployment, leena: LeenaEmulator, policy: str
):
    name = f"killed-execute-{policy}"
    delay = {"operation": "execute", "kind": "delay", "seconds": WINDOW_SECONDS, "times": 1}
    scenario = Scenario(faults=[delay], activity={"on_start_unknown": policy})
    (activity_id,) = start_all(deployment, leena, {name: scenario}).values()
    record = deployment.record(activity_id)

    kill_workers(deployment, "execute-aop", lambda: starts_of(leena, record) != [])

    if policy == "hold":
        record = deployment.wait_for(activity_id, is_parked)
        assert ActivityStatus.BLOCKED is record.activity.status
        assert RunStatus.START_UNKNOWN is record.current_run.status
        run_id = record.current_run.run_id
        (accepted,) = leena.ledger.executes(run_id)
        bound = {"bind": {"aop_item_id": accepted.aop_item_id}}
        deployment.call("POST", f"/v1/runs/{run_id}/resolve", bound)
    ended = deployment.wait_for_end(activity_id)
    expected = ActivityStatus.DONE if policy == "hold" else ActivityStatus.FAILED
    assert expected is ended.activity.status
    if policy == "fail":
        assert ended.activity.error is not None
        assert StartUnknown.code == ended.activity.error.code
    assert 1 == len(starts_of(leena, ended)), "accepted once, never sent again"
    execution = deployment.execution(deployment.execution_arn(activity_id))
    failures = [event for event in execution.events if event["type"] == "TaskFailed"]
    assert 1 == len(failures), "the kill was seen, and only that"


def test_killed_while_it_looks(deployment: Deployment, leena: LeenaEmulator):
    delay = {"operation": "status", "kind": "delay", "seconds": WINDOW_SECONDS, "times": 1}
    (activity_id,) = start_all(
        deployment, leena, {"killed-check": Scenario(faults=[delay])}
    ).values()
    record = deployment.wait_for(
        activity_id, lambda record: record.current_run.remote_id is not None
    )
    item_id = str(record.current_run.remote_id)

    kill_workers(deployment, "check-run", lambda: leena.ledger.status_reads(item_id) == 1)

    ended = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is ended.activity.status
    assert 1 == len(starts_of(leena, ended))
    assert 3 == leena.ledger.status_reads(item_id)
    assert 2 == ended.current_run.polls, "the look that died was never booked"
    execution = deployment.execution(deployment.execution_arn(activity_id))
    assert "SUCCEEDED" == execution.status


def test_killed_while_it_settles_or_opens(deployment: Deployment, leena: LeenaEmulator):
    """Workers that only write rows: killed at random, the repetition finds what is stored."""
    ids = start_all(
        deployment, leena, {f"killed-writer-{n}": Scenario() for n in range(4)}
    ).values()
    give_up_at = time.monotonic() + 1.5
    while time.monotonic() < give_up_at:
        for function in ("open-run", "settle-run"):
            for pid in deployment.workers(function):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.4)
    for activity_id in ids:
        ended = deployment.wait_for_end(activity_id)
        assert ActivityStatus.DONE is ended.activity.status
        assert 1 == len(starts_of(leena, ended))
        events = deployment.events(activity_id)
        assert list(range(1, len(events) + 1)) == [event.sequence for event in events]


def test_killed_before_anything_was_sent(deployment: Deployment, killed_while_minting):
    """MintToken's worker died: nothing was promised yet, so the task is simply repeated."""
    other, activity_id = killed_while_minting
    record = deployment.wait_for_end(activity_id)
    assert ActivityStatus.DONE is record.activity.status
    assert 1 == len(starts_of(other, record))
