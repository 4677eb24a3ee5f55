"""`agentruns inbox`, `approve`, `reject`, `resolve` of a task, `comment`: sent and printed."""

from typing import Any

import pytest

from tests.unit.cli.operator_api import (
    ACTIVITY_ID,
    RUN_ID,
    ULID,
    a_problem,
    a_run,
    an_activity,
)

WAIT_ID = f"wait_{ULID}_1"
DECISION_PATH = f"/v1/approvals/{WAIT_ID}/decision"
TASK_PATH = f"/v1/human-tasks/{WAIT_ID}/resolve"
COMMENTS_PATH = f"/v1/activities/{ACTIVITY_ID}/comments"


def a_wait(kind: str = "review", **changes: Any) -> dict[str, Any]:
    wait = {
        "wait_id": WAIT_ID,
        "kind": kind,
        "run_id": RUN_ID,
        "is_blocking": True,
        "requested_by": "agent:copywriter",
        "title": "Look at it",
        "description": "a draft",
        "blocker_type": None,
        "resolution": None,
        "approval_type": None,
        "options": [],
        "opened_at": "2026-11-22T01:01:00Z",
        "expires_at": "2026-11-25T01:01:00Z",
        "decision": None,
        "note": None,
        "decided_by": None,
    }
    return wait | changes


def an_item(**changes: Any) -> dict[str, Any]:
    item = {
        "id": WAIT_ID,
        "kind": "review",
        "activity_id": ACTIVITY_ID,
        "agent_role": "copywriter",
        "title": "Look at it",
        "priority": "normal",
        "status": "awaiting_review",
        "since": "2026-11-22T01:01:00Z",
        "age_seconds": 120,
        "expires_at": "2026-11-25T01:01:00Z",
        "wait": a_wait(),
    }
    return item | changes


def answered(decision: str) -> dict[str, Any]:
    wait = a_wait(decision=decision)
    return {"activity_id": ACTIVITY_ID, "status": "in_progress", "wait": wait}


class TestInbox:
    def test_it_is_a_table_with_age_and_expiry(self, cli, api):
        api.answers("GET", "/v1/inbox", {"items": [an_item()], "next_cursor": "more"})
        outcome = cli.run("inbox", "--limit", "1")
        head, row = outcome.stdout.splitlines()
        assert head.split() == ["ID", "KIND", "AGE", "EXPIRES", "AGENT", "TITLE"]
        assert row.split() == [
            *(WAIT_ID, "review", "2m", "00s", "in", "2d", "23h"),
            *("copywriter", "Look", "at", "it"),
        ]
        assert outcome.stderr == "There are more: add --cursor more\n"
        assert "limit=1" in api.requests[-1].url

    def test_empty_json_and_quiet(self, cli, api):
        empty: dict[str, Any] = {"items": [], "next_cursor": None}
        one = {"items": [an_item()], "next_cursor": None}
        api.answers("GET", "/v1/inbox", empty, one, one)
        assert cli.run("inbox").stderr == "Nothing waits for a person.\n"
        assert cli.run("inbox", "--json").document == one
        assert cli.run("inbox", "-q").stdout == f"{WAIT_ID}\n"


class TestDecisions:
    @pytest.mark.parametrize(
        ("arguments", "body"),
        [
            (("approve",), {"decision": "approved"}),
            (
                ("approve", "--option", "b", "--note", "go"),
                {"decision": "approved", "option": "b", "note": "go"},
            ),
            (("reject", "-n", "no"), {"decision": "rejected", "note": "no"}),
            (
                ("reject", "--changes", "-n", "shorter"),
                {"decision": "changes_requested", "note": "shorter"},
            ),
        ],
    )
    def test_what_is_sent(self, cli, api, arguments, body):
        api.answers("POST", DECISION_PATH, answered(body["decision"]))
        command, *options = arguments
        outcome = cli.run(command, WAIT_ID, *options)
        assert outcome.exit_code == 0
        assert api.last_body == body
        assert outcome.stdout == f"{ACTIVITY_ID}  in_progress  {WAIT_ID}  {body['decision']}\n"
        assert outcome.stderr == f"Follow it: agentruns watch {ACTIVITY_ID}\n"

    def test_json_and_quiet(self, cli, api):
        api.answers("POST", DECISION_PATH, answered("approved"))
        assert cli.run("approve", WAIT_ID, "--json").document == answered("approved")
        assert cli.run("approve", WAIT_ID, "-q").text == f"{ACTIVITY_ID}\n"

    def test_a_rejection_says_why(self, cli, api):
        outcome = cli.run("reject", WAIT_ID)
        assert (outcome.exit_code, api.requests) == (2, [])
        assert "--note is missing" in outcome.stderr

    def test_what_is_not_there_leads_to_the_inbox(self, cli, api):
        api.refuses("POST", DECISION_PATH, a_problem(404, "Approval not found"))
        outcome = cli.run("approve", WAIT_ID)
        assert outcome.exit_code == 5
        assert "agentruns inbox" in outcome.stderr


class TestResolvingATask:
    def test_a_waits_id_means_a_task(self, cli, api):
        api.answers("POST", TASK_PATH, answered("resolved"))
        outcome = cli.run("resolve", WAIT_ID, "--note", "renewed")
        assert api.last_body == {"note": "renewed"}
        assert outcome.stdout == f"{ACTIVITY_ID}  in_progress  {WAIT_ID}  resolved\n"
        cli.run("resolve", WAIT_ID)
        assert api.last_body == {}

    @pytest.mark.parametrize(
        "arguments",
        [
            (WAIT_ID, "--not-started"),
            (WAIT_ID, "--item", "x"),
            (RUN_ID, "--not-started", "--note", "x"),
        ],
    )
    def test_a_run_and_a_task_are_not_mixed_up(self, cli, api, arguments):
        assert cli.run("resolve", *arguments).exit_code == 2
        assert api.requests == []


class TestComments:
    def test_one_is_written(self, cli, api):
        api.answers("POST", COMMENTS_PATH, {"comment_id": "cmt_1"}, status=201)
        outcome = cli.run("comment", RUN_ID, "nearly there")
        assert api.last_body == {"text": "nearly there"}
        assert outcome.stdout == "cmt_1\n"
        assert cli.run("comment", ACTIVITY_ID, "x", "--json").document == {"comment_id": "cmt_1"}

    def test_it_says_who_was_notified_and_who_was_not(self, cli, api):
        answer = {
            "comment_id": "cmt_1",
            "notified": [{"agent_role": "editor", "activity_id": "act_2"}],
            "not_notified": [{"agent_role": "sleeper", "reason": "agent_disabled"}],
        }
        api.answers("POST", COMMENTS_PATH, answer, status=201)
        outcome = cli.run("comment", ACTIVITY_ID, "@agent:editor @agent:sleeper")
        assert outcome.stdout == "cmt_1\n"
        assert outcome.stderr.splitlines() == [
            "Notified: editor  act_2",
            "Not notified: sleeper (agent disabled)",
        ]
        assert api.requests[-1].headers["Idempotency-Key"]

    def test_the_thread_is_read_to_its_end(self, cli, api):
        first, second = (
            {
                "comment_id": f"cmt_{number}",
                "author": "operator:k1",
                "text": f"text {number}",
                "created_at": "2026-11-22T01:00:00Z",
            }
            for number in (1, 2)
        )
        api.answers(
            "GET",
            COMMENTS_PATH,
            {"items": [first], "next_after": "cmt_1"},
            {"items": [second], "next_after": None},
        )
        outcome = cli.run("comment", ACTIVITY_ID)
        assert [line.split("  ")[1:] for line in outcome.stdout.splitlines()] == [
            ["operator:k1", "text 1"],
            ["operator:k1", "text 2"],
        ]

    def test_an_empty_one_says_how_to_begin_it(self, cli, api):
        empty: dict[str, Any] = {"items": [], "next_after": None}
        api.answers("GET", COMMENTS_PATH, empty)
        assert "agentruns comment" in cli.run("comment", ACTIVITY_ID).stderr
        assert cli.run("comment", ACTIVITY_ID, "--json").document == {"items": []}
        assert cli.run("comment", ACTIVITY_ID, "-q").stdout == ""


class TestShow:
    def test_a_notification_says_where_it_comes_from(self, cli, api):
        mention = {"activity_id": "act_2", "comment_id": "cmt_1"}
        api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", an_activity(mentioned_in=mention))
        api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})
        assert "act_2 cmt_1" in cli.run("show", ACTIVITY_ID).stdout

    def shown(self, cli, api, **wait: Any) -> Any:
        runs = [a_run("completed"), a_run("pending", attempt=2, wake_reason="rejection")]
        activity = an_activity("awaiting_review", runs=runs, waits=[a_wait(**wait)])
        api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", activity)
        api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})
        return cli.run("show", ACTIVITY_ID)

    def test_a_waits_id_means_its_activity(self, cli, api):
        self.shown(cli, api)
        assert cli.run("show", WAIT_ID).stdout.startswith(ACTIVITY_ID)
        assert cli.run("show", "wait_x").exit_code == 2

    def test_what_it_waits_for_is_shown_with_what_to_do(self, cli, api):
        outcome = self.shown(cli, api, options=["a", "b"])
        assert "It waits for a decision: Look at it (options: a, b)\n" in outcome.stderr
        assert f"agentruns approve {WAIT_ID} --option OPTION\n" in outcome.stderr
        assert f"review  {WAIT_ID}  open" in outcome.stdout
        assert "a, b" in outcome.stdout
        assert "opened for        rejection" in outcome.stdout
        assert f"agentruns approve {WAIT_ID}" in outcome.stderr
        assert f"agentruns reject {WAIT_ID} --note WHY" in outcome.stderr

    def test_an_answered_one_shows_the_answer(self, cli, api):
        outcome = self.shown(cli, api, decision="rejected", note="no", decided_by="operator:k1")
        assert f"review  {WAIT_ID}  rejected" in outcome.stdout
        assert "operator:k1" in outcome.stdout
        assert "approve" not in outcome.stderr

    def test_a_blocker_is_resolved(self, cli, api):
        outcome = self.shown(cli, api, kind="blocker", blocker_type="api_unavailable")
        assert f"agentruns resolve {WAIT_ID} --note" in outcome.stderr
