"""`agentruns resolve`: what is sent, what is printed, and how it goes on."""

import pytest

from tests.unit.cli.operator_api import ACTIVITY_ID, RUN_ID, a_problem, a_run, an_activity

RESOLVE_PATH = f"/v1/runs/{RUN_ID}/resolve"
ACTIVITY_PATH = f"/v1/activities/{ACTIVITY_ID}"
NEXT_RUN_ID = RUN_ID[:-1] + "2"
FOLLOWED = {"activity_id": ACTIVITY_ID, "status": "in_progress", "run": a_run()}
NEXT_OPENED = {
    "activity_id": ACTIVITY_ID,
    "status": "in_progress",
    "run": a_run("pending", run_id=NEXT_RUN_ID, attempt=2),
}


def test_the_found_item_is_bound(cli, api):
    api.answers("POST", RESOLVE_PATH, FOLLOWED)

    outcome = cli.run("resolve", RUN_ID, "--item", "item-77")

    assert outcome.exit_code == 0
    assert api.last_body == {"bind": {"aop_item_id": "item-77"}}
    assert outcome.stdout == f"{ACTIVITY_ID}  in_progress  {RUN_ID}\n"
    assert outcome.stderr == f"Follow it: agentruns watch {ACTIVITY_ID}\n"


def test_the_found_workflow_run_is_bound(cli, api):
    api.answers("POST", RESOLVE_PATH, FOLLOWED)

    outcome = cli.run("resolve", RUN_ID, "--workflow-run", "rnp_7")

    assert outcome.exit_code == 0
    assert api.last_body == {"bind": {"workflow_run_id": "rnp_7"}}


@pytest.mark.parametrize(
    ("adapter", "option", "mark"),
    [
        ({"type": "leena_aop"}, "--item AOP_ITEM_ID", "agentruns_run_id"),
        ({"type": "leap_workflow"}, "--workflow-run WORKFLOW_RUN_ID", "webhook URL has this id"),
    ],
)
def test_the_advice_is_the_providers(cli, api, adapter, option, mark):
    activity = an_activity("blocked", runs=[a_run("start_unknown")], adapter=adapter)
    api.answers("GET", ACTIVITY_PATH, activity)
    api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})

    told = cli.run("show", ACTIVITY_ID).stderr

    assert f"agentruns resolve {RUN_ID} {option}" in told
    assert f"agentruns resolve {RUN_ID} --not-started" in told
    assert mark in told


def test_of_an_agent_of_ones_own_its_first_call_is_as_good_as_a_finding(cli, api):
    adapter = {"type": "webhook", "url": "https://agents.acme.com/copywriter"}
    activity = an_activity("blocked", runs=[a_run("start_unknown")], adapter=adapter)
    api.answers("GET", ACTIVITY_PATH, activity)
    api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})

    told = cli.run("show", ACTIVITY_ID).stderr

    assert told.splitlines() == [
        f"It is not known whether the agent took {RUN_ID}. If it did, its first call says so, and "
        "nothing is to be done. If its log does not have this id:",
        f"  agentruns resolve {RUN_ID} --not-started",
    ]


def test_where_nothing_was_started_the_next_run_is_named(cli, api):
    api.answers("POST", RESOLVE_PATH, NEXT_OPENED)

    outcome = cli.run("resolve", RUN_ID, "--not-started")

    assert api.last_body == {"not_started": True}
    assert outcome.stdout == f"{ACTIVITY_ID}  in_progress  {NEXT_RUN_ID}\n"


def test_an_activity_id_means_its_current_run(cli, api):
    runs = [a_run("failed"), a_run("start_unknown", run_id=NEXT_RUN_ID, attempt=2)]
    api.answers("GET", ACTIVITY_PATH, an_activity("blocked", runs=runs))
    api.answers("POST", f"/v1/runs/{NEXT_RUN_ID}/resolve", FOLLOWED)

    assert cli.run("resolve", ACTIVITY_ID, "--item", "item-77").exit_code == 0


def test_an_activity_without_a_run_has_nothing_to_resolve(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity("queued", None))

    outcome = cli.run("resolve", ACTIVITY_ID, "--not-started")

    assert outcome.exit_code == 5
    assert "has no run yet" in outcome.stderr


def test_json_is_the_answer_of_the_api_and_quiet_the_activitys_id(cli, api):
    api.answers("POST", RESOLVE_PATH, FOLLOWED)

    assert cli.run("resolve", RUN_ID, "--not-started", "--json").document == FOLLOWED
    assert cli.run("resolve", RUN_ID, "--not-started", "-q").text == f"{ACTIVITY_ID}\n"


def test_watch_follows_on_to_the_end(cli, api):
    done = an_activity("done", "completed")
    api.answers("POST", RESOLVE_PATH, FOLLOWED)
    api.answers("GET", ACTIVITY_PATH, an_activity(), done, an_activity(), done)

    told = cli.run("resolve", RUN_ID, "--item", "item-77", "--watch")
    streamed = cli.run("resolve", RUN_ID, "--item", "item-77", "--watch", "--json")

    assert (told.exit_code, streamed.exit_code) == (0, 0)
    assert "in_progress  run 1 running" in told.stdout
    assert "done         run 1 completed" in told.stdout
    assert streamed.documents == [an_activity(), done]


def test_watch_with_quiet_prints_the_id_alone(cli, api):
    api.answers("POST", RESOLVE_PATH, FOLLOWED)
    api.answers("GET", ACTIVITY_PATH, an_activity("done", "completed"))

    assert cli.run("resolve", RUN_ID, "--not-started", "-w", "-q").text == f"{ACTIVITY_ID}\n"


@pytest.mark.parametrize(
    ("status", "title", "exit_code", "next_step"),
    [
        (409, "Run not unknown", 6, f"See where it stands: agentruns show {RUN_ID}"),
        (404, "Run not found", 5, "See `agentruns list`"),
    ],
)
def test_a_refusal_says_where_to_look_and_is_not_repeated(
    cli, api, status, title, exit_code, next_step
):
    api.refuses("POST", RESOLVE_PATH, a_problem(status, title))

    outcome = cli.run("resolve", RUN_ID, "--not-started")

    assert outcome.exit_code == exit_code
    assert f"error: {title} (HTTP {status})" in outcome.stderr
    assert next_step in outcome.stderr
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "exactly one"),
        (("--item", "item-77", "--not-started"), "exactly one"),
        (("--workflow-run", "rnp_7", "--not-started"), "exactly one"),
        (("--workflow-run", "rnp_7", "--item", "item-77"), "exactly one"),
        (("--not-started", "--wait-timeout", "5"), "--watch is not given"),
        (("--not-started", "--watch", "--wait-timeout", "soon"), "--wait-timeout is not usable"),
    ],
)
def test_a_wrong_command_line_names_the_mistake_and_sends_nothing(cli, api, arguments, complaint):
    outcome = cli.run("resolve", RUN_ID, *arguments)

    assert outcome.exit_code == 2
    assert complaint in outcome.stderr
    assert api.requests == []


def test_an_odd_id_is_refused_before_anything_is_sent(cli, api):
    assert cli.run("resolve", "run_x", "--not-started").exit_code == 2
    assert api.requests == []
