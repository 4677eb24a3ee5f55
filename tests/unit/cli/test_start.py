"""`agentruns start`: what is sent, what is printed, and that nothing starts twice."""

import json

import pytest
import requests

from tests.unit.cli.operator_api import (
    ACTIVITY_ID,
    RUN_ID,
    a_problem,
    a_run,
    an_activity,
)

ACCEPTED = {
    "activity_id": ACTIVITY_ID,
    "run_id": RUN_ID,
    "status": "queued",
    "links": {"self": f"/v1/activities/{ACTIVITY_ID}", "run": "", "events": ""},
}


@pytest.fixture
def accepting_api(api):
    api.answers("POST", "/v1/activities", ACCEPTED, status=202)
    return api


def test_a_role_with_message_and_context_is_sent_as_the_body(cli, accepting_api, tmp_path):
    ticket = tmp_path / "ticket.json"
    ticket.write_text(json.dumps({"ticket": {"id": 7}, "user": "bob"}))

    outcome = cli.run(
        "start", "it_support", "-m", "Reset", "-c", f"@{ticket}", "-c", "user=ada", "-c", "n:=3",
        "--title", "VPN", "--tag", "a", "--tag", "b", "--timeout", "1h30m", "--priority", "high",
        "--on-start-unknown", "retry",
    )  # fmt: skip

    assert outcome.exit_code == 0
    assert accepting_api.last_body == {
        "agent_role": "it_support",
        "message": "Reset",
        "context": {"ticket": {"id": 7}, "user": "ada", "n": 3},
        "title": "VPN",
        "tags": ["a", "b"],
        "timeout_seconds": 5400,
        "priority": "high",
        "on_start_unknown": "retry",
    }


def test_a_csv_is_sent_with_the_workflow(cli, accepting_api):
    url = "https://files.example/in.csv?signature=1"

    cli.run("start", "--workflow", "wkf_1", "--connection", "leap", "--input-csv", url)

    assert accepting_api.last_body == {
        "adapter": {"type": "leap_workflow", "connection": "leap", "workflow_id": "wkf_1"},
        "input_csv_url": url,
    }


def test_an_aop_is_sent_as_an_inline_adapter(cli, accepting_api):
    cli.run("start", "--aop", "vpn_access", "--connection", "leena")

    assert accepting_api.last_body == {
        "adapter": {"type": "leena_aop", "connection": "leena", "aop_id": "vpn_access"}
    }


def test_people_get_the_ids_on_stdout_and_the_next_command_on_stderr(cli, accepting_api):
    outcome = cli.run("start", "it_support")

    assert outcome.stdout == f"{ACTIVITY_ID}  queued  {RUN_ID}\n"
    assert outcome.stderr == f"Follow it: agentruns watch {ACTIVITY_ID}\n"


def test_json_is_the_answer_of_the_api(cli, accepting_api):
    outcome = cli.run("start", "it_support", "--json")

    assert outcome.document == ACCEPTED
    assert outcome.stderr == ""


def test_quiet_prints_the_id_alone(cli, accepting_api):
    outcome = cli.run("start", "it_support", "--quiet")

    assert outcome.text == f"{ACTIVITY_ID}\n"


def test_context_may_come_from_standard_input(cli, accepting_api):
    cli.run("start", "it_support", "-c", "@-", stdin='{"user": "ada"}')

    assert accepting_api.last_body["context"] == {"user": "ada"}


def test_every_start_has_a_key_of_its_own(cli, accepting_api):
    cli.run("start", "it_support")
    cli.run("start", "it_support")

    first, second = (r.headers["Idempotency-Key"] for r in accepting_api.requests)
    assert first != second


def test_a_repeated_attempt_carries_the_same_key_and_body(cli, api):
    api.fails("POST", "/v1/activities", requests.ConnectionError("reset"))
    api.refuses("POST", "/v1/activities", a_problem(503, "Overloaded"))
    api.refuses("POST", "/v1/activities", a_problem(409, "In flight"))
    api.answers("POST", "/v1/activities", ACCEPTED, status=202)

    outcome = cli.run("start", "it_support", "--idempotency-key", "mine")

    assert outcome.exit_code == 0
    assert [r.headers["Idempotency-Key"] for r in api.requests] == ["mine"] * 4
    assert len({r.body for r in api.requests}) == 1


def test_a_first_conflict_is_somebody_elses_and_not_repeated(cli, api):
    api.refuses("POST", "/v1/activities", a_problem(409, "In flight"))

    assert cli.run("start", "it_support").exit_code == 6
    assert len(api.requests) == 1


def test_an_outage_says_how_to_repeat_without_starting_twice(cli, api):
    api.fails("POST", "/v1/activities", requests.ConnectionError("refused"))

    outcome = cli.run("start", "it_support", "--idempotency-key", "mine")

    assert outcome.exit_code == 8
    assert "--idempotency-key mine: it cannot start twice" in outcome.stderr
    assert len(api.requests) == 4


def test_ctrl_c_while_starting_says_how_to_repeat_without_starting_twice(cli, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Session, "request", interrupt)

    outcome = cli.run("start", "it_support", "--idempotency-key", "mine")

    assert outcome.exit_code == 130
    assert "--idempotency-key mine: it cannot start twice" in outcome.stderr


def test_wait_prints_only_the_result_and_takes_its_exit_code(cli, accepting_api):
    failed = an_activity("failed", a_run("failed"), error={"code": "AopFailed", "message": "no"})
    accepting_api.answers(
        "GET", f"/v1/activities/{ACTIVITY_ID}", an_activity(), an_activity(), failed
    )

    outcome = cli.run("start", "it_support", "--wait")

    assert outcome.exit_code == 1
    assert len(outcome.stdout.splitlines()) == 1
    assert "failed" in outcome.stdout
    assert "AopFailed: no" in outcome.stdout


def test_a_start_that_becomes_unknown_says_how_to_go_on(cli, accepting_api):
    blocked = an_activity("blocked", "start_unknown")
    accepting_api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", blocked)

    outcome = cli.run("start", "it_support", "--watch")

    assert outcome.exit_code == 7
    assert f"  agentruns resolve {RUN_ID} --not-started\n" in outcome.stderr


def test_wait_with_json_is_one_document_the_final_activity(cli, accepting_api):
    done = an_activity("done", "completed")
    accepting_api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", an_activity(), done)

    outcome = cli.run("start", "it_support", "--wait", "--json")

    assert outcome.exit_code == 0
    assert outcome.document == done


def test_watch_with_json_is_a_line_per_change(cli, accepting_api):
    running, done = an_activity(), an_activity("done", "completed")
    accepting_api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", running, running, done)

    outcome = cli.run("start", "it_support", "--watch", "--json")

    assert outcome.documents == [running, done]


def test_watch_with_quiet_prints_the_id_alone(cli, accepting_api):
    accepting_api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", an_activity("done", "completed"))

    assert cli.run("start", "it_support", "--watch", "-q").text == f"{ACTIVITY_ID}\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Nothing to start"),
        (["--aop", "x"], "Nothing to start"),
        (["role", "--aop", "x", "--connection", "y"], "Two ways to start"),
        (["role", "--wait", "--watch"], "exclude each other"),
        (["role", "--wait-timeout", "5"], "neither --watch nor --wait"),
        (["role", "--timeout", "soon"], "'soon' is not a duration"),
        (["role", "--timeout", "0"], "zero"),
        (["role", "-c", "novalue"], "-c 'novalue' is not a context entry"),
        (["role", "-c", "=x"], "not a context entry"),
        (["role", "-c", "n:=nope"], "is not JSON after :="),
        (["role", "-c", "@/nonexistent.json"], "-c @/nonexistent.json cannot be read"),
        (["role", "--idempotency-key", "schlüssel"], "printable ASCII"),
        (["role", "--idempotency-key", "a\nb: c"], "printable ASCII"),
        (["role", "--idempotency-key", ""], "printable ASCII"),
        (["role", "--priority", "urgent"], "urgent"),
        (["role", "--colour"], "--colour"),
    ],
)
def test_a_wrong_command_line_names_the_mistake_and_sends_nothing(cli, api, arguments, complaint):
    outcome = cli.run("start", *arguments)

    assert outcome.exit_code == 2
    assert complaint in outcome.stderr
    assert outcome.stdout == ""
    assert api.requests == []


@pytest.mark.parametrize(("text", "kind"), [("[1]", "list"), ('"a"', "str"), ("null", "NoneType")])
def test_context_that_is_no_object_is_refused(cli, api, tmp_path, text, kind):
    path = tmp_path / "context.json"
    path.write_text(text)

    outcome = cli.run("start", "role", "-c", f"@{path}")

    assert outcome.exit_code == 2
    assert f"is not a JSON object\n  it is of type {kind}" in outcome.stderr


def test_context_in_another_encoding_is_refused(cli, api, tmp_path):
    path = tmp_path / "context.json"
    path.write_bytes(b'{"a": "\xff"}')

    outcome = cli.run("start", "role", "-c", f"@{path}")

    assert outcome.exit_code == 2
    assert "it is not UTF-8 text" in outcome.stderr
