"""`/agent/v1/runs/{runId}/actions` through the front door, as an agent calls them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER
from tests.unit.api.agent_driver import AgentApi
from tests.unit.core.asking import WRITE, Desk

REVIEW = {"title": "Look at it", "description": "a draft"}
APPROVAL = {"title": "Publish", "type": "channel_action"}
BLOCKER = {"blockerType": "insufficient_data", "description": "no data"}
SUBTASK = {"title": "Research", "agentRole": "editor", "prompt": "find out"}


class AgentDesk(Desk):
    """Its agent calls the API."""

    def call(self, action: str, body: Any, *, run_id: str = "") -> Any:
        path = f"/agent/v1/runs/{run_id or self.run_id}/actions/{action}"
        answer = AgentApi(self.world).call("POST", path, body)
        return answer.status, answer.json


@pytest.fixture
def desk():
    desk = AgentDesk()
    desk.world.put_agent(role="editor", adapter=WRITER_ADAPTER)
    signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
    desk.world.secrets.put(f"agentruns/test/agents/{TENANT}/editor", signing, "")
    desk.world.put_agent(role="sleeping", adapter=WRITER_ADAPTER, enabled=False)
    return desk


def test_a_blocker(desk):
    status, answer = desk.call("report-blocker", BLOCKER)
    expected = {"activityId": desk.activity_id, "status": "blocked", "humanTaskCreated": True}
    assert (200, expected) == (status, answer)
    assert [("blocker", desk.activity_id)] == desk.inbox()


def test_a_review(desk):
    status, answer = desk.call("request-review", REVIEW | {"contentRef": "ref-1"})
    (wait,) = desk.record.waits
    expected = {
        "approvalId": wait.wait_id,
        "activityId": desk.activity_id,
        "status": "awaiting_review",
    }
    assert (201, expected) == (status, answer)


@pytest.mark.parametrize(
    ("kind", "risk", "hours"),
    [
        ("content_review", "low", 72),
        ("content_direction", "low", 72),
        ("brand_direction", "medium", 48),
        ("strategy_change", "medium", 48),
        ("budget_authorization", "high", 24),
        ("channel_action", "high", 24),
    ],
)
def test_an_approval_has_its_risk_and_its_time(desk, kind, risk, hours):
    status, answer = desk.call("create-approval", APPROVAL | {"type": kind})
    (wait,) = desk.record.waits
    assert (201, wait.wait_id, kind, risk) == (
        status,
        answer["approvalId"],
        answer["type"],
        answer["riskLevel"],
    )
    assert hours * 3600 == (wait.expires_at - wait.opened_at).total_seconds()


def test_an_approval_that_does_not_block(desk):
    status, _ = desk.call("create-approval", APPROVAL | {"blockCurrentActivity": False})
    assert (201, "in_progress") == (status, desk.status)


def test_a_subtask(desk):
    status, answer = desk.call("create-subtask", SUBTASK | {"priority": "high"})
    (wait,) = desk.record.waits
    expected = {
        "subtaskActivityId": wait.subtask_activity_id,
        "blocking": True,
        "parentActivityId": desk.activity_id,
    }
    assert (201, expected) == (status, answer)


def test_reassigning(desk):
    status, answer = desk.call("reassign", {"toRole": "editor", "reason": "not mine"})
    assert (201, desk.activity_id, "reassigned") == (
        status,
        answer["originalActivityId"],
        desk.status,
    )
    assert answer["newActivityId"] == desk.record.activity.reassigned_as


def test_a_comment(desk):
    status, answer = desk.call("add-comment", {"text": "@human:ada look"})
    (comment,) = desk.world.store.list_comments(TENANT, desk.activity_id, "", 10)
    assert (201, {"commentId": comment.comment_id}) == (status, answer)


def test_a_comment_that_is_sent_again_is_the_first_one(desk):
    body = {"text": "@agent:editor look"}
    assert desk.call("add-comment", body) == desk.call("add-comment", body)
    assert 1 == len(desk.world.store.list_comments(TENANT, desk.activity_id, "", 10))


def test_an_agent_that_is_mentioned_is_told_of_it_and_reads_the_thread(desk):
    desk.call("add-comment", {"text": "first"})
    desk.world.clock.advance(1)
    _, answer = desk.call("add-comment", {"text": "@agent:editor look"})
    (comment,) = desk.world.store.list_newest_comments(TENANT, desk.activity_id, 1)
    (notification,) = comment.notified
    thread_id, desk.activity_id = desk.activity_id, str(notification.activity_id)
    desk.settle()
    desk.call("add-comment", {"text": "on it"})
    api = AgentApi(desk.world)
    context = api.call("GET", f"/agent/v1/runs/{desk.run_id}/context").json
    assert ("mention", ["on it"]) == (
        context["wakeReason"],
        [each["text"] for each in context["comments"]],
    )
    mentioned = context["mentionedIn"]
    assert (thread_id, answer["commentId"], "An article") == (
        mentioned["activityId"],
        mentioned["commentId"],
        mentioned["title"],
    )
    assert {
        "author": f"agent:{WRITER}",
        "type": "comment",
        "text": "first",
        "createdAt": "2026-01-02T12:00:00Z",
    } == mentioned["comments"][0]
    assert ["first", "@agent:editor look"] == [each["text"] for each in mentioned["comments"]]


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("add-comment", {"text": " ".join(f"@agent:a{n}" for n in range(6))}, "text"),
        ("report-blocker", {}, "blockerType"),
        ("report-blocker", BLOCKER | {"blockerType": "channel_auth_expired"}, "channelId"),
        ("report-blocker", BLOCKER | {"blockerType": "bored"}, "blockerType"),
        ("request-review", {"title": "x"}, "description"),
        ("request-review", REVIEW | {"description": "x" * 4001}, "description"),
        ("create-approval", {"title": "x"}, "type"),
        ("create-approval", APPROVAL | {"linkedActivityIds": ["act_x"]}, "linkedActivityIds.0"),
        ("create-subtask", SUBTASK | {"agentRole": "nobody"}, "agentRole"),
        ("create-subtask", SUBTASK | {"agentRole": "sleeping"}, "agentRole"),
        ("create-subtask", SUBTASK | {"priority": "urgent"}, "priority"),
        ("reassign", {"reason": "x"}, "toRole"),
        ("reassign", {"reason": "x", "toRole": "editor", "toUserId": "ada"}, "toRole"),
        ("reassign", {"toRole": "editor"}, "reason"),
        ("reassign", {"toRole": WRITER, "reason": "x"}, "toRole"),
        ("add-comment", {"text": ""}, "text"),
    ],
)
def test_what_is_wrong_is_422_by_field_and_nothing_happens(desk, action, body, field):
    before = len(desk.events)
    status, answer = desk.call(action, body)
    assert (422, "UNPROCESSABLE") == (status, answer["code"])
    assert field == answer["errors"][0]["field"]
    assert "agent_role:" not in answer["detail"]
    assert before == len(desk.events)


def test_a_subtask_of_a_subtask_is_422(desk):
    _, answer = desk.call("create-subtask", SUBTASK | {"agentRole": WRITER})
    desk.settle()
    desk.activity_id = answer["subtaskActivityId"]
    status, refused = desk.call("create-subtask", SUBTASK)
    assert (422, "UNPROCESSABLE") == (status, refused["code"])
    assert "depth" in refused["detail"]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("report-blocker", BLOCKER),
        ("create-subtask", SUBTASK),
        ("request-review", REVIEW),
        ("create-approval", APPROVAL),
        ("reassign", {"toRole": "editor", "reason": "x"}),
        ("add-comment", {"text": "hello"}),
    ],
)
def test_the_token_of_another_run_or_of_an_ended_one_opens_nothing(desk, action, body):
    other = desk.world.accept(WRITE)
    assert (401, "UNAUTHORIZED") == _code(desk.call(action, body, run_id=other.run_id))
    desk.result()
    desk.settle()
    before = len(desk.events)
    assert (401, "UNAUTHORIZED") == _code(desk.call(action, body))
    assert before == len(desk.events)


def _code(answered: Any) -> tuple[int, str]:
    status, answer = answered
    return status, answer["code"]
