"""Doing failed activities again, whole: the successor, its start, races and crashes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.durations import NO_HISTORY, DurationHistory
from agentruns.errors import (
    ActivityAlreadyRedriven,
    ActivityNotFound,
    ActivityNotRedrivable,
    AgentDisabled,
    StartUnknown,
)
from agentruns.event_types import EventType
from agentruns.lifecycle import end_run, settle
from agentruns.model import Change, EvidenceSource, OnStartUnknown, Problem, RetryPolicy
from agentruns.ports import ActivityFilter
from agentruns.providers import LeenaAopAdapter
from agentruns.redriving import PRIOR_OUTPUT_CONTEXT_KEY, FailedFilter, Redrive
from agentruns.request_errors import IdempotencyKeyReused
from agentruns.starts import bind_start
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.transact import transact
from tests.fakes.clock import NOON
from tests.fakes.driver import Driver
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import ROLE, TENANT, World
from tests.unit.core.agents import FAILURE, Writer
from tests.unit.core.invariants import check_invariants

ANY_FAILED = FailedFilter()
REASON = Redrive(reason="the AOP is repaired")
FAILS = ((0.0, "in_progress"), (60.0, "failed"))
COMPLETES = ((0.0, "in_progress"), (60.0, "completed"))


def failed(world: World) -> str:
    """An activity whose AOP failed."""
    task = world.started()
    world.leena.on_read_status("failed")
    world.check_run(task)
    world.settle_run(task)
    assert ActivityStatus.FAILED is world.record(task.activity_id).activity.status
    return task.activity_id


def redrive(world: World, activity_id: str, told: Redrive = REASON, key: str | None = None) -> Any:
    return world.redrive_activity(TENANT, activity_id, told, key)


def test_a_failed_activity_is_started_once_more_and_done():
    world = World(leena=lambda clock: TimedLeenaApi(clock, FAILS, COMPLETES))
    driver = Driver(world)
    old = world.accept().activity_id
    driver.run()
    before = world.record(old)
    new = redrive(world, old).activity_id
    driver.run()
    assert 2 == len(world.leena.executes)
    after = world.record(old)
    assert (before.runs, ActivityStatus.FAILED) == (after.runs, after.activity.status)
    assert (before.activity.ended_at, before.activity.error) == (
        after.activity.ended_at,
        after.activity.error,
    )
    successor = world.record(new).activity
    assert ActivityStatus.DONE is successor.status
    assert (old, new) == (successor.redrive_of, after.activity.redriven_as)
    for activity_id in (old, new):
        check_invariants(world, activity_id)


def test_the_successor_has_the_settings_the_input_and_its_own_deadline(world):
    old = failed(world)
    world.clock.advance(3600)
    accepted = redrive(world, old)
    before, after = world.record(old).activity, world.record(accepted.activity_id)
    activity = after.activity
    for name in ("agent_role", "adapter", "retry", "on_start_unknown", "tags", "title"):
        assert getattr(before, name) == getattr(activity, name), name
    assert world.clock() + (before.deadline_at - before.created_at) == activity.deadline_at
    assert world.store.read_input(TENANT, old) == world.store.read_input(
        TENANT, accepted.activity_id
    )
    assert accepted.run_id == after.current_run.run_id
    assert (1, 1, None) == (activity.attempt, activity.generation, activity.execution_arn)
    assert f"{accepted.activity_id}-1" == world.executions.started[-1].name


def test_both_logs_tell_of_it(world):
    old = failed(world)
    new = redrive(world, old).activity_id
    told, opened = world.events(old)[-1], world.events(new)[0]
    assert EventType.ACTIVITY_REDRIVEN is told.type
    assert {"redriven_as": new, "reason": REASON.reason} == told.detail
    assert ("redrive", old, REASON.reason) == tuple(
        opened.detail[name] for name in ("trigger", "redrive_of", "reason")
    )


def test_message_and_context_replace_what_was_told(world):
    old = failed(world)
    told = Redrive(reason="r", message="again", context={"ticket": "INC2"})
    stored = world.store.read_input(TENANT, redrive(world, old, told).activity_id)
    assert ("again", {"ticket": "INC2"}) == (stored.message, stored.context)


def test_the_prior_output_goes_with_it(world):
    task = world.started()

    def fail_with_output(record):
        problem = Problem(code="upstream_aborted", message="half done")
        return end_run(
            record,
            record.current_run,
            RunStatus.ABORTED,
            EvidenceSource.HUMAN,
            NOON,
            problem=problem,
            output={"rows": 7},
        )

    transact(world.store, TENANT, task.activity_id, fail_with_output)
    transact(world.store, TENANT, task.activity_id, lambda record: settle(record, NOON))
    new = redrive(world, task.activity_id).activity_id
    context = world.store.read_input(TENANT, new).context
    assert {"ticket": "INC1", "agentruns_prior_output": {"rows": 7}} == context


def test_a_second_redrive_names_the_successor(world):
    old = failed(world)
    new = redrive(world, old).activity_id
    with pytest.raises(ActivityAlreadyRedriven, match=new):
        redrive(world, old)
    assert 2 == len(world.executions.started)


def test_the_same_key_gives_the_same_successor_and_another_body_is_refused(world):
    old = failed(world)
    first, repeated = redrive(world, old, key="k"), redrive(world, old, key="k")
    assert (first.activity_id, first.run_id, True) == (
        repeated.activity_id,
        repeated.run_id,
        repeated.repeated,
    )
    with pytest.raises(IdempotencyKeyReused):
        redrive(world, old, Redrive(reason="another"), key="k")


def test_a_repeat_is_the_same_body_for_a_later_version_with_a_field_more(world):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class LaterRedrive(Redrive):
        priority: str | None = None

    old = failed(world)
    first = redrive(world, old, key="k")
    assert (
        first.activity_id
        == redrive(world, old, LaterRedrive(reason=REASON.reason), "k").activity_id
    )


def test_of_two_at_once_one_wins():
    class Racing:
        """Redrives the activity by another hand between the reading and the writing."""

        def __init__(self, store):
            self.store, self.raced = store, False

        def __getattr__(self, name):
            return getattr(self.store, name)

        def create(self, activity, *rest):
            if activity.redrive_of and not self.raced:
                self.raced = True
                redrive(world, activity.redrive_of)
            self.store.create(activity, *rest)

    world = World(wrap=lambda name, port: Racing(port) if name == "activities" else port)
    old = failed(world)
    with pytest.raises(ActivityAlreadyRedriven):
        redrive(world, old)
    page = world.store.list_activities
    assert 2 == len(page(TENANT, ActivityFilter(), 10, None).items)


@pytest.mark.parametrize("policy", ["running", "cancelled", "done"])
def test_only_a_failed_one_is_redriven(world, policy):
    task = world.started()
    if policy == "cancelled":
        world.cancel_activity(TENANT, task.activity_id, "")
    if policy == "done":
        world.leena.on_read_status("completed")
        world.check_run(task)
        world.settle_run(task)
    with pytest.raises(ActivityNotRedrivable, match="only a failed one"):
        redrive(world, task.activity_id)


def test_a_blocked_one_is_resolved_instead(world):
    task = world.opened()
    world.leena.on_execute(StartUnknown("no answer"))
    world.execute_aop(task)
    world.settle_run(task)
    with pytest.raises(ActivityNotRedrivable, match=f"/v1/runs/{task.run_id}/resolve"):
        redrive(world, task.activity_id, Redrive(reason="r", not_started=True))


def test_an_unknown_start_takes_a_persons_word():
    world = World(on_start_unknown=OnStartUnknown.FAIL)
    task = world.opened()
    world.leena.on_execute(StartUnknown("no answer"))
    world.execute_aop(task)
    world.settle_run(task)
    with pytest.raises(ActivityNotRedrivable, match=task.run_id):
        redrive(world, task.activity_id)
    assert redrive(world, task.activity_id, Redrive(reason="r", not_started=True)).activity_id


def test_an_agents_failed_activity_is_redriven_since_it_said_itself_that_it_had_it():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.driver.at(10, lambda: writer.delivers(FAILURE))
    writer.driver.at(100, lambda: redrive(writer.world, activity_id))
    writer.driver.at(200, writer.delivers)
    writer.driver.run(seconds=300)
    successor = writer.world.record(activity_id).activity.redriven_as
    assert successor is not None
    assert ActivityStatus.DONE is writer.world.record(successor).activity.status


def test_a_disabled_or_deleted_agent_and_a_deleted_connection_are_refused(world):
    old = failed(world)
    world.put_agent(enabled=False)
    with pytest.raises(AgentDisabled):
        redrive(world, old)
    world.agents.delete(TENANT, ROLE)
    with pytest.raises(ActivityNotRedrivable, match="no agent"):
        redrive(world, old)
    world.put_agent()
    world.connections.delete(TENANT, "hr")
    with pytest.raises(ActivityNotRedrivable, match="no connection"):
        redrive(world, old)
    assert world.record(old).activity.redriven_as is None


def test_another_tenants_activity_is_not_found(world):
    old = failed(world)
    with pytest.raises(ActivityNotFound):
        world.redrive_activity("other", old, REASON, None)


def test_the_retries_that_a_person_granted_are_not_inherited(world):
    old = failed(world)

    def as_if_declared(record):
        problem = Problem(code="not_started", message="nothing")
        return Change(
            activity=replace(record.activity, retry=RetryPolicy(max_attempts=3)),
            runs=(replace(record.current_run, error=problem),),
        )

    transact(world.store, TENANT, old, as_if_declared)
    assert 2 == world.record(redrive(world, old).activity_id).activity.retry.max_attempts


def test_a_redriven_one_that_fails_again_is_redriven_as_a_chain():
    world = World(leena=lambda clock: TimedLeenaApi(clock, FAILS, FAILS, COMPLETES))
    driver = Driver(world)
    chain = [world.accept().activity_id]
    driver.run()
    for _ in range(2):
        chain.append(redrive(world, chain[-1]).activity_id)
        driver.run()
    activities = [world.record(activity_id).activity for activity_id in chain]
    assert [None, *chain[:-1]] == [activity.redrive_of for activity in activities]
    assert [*chain[1:], None] == [activity.redriven_as for activity in activities]
    assert ["failed", "failed", "done"] == [activity.status.value for activity in activities]
    with pytest.raises(ActivityNotRedrivable, match="only a failed one"):
        redrive(world, chain[-1])
    assert 3 == len(world.leena.executes)


def test_the_prior_output_survives_an_attempt_without_any(world):
    told = Redrive(reason="r", context={PRIOR_OUTPUT_CONTEXT_KEY: {"rows": 7}, "ticket": "INC2"})
    first = redrive(world, failed(world), told).activity_id
    task = started_again(world, first)
    world.leena.on_read_status("failed")
    world.check_run(task)
    world.settle_run(task)
    second = redrive(world, first).activity_id
    assert told.context == world.store.read_input(TENANT, second).context


def started_again(world: World, activity_id: str) -> Any:
    """The successor, whose execution has taken it and started its AOP."""
    task = world.task(activity_id)
    world.open_run(
        {
            "tenant": TENANT,
            "activity_id": activity_id,
            "generation": 1,
            "execution_arn": task.execution_arn,
        }
    )
    world.execute_aop(task)
    return task


def learned(world: World, *seconds: float) -> DurationHistory:
    """The agent's history from now on."""
    history = DurationHistory.of(seconds)
    stored = world.durations.read(TENANT, "it_support hr reset-vpn")
    world.durations.write(replace(stored, history=history), world.clock())
    return history


def test_the_successor_is_polled_by_what_the_agent_has_learned_meanwhile(world):
    before = learned(world, *[30.0] * 10)
    old = failed(world)
    assert before.buckets == world.record(old).activity.durations.buckets
    now = learned(world, *[900.0] * 10)
    new = redrive(world, old).activity_id
    assert NO_HISTORY == world.record(new).activity.durations
    started_again(world, new)
    assert now.buckets == world.record(new).activity.durations.buckets


def test_a_successor_whose_start_a_person_bound_goes_by_age_like_any_other(world):
    learned(world, *[30.0] * 10)
    new = redrive(world, failed(world)).activity_id
    world.leena.on_execute(StartUnknown("no answer"))
    task = started_again(world, new)
    world.settle_run(task)
    transact(
        world.store,
        TENANT,
        new,
        lambda record: bind_start(record, "item-9", EvidenceSource.HUMAN, NOON),
    )
    assert NO_HISTORY == world.record(new).activity.durations


def test_a_changed_agent_changes_nothing_for_its_failed_activities(world):
    old = failed(world)
    world.put_agent(
        adapter=LeenaAopAdapter(connection="hr", aop_id="another"),
        retry=RetryPolicy(max_attempts=9),
    )
    before, after = (
        world.record(activity_id).activity for activity_id in (old, redrive(world, old).activity_id)
    )
    assert (before.adapter, before.retry) == (after.adapter, after.retry)


def test_one_that_timed_out_is_redriven(world):
    task = world.started()
    world.clock.advance(40 * 86_400)
    world.check_run(task)
    world.settle_run(task)
    record = world.record(task.activity_id)
    assert (RunStatus.TIMEOUT, ActivityStatus.FAILED) == (
        record.current_run.status,
        record.activity.status,
    )
    assert redrive(world, task.activity_id).activity_id


def test_one_whose_unknown_start_ran_into_the_deadline_takes_a_persons_word(world):
    task = world.opened()
    world.leena.on_execute(StartUnknown("no answer"))
    world.execute_aop(task)
    world.settle_run(task)
    world.clock.advance(40 * 86_400)
    Driver(world).run()
    assert ActivityStatus.FAILED is world.record(task.activity_id).activity.status
    with pytest.raises(ActivityNotRedrivable, match="not_started"):
        redrive(world, task.activity_id)
    (item,) = world.redrive_activities(
        TENANT, ANY_FAILED, "r", limit=10, cursor=None, is_preview=False
    ).items
    assert "activity_not_redrivable" == item.skipped.code
    assert redrive(world, task.activity_id, Redrive(reason="r", not_started=True)).activity_id


class TestBulk:
    def bulk(self, world: World, wanted: FailedFilter = ANY_FAILED, **options: Any) -> Any:
        values: dict[str, Any] = {"limit": 10, "cursor": None, "is_preview": False}
        return world.redrive_activities(TENANT, wanted, "the outage is over", **(values | options))

    def test_a_preview_changes_nothing_and_says_what_would_be(self, world):
        old = failed(world)
        events = world.event_types(old)
        (item,) = self.bulk(world, is_preview=True).items
        assert (old, None, None) == (item.activity.activity_id, item.accepted, item.skipped)
        assert events == world.event_types(old)

    def test_a_repeat_skips_what_was_redriven(self, world):
        olds = {failed(world), failed(world)}
        first = self.bulk(world)
        assert olds == {item.activity.activity_id for item in first.items if item.accepted}
        again = self.bulk(world)
        assert ["activity_already_redriven"] * 2 == [item.skipped.code for item in again.items]

    def test_the_limit_bounds_it_and_the_cursor_goes_on(self, world):
        olds = {failed(world) for _ in range(5)}
        seen: list[str] = []
        cursor = None
        for _ in range(3):
            page = self.bulk(world, limit=2, cursor=cursor)
            assert len(page.items) <= 2
            seen += [item.activity.activity_id for item in page.items if item.accepted]
            cursor = page.next_cursor
        assert (None, olds, 5) == (cursor, set(seen), len(seen))

    def test_filters_by_error_and_time(self, world):
        old = failed(world)
        world.clock.advance(3600)
        new = failed(world)
        middle = world.record(new).activity.created_at - timedelta(minutes=30)

        def found(**wanted: Any) -> list[str]:
            page = self.bulk(world, FailedFilter(**wanted), is_preview=True)
            return [item.activity.activity_id for item in page.items]

        assert [new] == found(created_after=middle)
        assert [old] == found(created_before=middle)
        assert [] == found(error_code="deadline_passed")
        assert [new, old] == found(error_code="upstream_failed", agent_role=ROLE)
        assert [] == found(tag="other")
