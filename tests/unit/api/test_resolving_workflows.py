"""Saying what became of a workflow whose start nobody knows the outcome of."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.errors import StartUnknown, UpstreamUnavailable
from agentruns.providers import LeapDialect
from agentruns.refusals import ApiKeyRejected
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.driver import Driver
from tests.fakes.leap import a_workflow_run
from tests.fakes.world import TENANT, World
from tests.unit.api.driver import Answer, Api
from tests.unit.core.hooked import a_body, hook_of, leap_world
from tests.unit.core.invariants import check_invariants


class Blocked:
    """A workflow's activity that waits for a person, and the API over it."""

    def __init__(self, dialect: LeapDialect) -> None:
        self.world = leap_world(dialect)
        self.world.leap.on_start(StartUnknown("no trustworthy answer"))
        accepted = self.world.accept()
        self.activity_id, self.run_id = accepted.activity_id, accepted.run_id
        self.driver = Driver(self.world)
        self.driver.run(seconds=60)
        assert ActivityStatus.BLOCKED == self.record.activity.status
        self.api = over(self.world)
        self.key = self.api.key("operate", tenant=TENANT)

    @property
    def record(self) -> Any:
        return self.world.record(self.activity_id)

    def resolve(self, **body: Any) -> Answer:
        return self.api.call("POST", f"/v1/runs/{self.run_id}/resolve", body, key=self.key)

    def bind(self, workflow_run_id: str) -> Answer:
        return self.resolve(bind={"workflow_run_id": workflow_run_id})


def over(world: World) -> Api:
    return Api(
        clock=world.clock,
        activities=world.store,
        agents=world.agents,
        connections=world.connections,
        secrets=world.secrets,
        executions=world.executions,
        leap=world.leap,
    )


@pytest.mark.parametrize("dialect", list(LeapDialect))
def test_the_found_run_is_followed_to_its_end(dialect):
    blocked = Blocked(dialect)

    answer = blocked.bind("rnp_1")

    assert (200, "in_progress") == (answer.status, answer.json["status"])
    assert ("rnp_1", None) == (
        answer.json["run"]["workflow_run_id"],
        answer.json["run"]["aop_item_id"],
    )
    assert blocked.bind("rnp_1").json == answer.json
    body = a_body(blocked.world.leap.ends("rnp_1", output=[1]))
    hook = hook_of(blocked.world, blocked.run_id)
    blocked.driver.at(300, lambda: blocked.world.accept_hook(hook, body))
    blocked.driver.run()
    record = blocked.record
    assert (ActivityStatus.DONE, [1]) == (record.activity.status, record.current_run.output)
    assert 1 == len(blocked.world.leap.calls_of("start"))
    check_invariants(blocked.world, blocked.activity_id)


def test_where_the_webhook_is_lost_a_look_at_the_bound_run_makes_up_for_it():
    blocked = Blocked(LeapDialect.RUNS)
    blocked.bind("rnp_1")
    blocked.world.leap.ends("rnp_1", output="done")

    blocked.driver.run()

    assert ActivityStatus.DONE == blocked.record.activity.status
    check_invariants(blocked.world, blocked.activity_id)


@pytest.mark.parametrize("dialect", list(LeapDialect))
def test_an_item_of_leena_is_refused_with_the_field_to_give(dialect):
    blocked = Blocked(dialect)

    answer = blocked.resolve(bind={"aop_item_id": "69e90f247276b2fa8f2766e0"})

    assert (422, ["bind.aop_item_id"]) == (answer.status, answer.fields)
    assert "give bind.workflow_run_id" in answer.json["detail"]
    assert RunStatus.START_UNKNOWN == blocked.record.current_run.status


@pytest.mark.parametrize(("found", "why"), [("rnp_9", "no such run"), ("rnp_2", "another")])
def test_a_run_that_cannot_be_the_one_is_not_bound(found, why):
    blocked = Blocked(LeapDialect.RUNS)
    blocked.world.leap.runs["rnp_2"] = a_workflow_run("rnp_2", workflow_id="wkf_2")

    answer = blocked.bind(found)

    assert (422, ["bind.workflow_run_id"]) == (answer.status, answer.fields)
    assert why in answer.json["detail"]
    assert RunStatus.START_UNKNOWN == blocked.record.current_run.status


@pytest.mark.parametrize(
    ("error", "status"),
    [(UpstreamUnavailable("down"), 503), (ApiKeyRejected("flows", 401, "no"), 502)],
)
def test_where_leap_cannot_be_asked_nothing_is_bound_yet(error, status):
    blocked = Blocked(LeapDialect.RUNS)
    blocked.world.leap.on_read_run(error)

    assert status == blocked.bind("rnp_1").status
    assert RunStatus.START_UNKNOWN == blocked.record.current_run.status
    assert 200 == blocked.bind("rnp_1").status


def test_where_the_dialect_has_no_read_nobody_is_asked():
    blocked = Blocked(LeapDialect.WORKFLOWS)

    assert 200 == blocked.bind("rnp_1").status
    assert [] == blocked.world.leap.calls_of("read_run")


def test_not_started_opens_the_next_run():
    blocked = Blocked(LeapDialect.RUNS)

    answer = blocked.resolve(not_started=True)

    assert (200, f"{blocked.run_id[:-1]}2") == (answer.status, answer.json["run"]["run_id"])


def test_a_run_whose_start_is_known_is_not_asked_for():
    blocked = Blocked(LeapDialect.RUNS)
    blocked.bind("rnp_1")
    asked = len(blocked.world.leap.calls_of("read_run"))

    assert 409 == blocked.bind("rnp_9").status
    assert asked == len(blocked.world.leap.calls_of("read_run"))


def test_another_tenants_run_is_not_found():
    blocked = Blocked(LeapDialect.RUNS)
    other = blocked.api.key("operate", tenant="other")
    path, body = f"/v1/runs/{blocked.run_id}/resolve", {"bind": {"workflow_run_id": "rnp_1"}}

    assert 404 == blocked.api.call("POST", path, body, key=other).status
