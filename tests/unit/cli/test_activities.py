"""`list`, `show`, `events` and `cancel`: people's form, JSON and ids."""

import pytest

from tests.unit.cli.operator_api import (
    ACTIVITY_ID,
    RUN_ID,
    a_problem,
    a_run,
    an_activity,
    an_event,
)

ACTIVITY_PATH = f"/v1/activities/{ACTIVITY_ID}"
EVENTS_PATH = f"/v1/runs/{RUN_ID}/events"


@pytest.fixture
def page():
    item = {key: value for key, value in an_activity().items() if key != "runs"}
    return {"items": [item], "next_cursor": "next-page"}


def test_the_list_is_a_table_and_names_the_next_page(cli, api, page):
    api.answers("GET", "/v1/activities", page)

    outcome = cli.run("list")

    assert outcome.exit_code == 0
    head, row = outcome.stdout.splitlines()
    assert head.split() == ["ACTIVITY", "STATUS", "AGENT", "AGE", "TITLE"]
    assert row.split("  ") == [ACTIVITY_ID, "in_progress", "it_support", "3m 00s", "Reset the VPN"]
    assert "--cursor next-page" in outcome.stderr


def test_the_lists_json_is_the_page(cli, api, page):
    api.answers("GET", "/v1/activities", page)

    outcome = cli.run("list", "--json")

    assert outcome.document == page
    assert outcome.stderr == ""


def test_the_quiet_list_is_ids(cli, api, page):
    api.answers("GET", "/v1/activities", page)

    assert cli.run("list", "-q").text == f"{ACTIVITY_ID}\n"


def test_filters_are_sent_under_the_apis_names(cli, api, page):
    api.answers("GET", "/v1/activities", page)

    cli.run(
        "list", "--status", "done", "--agent", "it", "--tag", "x&y", "--limit", "5",
        "--cursor", "c=",
    )  # fmt: skip

    assert api.requests[0].params == {
        "status": "done", "agent_role": "it", "tag": "x&y", "limit": "5", "cursor": "c=",
    }  # fmt: skip


def test_an_empty_list_says_so_on_stderr(cli, api):
    api.answers("GET", "/v1/activities", {"items": [], "next_cursor": None})

    outcome = cli.run("list")

    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "No activities match" in outcome.stderr


@pytest.fixture
def finished_api(api):
    run = a_run(
        "failed",
        error={"code": "AopFailed", "message": "the AOP\nfailed"},
        output={"answer": 42},
        ended_at="2026-11-22T01:02:59Z",
        evidence=[
            {"source": "poll", "status": "failed", "observed_at": "2026-11-22T01:02:58Z",
             "decided": True},
            {"source": "webhook", "status": "completed", "observed_at": None, "decided": False},
        ],
    )  # fmt: skip
    api.answers("GET", ACTIVITY_PATH, an_activity("failed", run))
    api.answers(
        "GET",
        EVENTS_PATH,
        {"items": [an_event(1, "ActivityOpened", None)], "next_after": 1},
        {"items": [an_event(2, "RunStarted"), an_event(3, "RunFailed")], "next_after": None},
    )
    return api


def test_show_has_the_activity_its_runs_and_its_events(cli, finished_api):
    outcome = cli.run("show", ACTIVITY_ID)

    assert outcome.exit_code == 0
    for line in (
        f"{ACTIVITY_ID}  failed",
        "  adapter           connection=leena aop_id=vpn_access",
        '  context           {"user": "ada"}',
        "  created           2026-11-22T01:00:00Z (3m 00s ago)",
        f"run 1  {RUN_ID}  failed",
        "  item              item-77",
        "  error             AopFailed: the AOP failed",
        '  output            {"answer": 42}',
        "  evidence          poll failed 2026-11-22T01:02:58Z (decided)",
        "  evidence          webhook completed -",
        "  #1    2026-11-22T01:00:02Z  ActivityOpened  status=running",
        f"  #3    2026-11-22T01:00:02Z  RunFailed  {RUN_ID}  status=running",
    ):
        assert line in outcome.stdout.splitlines()


def test_show_has_the_csv_and_the_rows_of_a_bulk_run(cli, api):
    run = a_run(aop_item_id=None, workflow_run_id="bulk_7", row_count=7)
    url = "https://files.example/in.csv"
    api.answers("GET", ACTIVITY_PATH, an_activity(runs=[run], input_csv_url=url))
    api.answers("GET", EVENTS_PATH, {"items": [], "next_after": None})

    shown = cli.run("show", ACTIVITY_ID).stdout.splitlines()

    assert f"  input csv         {url}" in shown
    assert "  workflow run      bulk_7" in shown
    assert "  rows              7" in shown


def test_show_json_is_the_activity(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())

    assert cli.run("show", RUN_ID, "--json").document == an_activity()


def test_show_quiet_is_the_id(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())

    assert cli.run("show", ACTIVITY_ID, "--quiet").text == f"{ACTIVITY_ID}\n"


def test_events_of_an_activity_come_once_and_in_order(cli, api):
    second = RUN_ID[:-1] + "2"
    api.answers("GET", ACTIVITY_PATH, an_activity(runs=[a_run(), a_run(run_id=second, attempt=2)]))
    opened = an_event(1, "ActivityOpened", None)
    api.answers("GET", EVENTS_PATH, {"items": [opened, an_event(2, "RunStarted")]})
    api.answers(
        "GET", f"/v1/runs/{second}/events", {"items": [an_event(3, "RunStarted", second), opened]}
    )

    outcome = cli.run("events", ACTIVITY_ID, "--json")

    assert [event["sequence"] for event in outcome.document["items"]] == [1, 2, 3]


def test_events_of_a_run_are_paged_through_from_where_asked(cli, api):
    api.answers(
        "GET",
        EVENTS_PATH,
        {"items": [an_event(6, "RunStarted")], "next_after": 6},
        {"items": [an_event(7, "RunFailed")], "next_after": None},
    )

    outcome = cli.run("events", RUN_ID, "--after", "5")

    assert [request.params["after"] for request in api.requests] == ["5", "6"]
    assert [line.split()[0] for line in outcome.stdout.splitlines()] == ["#6", "#7"]


def test_events_that_point_back_do_not_go_round_for_ever(cli, api):
    api.answers("GET", EVENTS_PATH, {"items": [an_event(1, "RunStarted")], "next_after": 0})

    assert cli.run("events", RUN_ID, "-q").stdout == "1\n"


def test_cancel_says_that_the_provider_goes_on(cli, api):
    answer = {
        "activity_id": ACTIVITY_ID,
        "status": "cancelled",
        "provider_stopped": False,
        "detail": "Leena has no call that stops an AOP.",
    }
    api.answers("POST", f"{ACTIVITY_PATH}/cancel", answer)

    outcome = cli.run("cancel", ACTIVITY_ID, "--reason", "wrong ticket")

    assert outcome.exit_code == 0
    assert api.last_body == {"reason": "wrong ticket"}
    assert outcome.stdout == f"{ACTIVITY_ID}  cancelled\n"
    assert "The provider was not stopped" in outcome.stderr
    assert "Leena has no call that stops an AOP." in outcome.stderr
    assert cli.run("cancel", RUN_ID, "--json").document == answer
    assert cli.run("cancel", ACTIVITY_ID, "-q").text == f"{ACTIVITY_ID}\n"


def test_cancel_says_of_each_subtask_that_its_provider_goes_on(cli, api):
    ended = {"status": "cancelled", "provider_stopped": True, "detail": "its run had ended"}
    going_on = {"status": "cancelled", "provider_stopped": False, "detail": "item 7 goes on"}
    answer = {
        "activity_id": ACTIVITY_ID,
        **ended,
        "subtasks": [{"activity_id": "act_1", **ended}, {"activity_id": "act_2", **going_on}],
    }
    api.answers("POST", f"{ACTIVITY_PATH}/cancel", answer)

    outcome = cli.run("cancel", ACTIVITY_ID)

    assert outcome.stdout == (f"{ACTIVITY_ID}  cancelled\nact_1  cancelled\nact_2  cancelled\n")
    assert "Subtask act_1: its run had ended" in outcome.stderr
    assert "Subtask act_2: The provider was not stopped" in outcome.stderr
    assert "Subtask act_2: item 7 goes on" in outcome.stderr


def test_cancelling_what_has_ended_is_a_conflict(cli, api):
    api.refuses("POST", f"{ACTIVITY_PATH}/cancel", a_problem(409, "Already done", "act is done"))

    outcome = cli.run("cancel", ACTIVITY_ID)

    assert outcome.exit_code == 6
    assert "Already done" in outcome.stderr
    assert f"next: See where it stands: agentruns show {ACTIVITY_ID}" in outcome.stderr


def test_a_cancel_is_not_repeated(cli, api):
    api.refuses("POST", f"{ACTIVITY_PATH}/cancel", a_problem(503, "Down"))

    assert cli.run("cancel", ACTIVITY_ID).exit_code == 8
    assert len(api.requests) == 1


def test_a_waiting_activity_says_what_it_waits_for(cli, api):
    waiting = an_activity("queued", "pending", admission="waiting")
    api.answers("GET", ACTIVITY_PATH, waiting)
    api.answers("GET", EVENTS_PATH, {"items": [an_event(1, "ActivityOpened")]})

    outcome = cli.run("show", ACTIVITY_ID)

    assert "waits for a slot of the connection leena" in outcome.stderr
    assert "agentruns check leena" in outcome.stderr
