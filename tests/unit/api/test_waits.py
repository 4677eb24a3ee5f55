"""`/v1/inbox`, `/v1/approvals`, `/v1/human-tasks` and comments through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.actions import (
    ApprovalWanted,
    Asked,
    Blocker,
    CreateApproval,
    ReportBlocker,
    RequestReview,
    ReviewWanted,
)
from agentruns.linking import LinkActivities
from agentruns.wait import ApprovalType, BlockerType
from agentruns.waking import TransactAndWake
from tests.unit.api.driver import Api

TENANT = "default"


class Asking:
    """What runs ask for, over the API's ports."""

    def __init__(self, api: Api) -> None:
        self.api = api
        clocked: dict[str, Any] = {"activities": api.activities, "clock": api.clock}
        waking = TransactAndWake(activities=api.activities, wake_execution=api.wake_execution)
        linking = LinkActivities(outputs=lambda: api.outputs, transact_and_wake=waking, **clocked)
        self.request_review = RequestReview(**clocked)
        self.report_blocker = ReportBlocker(**clocked)
        self.create_approval = CreateApproval(link_activities=linking, **clocked)

    def review(self, title: str = "Look at it") -> Asked:
        run_id = str(self.api.started()["run_id"])
        return self.request_review(TENANT, run_id, ReviewWanted(title=title, description="d"))

    def approval(self, **fields: Any) -> Asked:
        run_id = str(self.api.started()["run_id"])
        wanted = ApprovalWanted(title="Go", approval_type=ApprovalType.STRATEGY_CHANGE, **fields)
        return self.create_approval(TENANT, run_id, wanted)

    def blocker(self) -> Asked:
        run_id = str(self.api.started()["run_id"])
        blocker = Blocker(blocker_type=BlockerType.NEEDS_HUMAN_INPUT, description="which one?")
        return self.report_blocker(TENANT, run_id, blocker)


@pytest.fixture
def asking(ready: Api) -> Asking:
    return Asking(ready)


class TestInbox:
    def test_what_waits_is_listed_oldest_first_with_its_age_and_expiry(self, ready, asking):
        blocker = asking.blocker()
        ready.clock.advance(60)
        review = asking.review()
        ready.clock.advance(30)
        answer = ready.call("GET", "/v1/inbox")
        assert 200 == answer.status
        first, second = answer.json["items"]
        assert (blocker.wait.wait_id, "blocker", 90) == (
            first["id"],
            first["kind"],
            first["age_seconds"],
        )
        assert (review.wait.wait_id, "review", "Look at it", "it_support") == (
            second["id"],
            second["kind"],
            second["title"],
            second["agent_role"],
        )
        assert second["expires_at"] == second["wait"]["expires_at"] is not None

    def test_it_is_paged(self, ready, asking):
        for _ in range(3):
            asking.review()
            ready.clock.advance(1)
        page = ready.call("GET", "/v1/inbox", query={"limit": "2"}).json
        rest = ready.call("GET", "/v1/inbox", query={"cursor": page["next_cursor"]}).json
        assert ([2, 1], None) == (
            [len(page["items"]), len(rest["items"])],
            rest["next_cursor"],
        )

    def test_another_tenants_is_not_in_it(self, ready, asking):
        asking.review()
        key = ready.key("read", tenant="other")
        assert [] == ready.call("GET", "/v1/inbox", key=key).json["items"]

    def test_an_activity_shows_what_it_waits_for(self, ready, asking):
        asked = asking.review()
        answer = ready.call("GET", f"/v1/activities/{asked.wait.activity_id}")
        (wait,) = answer.json["waits"]
        assert (asked.wait.wait_id, None) == (wait["wait_id"], wait["decision"])


class TestDecisions:
    def test_a_decision_is_answered_with_the_wait(self, ready, asking):
        asked = asking.approval(options=("a", "b"))
        path = f"/v1/approvals/{asked.wait.wait_id}/decision"
        body = {"decision": "approved", "option": "b", "note": "go"}
        answer = ready.call("POST", path, body)
        assert 200 == answer.status
        wait = answer.json["wait"]
        assert ("approved", "b", "go", "operator:bootstrap") == (
            wait["decision"],
            wait["option"],
            wait["note"],
            wait["decided_by"],
        )
        assert answer.json == ready.call("POST", path, body).json
        other = ready.call("POST", path, {"decision": "rejected", "note": "no"})
        assert (409, "already_answered") == (other.status, _code(other))

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"decision": "rejected"}, "note"),
            ({"decision": "changes_requested", "note": " "}, "note"),
            ({"decision": "maybe"}, "decision"),
            ({"decision": "approved", "option": "c"}, "option"),
            ({"decision": "approved", "note": "x" * 4001}, "note"),
            ({}, "decision"),
        ],
    )
    def test_what_is_wrong_is_named(self, ready, asking, body, field):
        asked = asking.approval(options=("a", "b"))
        answer = ready.call("POST", f"/v1/approvals/{asked.wait.wait_id}/decision", body)
        assert (422, [field]) == (answer.status, answer.fields)

    def test_too_late_is_409(self, ready, asking):
        asked = asking.approval()
        ready.clock.advance(48 * 3600)
        path = f"/v1/approvals/{asked.wait.wait_id}/decision"
        answer = ready.call("POST", path, {"decision": "approved"})
        assert (409, "answer_too_late") == (answer.status, _code(answer))

    def test_a_blocker_is_resolved_and_not_decided(self, ready, asking):
        asked = asking.blocker()
        decided = ready.call(
            "POST", f"/v1/approvals/{asked.wait.wait_id}/decision", {"decision": "approved"}
        )
        assert (404, "approval_not_found") == (decided.status, _code(decided))
        path = f"/v1/human-tasks/{asked.wait.wait_id}/resolve"
        answer = ready.call("POST", path, {"note": "the second"})
        assert (200, "resolved", "queued") == (
            answer.status,
            answer.json["wait"]["decision"],
            answer.json["status"],
        )
        assert 200 == ready.call("POST", path).status

    @pytest.mark.parametrize("tenant", ["default", "other"])
    def test_foreign_and_missing_are_not_found_alike(self, ready, asking, tenant):
        asked = asking.review()
        wait_id = asked.wait.wait_id if tenant == "other" else asked.wait.wait_id[:-1] + "9"
        key = ready.key("operate", tenant=tenant)
        body = {"decision": "approved"}
        answer = ready.call("POST", f"/v1/approvals/{wait_id}/decision", body, key=key)
        assert (404, "approval_not_found") == (answer.status, _code(answer))

    def test_reading_is_not_deciding(self, ready, asking):
        asked = asking.review()
        key = ready.key("read")
        for path, body in (
            (f"/v1/approvals/{asked.wait.wait_id}/decision", {"decision": "approved"}),
            (f"/v1/human-tasks/{asked.wait.wait_id}/resolve", {}),
            (f"/v1/activities/{asked.wait.activity_id}/comments", {"text": "x"}),
        ):
            assert 403 == ready.call("POST", path, body, key=key).status


class TestComments:
    def test_they_are_written_and_read_page_by_page(self, ready):
        path = f"/v1/activities/{ready.started()['activity_id']}/comments"
        for text in ("first", "@agent:it_support second", "third"):
            answer = ready.call("POST", path, {"text": text})
            assert (201, "operator:bootstrap") == (answer.status, answer.json["author"])
            ready.clock.advance(1)
        page = ready.call("GET", path, query={"limit": "2"}).json
        rest = ready.call("GET", path, query={"after": page["next_after"]}).json
        assert ["first", "@agent:it_support second"] == [each["text"] for each in page["items"]]
        assert ["it_support"] == page["items"][1]["mentioned_agents"]
        assert (["third"], None) == ([each["text"] for each in rest["items"]], rest["next_after"])

    def test_the_answer_says_who_was_notified_and_who_was_not(self, ready):
        activity_id = ready.started()["activity_id"]
        text = "@agent:it-support and @agent:nobody"
        answer = ready.call("POST", f"/v1/activities/{activity_id}/comments", {"text": text})
        (notified,) = answer.json["notified"]
        assert "it_support" == notified["agent_role"]
        silent = {"agent_role": "nobody", "reason": "unknown_agent"}
        assert [silent] == answer.json["not_notified"]
        shown = ready.call("GET", f"/v1/activities/{notified['activity_id']}").json
        comment_id = answer.json["comment_id"]
        assert {"activity_id": activity_id, "comment_id": comment_id} == shown["mentioned_in"]
        assert ("mention", "mention", "queued") == (
            shown["trigger"],
            shown["runs"][0]["wake_reason"],
            shown["status"],
        )

    def test_a_key_makes_a_repeat_the_first_one(self, ready):
        path = f"/v1/activities/{ready.started()['activity_id']}/comments"
        key = {"Idempotency-Key": "k1"}
        first = ready.call("POST", path, {"text": "x"}, headers=key)
        again = ready.call("POST", path, {"text": "x"}, headers=key)
        assert (201, first.json, "true") == (
            again.status,
            again.json,
            again.headers["Idempotent-Replayed"],
        )
        assert "Idempotent-Replayed" not in first.headers
        other = ready.call("POST", path, {"text": "y"}, headers=key)
        assert (422, "idempotency_key_reused") == (other.status, _code(other))

    def test_too_many_mentions_are_refused(self, ready):
        path = f"/v1/activities/{ready.started()['activity_id']}/comments"
        text = " ".join(f"@agent:a{number}" for number in range(6))
        answer = ready.call("POST", path, {"text": text})
        assert (422, ["text"]) == (answer.status, answer.fields)
        assert "at most 5" in answer.json["detail"]

    @pytest.mark.parametrize("activity_id", ["act_x", "act_01ARZ3NDEKTSV4RRFFQ69G5FAV"])
    def test_an_unknown_activity_has_none(self, ready, activity_id):
        path = f"/v1/activities/{activity_id}/comments"
        assert 404 == ready.call("GET", path).status
        assert 404 == ready.call("POST", path, {"text": "x"}).status


def test_an_agent_says_what_an_expired_approval_does(ready):
    body = {
        "adapter": {"type": "leena_aop", "connection": "acme", "aop_id": "x"},
        "on_approval_expired": "escalate",
    }
    answer = ready.call("PUT", "/v1/agents/editor", body)
    assert "escalate" == answer.json["on_approval_expired"]
    body["on_approval_expired"] = "forget"
    assert 422 == ready.call("PUT", "/v1/agents/editor", body).status


def _code(answer: Any) -> str:
    return str(answer.json["type"].rpartition(":")[2])
