from __future__ import annotations

import pytest

from agentruns.errors import UpstreamUnavailable, UpstreamUnreadable
from agentruns.refusals import AopItemNotFound, CredentialsRejected, ScopeMissing, TokenRejected
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.tokens import CachedTokenSource, credentials_secret_name
from tests.fakes.clock import NOON
from tests.fakes.leena import FakeLeenaApi, observation
from tests.fakes.secrets import InMemorySecretStore
from tests.fakes.stores import InMemoryLeaseStore
from tests.fakes.world import CONNECTION, TENANT, World
from tests.unit.core.invariants import check_invariants

DAY = 86_400


def during_read(world, action):
    answer = world.leena.read_status

    def read_status(*args):
        action()
        return answer(*args)

    world.leena.read_status = read_status


@pytest.mark.parametrize(
    ("word", "run_status", "next_step"),
    [
        ("accepted", RunStatus.RUNNING, "check"),
        ("in_progress", RunStatus.RUNNING, "check"),
        ("paused", RunStatus.PAUSED, "park"),
        ("completed", RunStatus.COMPLETED, "settle"),
        ("failed", RunStatus.FAILED, "settle"),
        ("aborted", RunStatus.ABORTED, "settle"),
        ("on_holiday", RunStatus.RUNNING, "check"),
    ],
)
def test_each_of_the_providers_words_becomes_ours(world, word, run_status, next_step):
    task = world.started()
    world.leena.on_read_status(word)
    step = world.check_run(task)
    run = world.run(task)
    assert (next_step, run_status, word) == (step.next_step, run.status, run.provider_status)
    assert (1, world.clock()) == (run.polls, run.last_checked_at)
    check_invariants(world, task.activity_id)


def test_the_providers_times_and_reference_are_kept(world):
    task = world.started()
    world.leena.on_read_status(
        observation("item-1", "in_progress", initiated_at=NOON),
        observation("item-1", "completed", completed_at=NOON),
    )
    world.check_run(task)
    world.check_run(task)
    run = world.run(task)
    assert ("ref-item-1", NOON, NOON) == (run.reference_id, run.initiated_at, run.completed_at)


def test_a_look_that_says_nothing_new_writes_no_event_and_still_notes_the_word(world):
    task = world.started()
    world.leena.on_read_status("in_progress", "on_holiday", "in_progress")
    for word in ("in_progress", "on_holiday", "in_progress"):
        world.check_run(task)
        assert word == world.run(task).provider_status
    assert ["RunStarted"] == world.event_types(task.activity_id)[3:]


def test_a_pause_that_ends_is_followed_closely_again(world):
    task = world.started()
    world.leena.on_read_status("paused", "in_progress")
    world.check_run(task)
    step = world.check_run(task)
    assert ("check", RunStatus.RUNNING) == (step.next_step, world.run(task).status)
    types = world.event_types(task.activity_id)
    assert ["RunStatusChanged", "RunStatusChanged"] == types[-2:]


@pytest.mark.parametrize(
    "failure", [UpstreamUnavailable("502"), UpstreamUnreadable("HTML")], ids=lambda e: e.code
)
def test_a_look_that_fails_is_planned_again_more_slowly_and_says_why(world, failure):
    task = world.started()
    waits = []
    for _ in range(5):
        world.leena.on_read_status(failure)
        waits.append(world.check_run(task).wait_seconds)
    assert [5, 10, 20, 40] == waits[:4]
    run = world.run(task)
    assert (failure.code, 5, 5) == (run.last_problem.code, run.failed_checks, run.polls)
    world.leena.on_read_status("in_progress")
    world.check_run(task)
    assert (None, 0) == (world.run(task).last_problem, world.run(task).failed_checks)


@pytest.mark.parametrize(
    ("retry_after_seconds", "next_step", "in_seconds"),
    [(30, "check", 30), (90, "park", 90), (9000, "park", 300)],
)
def test_retry_after_is_kept_to(world, retry_after_seconds, next_step, in_seconds):
    task = world.started()
    world.leena.on_read_status(UpstreamUnavailable("429", retry_after_seconds=retry_after_seconds))
    assert next_step == world.check_run(task).next_step
    assert in_seconds == (world.run(task).next_check_at - world.clock()).total_seconds()


def test_a_404_in_the_first_minute_is_a_late_reader_and_later_an_end(world):
    task = world.started()
    world.leena.on_read_status(AopItemNotFound("item-1", 404, "no"))
    assert "check" == world.check_run(task).next_step
    world.clock.advance(61)
    world.leena.on_read_status(AopItemNotFound("item-1", 404, "no"))
    with pytest.raises(AopItemNotFound):
        world.check_run(task)


def test_a_401_is_answered_with_a_fresh_token_once(world):
    task = world.started()
    world.leena.on_read_status(TokenRejected("hr"), "completed")
    assert "settle" == world.check_run(task).next_step


@pytest.mark.parametrize(
    "answers",
    [
        [TokenRejected("hr"), TokenRejected("hr")],
        [ScopeMissing("hr", "scope")],
        [TokenRejected("hr"), CredentialsRejected("hr", 401, "invalid_client")],
    ],
    ids=lambda answers: answers[-1].code,
)
def test_who_may_not_look_does_not_end_what_it_may_not_look_at(world, answers):
    """The AOP goes on in Leena AI, whatever became of our rights."""
    task = world.started()
    world.leena.on_read_status(*answers)
    assert "check" == world.check_run(task).next_step
    run = world.run(task)
    assert (RunStatus.RUNNING, answers[-1].code) == (run.status, run.last_problem.code)
    world.clock.advance(10)
    world.leena.on_read_status("completed")
    assert "settle" == world.check_run(task).next_step


def test_the_deadline_ends_the_run_with_what_it_last_suffered_from(world):
    task = world.started()
    world.clock.advance(DAY)
    world.leena.on_read_status(UpstreamUnavailable("connection refused"))
    assert "settle" == world.check_run(task).next_step
    run = world.run(task)
    assert RunStatus.TIMEOUT is run.status
    expected = "not ended 86400 s after the activity was opened; last problem: connection refused"
    assert expected == run.error.message


def test_an_end_seen_in_the_last_look_wins_over_the_deadline(world):
    task = world.started()
    world.clock.advance(DAY + 10)
    world.leena.on_read_status("completed")
    world.check_run(task)
    assert RunStatus.COMPLETED is world.run(task).status


def test_an_end_told_while_the_run_is_cancelled_is_kept_and_flagged(world):
    task = world.started()
    during_read(world, lambda: world.cancel_activity(TENANT, task.activity_id, ""))
    world.leena.on_read_status("completed")
    assert "end_cancelled" == world.check_run(task).next_step
    record = world.record(task.activity_id)
    assert ActivityStatus.CANCELLED is record.activity.status
    assert [(RunStatus.ABORTED, True), (RunStatus.COMPLETED, False)] == [
        (evidence.status, evidence.decided) for evidence in record.current_run.evidence
    ]
    assert "RunContradicted" == world.event_types(task.activity_id)[-1]
    check_invariants(world, task.activity_id)


def test_a_look_that_tells_no_end_leaves_a_cancelled_run_alone(world):
    task = world.started()
    during_read(world, lambda: world.cancel_activity(TENANT, task.activity_id, ""))
    world.check_run(task)
    assert 1 == len(world.run(task).evidence)


def test_an_ended_activity_is_not_asked_about(world):
    task = world.started()
    world.cancel_activity(TENANT, task.activity_id, "")
    assert "end_cancelled" == world.check_run(task).next_step
    assert [] == world.leena.status_reads


def test_warm_checks_ask_secrets_manager_nothing_in_the_loop_and_in_the_sweeper():
    secrets, leena = InMemorySecretStore(), FakeLeenaApi()
    name = credentials_secret_name("agentruns/test", CONNECTION.tenant, CONNECTION.name)
    fields = ("client_id", "client_secret", "username", "password")
    secrets.put(name, dict.fromkeys(fields, "x"), "")
    tokens = CachedTokenSource(
        api=leena,
        secrets=secrets,
        leases=InMemoryLeaseStore(),
        clock=lambda: world.clock(),
        secret_prefix="agentruns/test",
    )
    world = World(
        leena=lambda clock: leena, wrap=lambda name, port: tokens if name == "tokens" else port
    )
    task = world.started()
    secrets.reads.clear()
    for _ in range(5):
        world.clock.advance(20)
        world.check_run(task)
    world.leena.on_read_status("paused")
    world.check_run(task)
    world.executions.wait_on("callback-1")
    world.park_run(task, "callback-1")
    for _ in range(10):
        world.clock.advance(120)
        world.sweep(lambda: True)
    assert len(leena.status_reads) >= 12
    assert ([], 1) == (secrets.reads, len(leena.mints))
