"""`agentruns watch`: what it shows, when it stops, and with which exit code."""

import re

import pytest
import requests

from agentruns.statuses import ActivityStatus
from agentruns_cli.exit_codes import ExitCode, outcome_of
from agentruns_cli.views import parse_activity
from tests.unit.cli.operator_api import ACTIVITY_ID, RUN_ID, a_problem, a_run, an_activity

ACTIVITY_PATH = f"/v1/activities/{ACTIVITY_ID}"


def state_lines(outcome):
    """The lines that tell of a change, without the day, the ids and the errors below them."""
    return [line for line in outcome.stdout.splitlines() if re.match(r"\d\d:\d\d:\d\d  ", line)]


def test_lines_come_only_when_something_changes(cli, api):
    polled = an_activity(run=a_run(polls=4))
    ended_at = "2026-11-22T01:03:04Z"
    done = an_activity("done", a_run("completed", ended_at=ended_at), ended_at=ended_at)
    api.answers("GET", ACTIVITY_PATH, an_activity(), an_activity(), polled, polled, done)

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        f"{ACTIVITY_ID}  2026-11-22, times in UTC",
        "01:03:00  in_progress  run 1 running        polls 3   age 3m 00s   next check in 20s",
        "          item              item-77",
        "          reference         REF-9",
        "01:03:02  in_progress  run 1 running        polls 4   age 3m 02s   next check in 18s",
        "01:03:04  done         run 1 completed      polls 3   age 3m 04s",
    ]
    assert outcome.stderr == ""


def test_a_workflow_that_nobody_can_be_asked_about_waits_for_its_webhook(cli, api):
    workflow = {"type": "leap_workflow", "connection": "flows", "workflow_id": "wkf_1"}
    run = a_run(next_check_at=None, aop_item_id=None, workflow_run_id="rnp_1", polls=0)
    ended_at = "2026-11-22T01:03:02Z"
    done = an_activity("done", a_run("completed", ended_at=ended_at), adapter=workflow)
    api.answers("GET", ACTIVITY_PATH, an_activity(run=run, adapter=workflow), done)

    outcome = cli.run("watch", ACTIVITY_ID)

    first, last = state_lines(outcome)
    assert first.endswith("age 3m 00s   waits for its webhook, deadline in 57m 00s")
    assert "webhook" not in last


def test_an_id_is_printed_where_it_first_appears_and_not_again(cli, api):
    first, second = a_run(provider_run_id="ID_1"), a_run(provider_run_id="ID_1", polls=4)
    next_run = a_run(run_id=RUN_ID[:-1] + "2", attempt=2, aop_item_id="item-78", reference_id=None)
    api.answers(
        "GET",
        ACTIVITY_PATH,
        an_activity(run=a_run()),
        an_activity(run=first),
        an_activity(run=second),
        an_activity(runs=[second, next_run]),
        an_activity("done", runs=[second, next_run]),
    )

    outcome = cli.run("watch", ACTIVITY_ID)

    told = [line.split() for line in outcome.stdout.splitlines() if line.startswith(" ")]
    assert told == [
        ["item", "item-77"],
        ["reference", "REF-9"],
        ["provider", "run", "ID_1"],
        ["item", "item-78"],
    ]
    assert len(state_lines(outcome)) == 5
    assert outcome.stdout.count(ACTIVITY_ID) == 1


def test_a_new_day_is_told_once(cli, api):
    cli.clock.elapsed = 22 * 3600 + 56 * 60 + 59
    done = an_activity("done", "completed")
    api.answers("GET", ACTIVITY_PATH, an_activity(), an_activity(run=a_run(polls=4)), done)

    days = [line for line in cli.run("watch", ACTIVITY_ID).stdout.splitlines() if "UTC" in line]

    assert days == [f"{ACTIVITY_ID}  2026-11-22, times in UTC", "2026-11-23, times in UTC"]


def test_before_the_first_run_there_is_only_the_activity(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity("cancelled", None))

    [line] = state_lines(cli.run("watch", ACTIVITY_ID))

    assert line.split() == ["01:03:00", "cancelled", "age", "3m", "00s"]


def test_json_is_one_activity_a_line(cli, api):
    running, done = an_activity(), an_activity("done", "completed")
    api.answers("GET", ACTIVITY_PATH, running, running, done)

    assert cli.run("watch", ACTIVITY_ID, "--json").documents == [running, done]


def test_quiet_prints_the_id(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity(), an_activity("done", "completed"))

    assert cli.run("watch", ACTIVITY_ID, "--quiet").text == f"{ACTIVITY_ID}\n"


def test_a_run_id_leads_to_its_activity(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity("done", "completed"))

    assert cli.run("watch", RUN_ID).exit_code == 0


def test_without_an_id_the_newest_activity_is_watched(cli, api):
    api.answers("GET", "/v1/activities", {"items": [an_activity()], "next_cursor": "c"})
    api.answers("GET", ACTIVITY_PATH, an_activity("done", "completed"))

    outcome = cli.run("watch")

    assert outcome.exit_code == 0
    assert api.requests[0].params == {"limit": "1"}


def test_without_any_activity_there_is_nothing_to_watch(cli, api):
    api.answers("GET", "/v1/activities", {"items": [], "next_cursor": None})

    outcome = cli.run("watch")

    assert outcome.exit_code == 5
    assert "There is no activity yet" in outcome.stderr


@pytest.mark.parametrize(
    ("status", "run", "exit_code"),
    [
        ("done", "completed", 0),
        ("failed", "failed", 1),
        ("failed", "timeout", 1),
        ("failed", "aborted", 3),
        ("failed", None, 1),
        ("cancelled", "running", 3),
        ("reassigned", "failed", 3),
        ("blocked", "start_unknown", 7),
        ("blocked", "failed", 7),
        ("awaiting_review", "completed", 7),
        ("awaiting_approval", "completed", 7),
    ],
)
def test_the_exit_code_says_how_it_ended(cli, api, status, run, exit_code):
    api.answers("GET", ACTIVITY_PATH, an_activity(status, run))

    assert cli.run("watch", ACTIVITY_ID).exit_code == exit_code


def test_the_last_attempt_decides_whether_it_was_aborted(cli, api):
    runs = [a_run("failed", attempt=2, run_id=RUN_ID[:-1] + "2"), a_run("aborted", attempt=1)]
    api.answers("GET", ACTIVITY_PATH, an_activity("failed", runs=runs))

    assert cli.run("watch", ACTIVITY_ID).exit_code == 1


@pytest.mark.parametrize("status", list(ActivityStatus))
def test_every_status_is_either_an_outcome_or_waited_for(status):
    waited_for = {
        ActivityStatus.QUEUED,
        ActivityStatus.IN_PROGRESS,
        ActivityStatus.AWAITING_SUBTASK,
    }
    outcome = outcome_of(parse_activity(an_activity(str(status))))

    assert (outcome is None) == (status in waited_for)
    assert not (status.is_terminal and outcome is None)


def test_a_status_of_a_newer_server_is_shown_and_waited_for(cli, api):
    api.answers(
        "GET", ACTIVITY_PATH, an_activity("pondering", "dreaming"), an_activity("done", "completed")
    )

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.exit_code == 0
    assert "pondering    run 1 dreaming" in outcome.stdout


@pytest.mark.parametrize(
    ("run", "exit_code"), [("running", 124), ("paused", 7), ("start_unknown", 7), (None, 124)]
)
def test_an_expired_wait_tells_a_slow_run_from_one_that_waits_for_a_person(
    cli, api, run, exit_code
):
    api.answers("GET", ACTIVITY_PATH, an_activity(run=run))

    outcome = cli.run("watch", ACTIVITY_ID, "--wait-timeout", "5")

    assert outcome.exit_code == exit_code
    assert cli.clock.elapsed == 5.0
    assert len(state_lines(outcome)) == 1


def test_an_expired_wait_says_how_to_return(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())

    outcome = cli.run("watch", ACTIVITY_ID, "--wait-timeout", "2s")

    assert f"Return to it: agentruns watch {ACTIVITY_ID}" in outcome.stderr


def test_ctrl_c_leaves_the_activity_alone_and_says_how_to_return(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())
    cli.clock.interrupt_at = 2

    outcome = cli.run("watch", ACTIVITY_ID, "--api-url", "http://127.0.0.1:4566/local")

    assert outcome.exit_code == 130
    assert f"Interrupted\n  {ACTIVITY_ID} goes on without this command" in outcome.stderr
    assert (
        f"next: Return to it: agentruns watch {ACTIVITY_ID} --api-url http://127.0.0.1:4566/local"
        in outcome.stderr
    )
    assert "Traceback" not in outcome.text
    assert {request.method for request in api.requests} == {"GET"}


@pytest.mark.parametrize("flags", ["", " --api-url http://127.0.0.1:4566/local"])
@pytest.mark.parametrize("command", ["watch", "show"])
def test_a_blocked_start_says_what_to_look_for_and_how_to_go_on(cli, api, command, flags):
    api.answers("GET", ACTIVITY_PATH, an_activity("blocked", "start_unknown"))
    api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})

    outcome = cli.run(command, ACTIVITY_ID, *flags.split())

    assert "agentruns_run_id" in outcome.stderr
    assert outcome.stderr.splitlines()[-2:] == [
        f"  agentruns resolve {RUN_ID} --item AOP_ITEM_ID{flags}",
        f"  agentruns resolve {RUN_ID} --not-started{flags}",
    ]


def test_a_run_that_ended_unresolved_asks_nobody_to_resolve_it(cli, api):
    ended = an_activity("failed", "start_unknown", ended_at="2026-11-22T01:02:00Z")
    api.answers("GET", ACTIVITY_PATH, ended)

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.stderr == f"What happened: agentruns show {ACTIVITY_ID}\n"


def test_a_short_outage_is_sat_out(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())
    for _ in range(4):
        api.fails("GET", ACTIVITY_PATH, requests.ConnectionError("refused"))
    api.answers("GET", ACTIVITY_PATH, an_activity("done", "completed"))

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.exit_code == 0
    assert outcome.stderr == "The API is not reachable; trying again\n"
    assert len(state_lines(outcome)) == 2


def test_a_long_outage_ends_the_watch(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())
    api.fails("GET", ACTIVITY_PATH, requests.ConnectionError("refused"))

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.exit_code == 8
    assert 60 < cli.clock.elapsed < 75
    assert len(state_lines(outcome)) == 1


def test_the_longer_nothing_changes_the_rarer_it_asks(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity())

    cli.run("watch", ACTIVITY_ID, "--wait-timeout", "10m")

    assert cli.clock.sleeps[0] == 1.0
    assert max(cli.clock.sleeps) == 5.0
    assert len(api.requests) < 160


def test_a_check_that_fails_for_now_is_told(cli, api):
    problem = {"code": "upstream_unavailable", "message": "HTTP 503"}
    troubled = an_activity(run=a_run(last_problem=problem))
    still_troubled = an_activity(run=a_run(last_problem=problem, polls=4))
    done = an_activity("done", "completed")
    api.answers("GET", ACTIVITY_PATH, an_activity(), troubled, still_troubled, done)

    outcome = cli.run("watch", ACTIVITY_ID)

    told = "          error             upstream_unavailable: HTTP 503"
    lines = outcome.stdout.splitlines()
    assert lines.count(told) == 1
    assert lines[lines.index(told) - 1] == state_lines(outcome)[1]


def test_a_lost_activity_ends_the_watch(cli, api):
    api.refuses("GET", ACTIVITY_PATH, a_problem(404, "Activity not found"))

    assert cli.run("watch", ACTIVITY_ID).exit_code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    "identifier", ["run_x", "run_1_1", "run_", "../x", "act 1", "", "a" * 200, "act_\n"]
)
def test_an_odd_id_is_refused_before_anything_is_sent(cli, api, identifier):
    outcome = cli.run("show", identifier)

    assert outcome.exit_code == 2
    assert "is not a" in outcome.stderr
    assert api.requests == []


def test_on_a_terminal_the_state_is_drawn(cli, api, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    api.answers("GET", ACTIVITY_PATH, an_activity(), an_activity("done", "completed"))
    cli.terminal.writes = True

    outcome = cli.run("watch", ACTIVITY_ID)

    assert outcome.exit_code == 0
    for shown in (ACTIVITY_ID, "Reset the VPN", "item-77", "REF-9", "3, last 11s ago", "3m 01s"):
        assert shown in outcome.stdout
    assert "\x1b[3" not in outcome.stdout


def test_control_characters_of_a_title_do_not_reach_the_terminal(cli, api):
    hostile = an_activity("done", "completed", title="x\x1b]0;owned\x07\u202ey", runs=[])
    api.answers("GET", ACTIVITY_PATH, hostile)
    cli.terminal.writes = True

    outcome = cli.run("watch", ACTIVITY_ID)

    assert "\x1b]0" not in outcome.stdout
    assert "\u202e" not in outcome.stdout
