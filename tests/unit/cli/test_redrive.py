"""`agentruns redrive`: one by its id, many by filter with a preview; what is asked and refused."""

from typing import Any

import pytest
import requests

from tests.unit.cli.operator_api import ACTIVITY_ID, RUN_ID, a_problem, an_activity

PATH = f"/v1/activities/{ACTIVITY_ID}/redrive"
BULK_PATH = "/v1/activities/redrive"
NEW_ID = "act_01JDBBBBBBBBBBBBBBBBBBBBBB"
NEW_RUN_ID = "run_01JDBBBBBBBBBBBBBBBBBBBBBB_1"
OTHER_ID = "act_01JDCCCCCCCCCCCCCCCCCCCCCC"
WHY = ("--reason", "the outage is over")
ACCEPTED = {
    "activity_id": NEW_ID,
    "run_id": NEW_RUN_ID,
    "status": "queued",
    "links": {"self": f"/v1/activities/{NEW_ID}"},
    "redrive_of": ACTIVITY_ID,
}


def considered(outcome: str, **changes: Any) -> dict[str, Any]:
    item = {
        "activity_id": ACTIVITY_ID,
        "agent_role": "it_support",
        "title": "Reset the VPN",
        "created_at": "2026-11-22T01:00:00Z",
        "error": {"code": "upstream_failed", "message": "it failed"},
        "outcome": outcome,
        "redriven_as": NEW_ID if outcome == "redriven" else None,
        "skipped": None,
    }
    return item | changes


SKIPPED = considered(
    "skipped",
    activity_id=OTHER_ID,
    skipped={"code": "agent_disabled", "message": "agent 'hr' is disabled"},
)


def a_page(*items: dict[str, Any], dry_run: bool, next_cursor: str | None = None) -> dict[str, Any]:
    return {"dry_run": dry_run, "items": list(items), "next_cursor": next_cursor}


PREVIEW = a_page(considered("would_redrive"), SKIPPED, dry_run=True)
DONE = a_page(considered("redriven"), SKIPPED, dry_run=False)


class TestOne:
    def test_its_successor_is_named_and_how_to_follow_it(self, cli, api):
        api.answers("POST", PATH, ACCEPTED, status=202)

        outcome = cli.run("redrive", ACTIVITY_ID, *WHY)

        assert outcome.exit_code == 0, outcome.stderr
        assert api.last_body == {"reason": "the outage is over"}
        assert outcome.stdout == f"{NEW_ID}  queued  {NEW_RUN_ID}\n"
        assert outcome.stderr == f"Follow it: agentruns watch {NEW_ID}\n"

    def test_a_run_id_means_its_activity(self, cli, api):
        api.answers("POST", PATH, ACCEPTED, status=202)

        assert cli.run("redrive", RUN_ID, *WHY).exit_code == 0

    def test_what_the_agent_is_told_instead_and_a_persons_word_are_sent(self, cli, api):
        api.answers("POST", PATH, ACCEPTED, status=202)

        cli.run("redrive", ACTIVITY_ID, *WHY, "-m", "again", "-c", "n:=1", "--not-started")

        assert api.last_body == {
            "reason": "the outage is over",
            "message": "again",
            "context": {"n": 1},
            "not_started": True,
        }

    def test_json_is_the_answer_of_the_api_and_quiet_the_successors_id(self, cli, api):
        api.answers("POST", PATH, ACCEPTED, status=202)

        assert cli.run("redrive", ACTIVITY_ID, *WHY, "--json").document == ACCEPTED
        assert cli.run("redrive", ACTIVITY_ID, *WHY, "-q").text == f"{NEW_ID}\n"

    def test_watch_follows_the_successor_to_its_end(self, cli, api):
        done = an_activity("done", "completed", activity_id=NEW_ID, redrive_of=ACTIVITY_ID)
        api.answers("POST", PATH, ACCEPTED, status=202)
        api.answers("GET", f"/v1/activities/{NEW_ID}", done)

        told = cli.run("redrive", ACTIVITY_ID, *WHY, "--watch")
        streamed = cli.run("redrive", ACTIVITY_ID, *WHY, "--watch", "--json")
        quiet = cli.run("redrive", ACTIVITY_ID, *WHY, "-w", "-q")

        assert (told.exit_code, streamed.documents) == (0, [done])
        assert f"Redriven as {NEW_ID}." in told.stderr
        assert quiet.text == f"{NEW_ID}\n"

    def test_watch_ends_with_the_successors_exit_code(self, cli, api):
        api.answers("POST", PATH, ACCEPTED, status=202)
        api.answers("GET", f"/v1/activities/{NEW_ID}", an_activity("failed", "failed"))

        assert cli.run("redrive", ACTIVITY_ID, *WHY, "--watch").exit_code == 1

    def test_a_repetition_of_its_own_carries_the_same_key(self, cli, api):
        api.fails("POST", PATH, requests.ConnectionError())
        api.answers("POST", PATH, ACCEPTED, status=202)

        assert cli.run("redrive", ACTIVITY_ID, *WHY).exit_code == 0
        first, second = (request.headers["Idempotency-Key"] for request in api.requests)
        assert first == second

    def test_where_the_outcome_is_not_known_the_key_to_repeat_it_with_is_named(self, cli, api):
        api.fails("POST", PATH, requests.ConnectionError())

        outcome = cli.run("redrive", ACTIVITY_ID, *WHY, "--idempotency-key", "mine")

        assert outcome.exit_code == 8
        assert "Repeat the command with --idempotency-key mine" in outcome.stderr

    @pytest.mark.parametrize(
        ("status", "title", "exit_code"),
        [
            (409, "Activity not redrivable", 6),
            (404, "Activity not found", 5),
            (422, "Idempotency key reused", 2),
            (403, "Scope denied", 4),
        ],
    )
    def test_a_refusal_has_its_exit_code(self, cli, api, status, title, exit_code):
        api.refuses("POST", PATH, a_problem(status, title, "because"))

        outcome = cli.run("redrive", ACTIVITY_ID, *WHY)

        assert outcome.exit_code == exit_code
        assert f"error: {title} (HTTP {status})\n  because\n" in outcome.stderr
        assert len(api.requests) == 1
        if status == 409:
            assert f"agentruns show {ACTIVITY_ID}" in outcome.stderr


class TestMany:
    @pytest.fixture(autouse=True)
    def person(self, cli):
        cli.terminal.reads = True

    def test_a_dry_run_shows_what_would_be_and_sends_no_more(self, cli, api):
        api.answers("POST", BULK_PATH, PREVIEW)

        outcome = cli.run(
            *("redrive", *WHY, "--agent", "it_support", "--tag", "vpn"),
            *("--error", "upstream_failed", "--created-after", "2026-11-22T02:00Z"),
            *("--created-before", "2026-11-23", "--limit", "7", "--cursor", "c1", "--dry-run"),
        )

        assert outcome.exit_code == 0, outcome.stderr
        assert api.bodies("POST") == [
            {
                "filter": {
                    "agent_role": "it_support",
                    "tag": "vpn",
                    "error_code": "upstream_failed",
                    "created_after": "2026-11-22T02:00:00+00:00",
                    "created_before": "2026-11-23T00:00:00+00:00",
                },
                "reason": "the outage is over",
                "limit": 7,
                "cursor": "c1",
                "dry_run": True,
            }
        ]
        head, first, second = outcome.stdout.splitlines()
        assert head.split() == ["ACTIVITY", "CREATED", "AGENT", "ERROR", "OUTCOME"]
        assert first.split("  ") == [
            ACTIVITY_ID, "2026-11-22T01:00:00Z", "it_support", "upstream_failed", "would redrive",
        ]  # fmt: skip
        assert second.endswith("skipped: agent 'hr' is disabled")
        assert outcome.stderr == "1 would be redriven, 1 skipped; nothing was changed.\n"

    def test_it_shows_asks_and_then_redrives(self, cli, api):
        api.answers("POST", BULK_PATH, PREVIEW, DONE)

        outcome = cli.run("redrive", *WHY, "--tag", "vpn", stdin="y\n")

        assert outcome.exit_code == 0, outcome.stderr
        assert [True, False] == [body["dry_run"] for body in api.bodies("POST")]
        assert "would redrive" in outcome.stderr
        assert "Redrive 1 of these? [y/N]" in outcome.stderr
        assert f"redriven as {NEW_ID}" in outcome.stdout
        assert "would redrive" not in outcome.stdout
        assert outcome.stderr.endswith("1 redriven, 1 skipped.\n")

    @pytest.mark.parametrize("answer", ["n\n", "\n"])
    def test_a_no_or_nothing_redrives_nothing(self, cli, api, answer):
        api.answers("POST", BULK_PATH, PREVIEW)

        outcome = cli.run("redrive", *WHY, "--tag", "vpn", stdin=answer)

        assert (outcome.exit_code, outcome.stdout) == (3, "")
        assert outcome.stderr.endswith("Nothing was redriven.\n")
        assert [True] == [body["dry_run"] for body in api.bodies("POST")]

    def test_an_end_of_input_at_the_question_redrives_nothing(self, cli, api):
        api.answers("POST", BULK_PATH, PREVIEW)

        assert cli.run("redrive", *WHY, "--tag", "vpn", stdin="").exit_code == 130
        assert [True] == [body["dry_run"] for body in api.bodies("POST")]

    def test_yes_does_not_ask_nor_look_first(self, cli, api):
        cli.terminal.reads = False
        api.answers("POST", BULK_PATH, DONE)

        outcome = cli.run("redrive", *WHY, "--tag", "vpn", "--yes")

        assert outcome.exit_code == 0, outcome.stderr
        assert api.bodies("POST") == [
            {
                "filter": {"tag": "vpn"},
                "reason": "the outage is over",
                "limit": 25,
                "dry_run": False,
            }
        ]

    def test_with_nobody_to_ask_nothing_is_sent(self, cli, api):
        cli.terminal.reads = False

        outcome = cli.run("redrive", *WHY, "--tag", "vpn")

        assert outcome.exit_code == 2
        assert "Nobody to ask" in outcome.stderr
        assert "next: Add --dry-run to look, or --yes" in outcome.stderr
        assert api.requests == []

    def test_nothing_is_asked_where_nothing_would_be_redriven(self, cli, api):
        api.answers("POST", BULK_PATH, a_page(SKIPPED, dry_run=True), a_page(dry_run=True))

        skipped = cli.run("redrive", *WHY, "--tag", "vpn")
        empty = cli.run("redrive", *WHY, "--tag", "vpn")

        assert (skipped.exit_code, empty.exit_code) == (0, 0)
        assert "0 would be redriven, 1 skipped" in skipped.stderr
        assert empty.text == "No failed activities match.\n"

    def test_the_next_page_is_named(self, cli, api):
        page = a_page(considered("redriven"), dry_run=False, next_cursor="c2")
        api.answers("POST", BULK_PATH, page)

        outcome = cli.run("redrive", *WHY, "--tag", "vpn", "--yes")

        assert outcome.stderr.endswith("There are more: add --cursor c2\n")

    def test_json_is_the_answer_of_the_api_and_quiet_ids(self, cli, api):
        api.answers("POST", BULK_PATH, DONE, PREVIEW, PREVIEW, DONE)

        assert cli.run("redrive", *WHY, "--tag", "vpn", "-y", "--json").document == DONE
        assert cli.run("redrive", *WHY, "--tag", "v", "--dry-run", "-q").text == f"{ACTIVITY_ID}\n"
        asked = cli.run("redrive", *WHY, "--tag", "vpn", "--json", stdin="y\n")
        assert asked.document == DONE

    def test_quiet_prints_the_successors(self, cli, api):
        api.answers("POST", BULK_PATH, DONE)

        assert cli.run("redrive", *WHY, "--tag", "vpn", "-y", "-q").text == f"{NEW_ID}\n"

    def test_where_the_outcome_is_not_known_a_repeat_is_harmless_and_says_so(self, cli, api):
        api.fails("POST", BULK_PATH, requests.ReadTimeout())

        outcome = cli.run("redrive", *WHY, "--tag", "vpn", "--yes")

        assert outcome.exit_code == 8
        assert "what was redriven is skipped" in outcome.stderr
        assert len(api.requests) == 1

    def test_an_outcome_this_version_does_not_know_is_shown_as_it_came(self, cli, api):
        api.answers("POST", BULK_PATH, a_page(considered("put_off"), dry_run=False))

        assert "put off" in cli.run("redrive", *WHY, "--tag", "vpn", "--yes").stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((ACTIVITY_ID,), "--reason is missing"),
        ((ACTIVITY_ID, "--reason", " "), "--reason is missing"),
        (("--tag", "vpn", "--dry-run"), "--reason is missing"),
        (WHY, "Nothing to redrive"),
        ((*WHY, "--yes"), "Nothing to redrive"),
        ((ACTIVITY_ID, *WHY, "--tag", "vpn"), "ID and a filter exclude each other"),
        ((ACTIVITY_ID, *WHY, "--limit", "3"), "ID and --limit exclude each other"),
        ((ACTIVITY_ID, *WHY, "--dry-run"), "ID and --dry-run exclude each other"),
        ((ACTIVITY_ID, *WHY, "--yes"), "ID and --yes exclude each other"),
        ((*WHY, "--tag", "vpn", "--watch"), "the filters and --watch exclude each other"),
        ((*WHY, "--tag", "vpn", "-m", ""), "the filters and --message exclude each other"),
        ((*WHY, "--tag", "vpn", "--not-started"), "the filters and --not-started exclude"),
        ((*WHY, "--tag", "vpn", "--dry-run", "--yes"), "--dry-run and --yes exclude"),
        ((*WHY, "--created-after", "yesterday"), "--created-after is not usable"),
        ((*WHY, "--tag", "vpn", "--limit", "0"), "--limit"),
        ((*WHY, "--tag", "vpn", "--limit", "101"), "--limit"),
        ((ACTIVITY_ID, *WHY, "--wait-timeout", "5"), "--watch is not given"),
        ((ACTIVITY_ID, *WHY, "--watch", "--wait-timeout", "soon"), "--wait-timeout is not usable"),
        ((ACTIVITY_ID, *WHY, "--idempotency-key", "ü"), "--idempotency-key is not usable"),
        ((ACTIVITY_ID, *WHY, "-c", "odd"), "is not a context entry"),
        (("run_x", *WHY), "is not a run id"),
        (("../agents", *WHY), "is not an id or a name"),
    ],
)
def test_a_wrong_command_line_names_the_mistake_and_sends_nothing(cli, api, arguments, complaint):
    outcome = cli.run("redrive", *arguments)

    assert outcome.exit_code == 2
    assert complaint in outcome.stderr
    assert api.requests == []
