"""Every refusal of the API, and every absence of an answer: exit code, text and next step."""

import pytest
import requests

from agentruns_cli import errors
from agentruns_cli.commands import activities
from agentruns_cli.errors import CliError
from agentruns_cli.exit_codes import EXIT_CODE_OF_ERROR
from tests.unit.cli.operator_api import ACTIVITY_ID, API_URL, a_problem, an_activity
from tests.unit.cli.test_target import write_stack_file

LIST_PATH = "/v1/activities"


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        (400, 2), (401, 4), (403, 4), (404, 5), (405, 2), (408, 8), (409, 6), (413, 2), (415, 2),
        (422, 2), (429, 8), (500, 8), (502, 8), (503, 8), (504, 8),
    ],
)  # fmt: skip
def test_each_status_has_its_exit_code(cli, api, status, exit_code):
    api.refuses("GET", LIST_PATH, a_problem(status, "Refused"))

    outcome = cli.run("list")

    assert outcome.exit_code == exit_code
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr


def test_a_problem_is_shown_whole(cli, api):
    problem = a_problem(
        422,
        "Invalid body",
        "2 fields are wrong",
        errors=[
            {"field": "context", "message": "must be an object"},
            {"field": "tags[0]", "message": "too long"},
        ],
    )
    api.refuses("POST", LIST_PATH, problem)

    assert cli.run("start", "it_support").stderr.splitlines() == [
        "error: Invalid body (HTTP 422)",
        "  2 fields are wrong",
        "  context: must be an object",
        "  tags[0]: too long",
        "  request id: req-123",
        "  next: Correct what is named above and send it again.",
    ]


def test_a_detail_that_only_repeats_the_fields_is_left_out(cli, api):
    errors_ = [{"field": "tags", "message": "too many"}, {"field": "title", "message": "too long"}]
    detail = "tags: too many; title: too long"
    api.refuses("POST", LIST_PATH, a_problem(422, "Invalid request", detail, errors=errors_))

    assert cli.run("start", "it_support").stderr.count("too many") == 1


def test_every_error_ends_with_a_next_step(cli, api):
    for status in (401, 404, 409, 422, 429, 503):
        api.refuses("GET", f"/v1/activities/act_{status}", a_problem(status, "Refused"))

        assert "\n  next: " in cli.run("show", f"act_{status}").stderr


def test_api_gateways_own_refusal_is_understood(cli, api):
    api.answers(
        "GET", LIST_PATH, {"message": "Forbidden"}, status=403, headers={"x-amzn-RequestId": "r-9"}
    )

    outcome = cli.run("list")

    assert outcome.exit_code == 4
    assert "HTTP 403" in outcome.stderr
    assert "Forbidden" in outcome.stderr
    assert "request id: r-9" in outcome.stderr


@pytest.mark.parametrize("body", ["<html>", "[1]", "", "null"])
def test_an_answer_of_something_else_says_so(cli, api, body):
    api._mock.add("GET", API_URL + LIST_PATH, body=body)

    outcome = cli.run("list")

    assert outcome.exit_code == 8
    assert "This is not an agentruns API" in outcome.stderr
    assert "AGENTRUNS_API_URL" in outcome.stderr


@pytest.mark.parametrize(
    "body", ["<html>", "[1]", '{"errors": "x", "detail": null}', '{"errors": [1]}']
)
def test_an_unreadable_refusal_still_has_its_exit_code(cli, api, body):
    api._mock.add("GET", API_URL + LIST_PATH, body=body, status=404)

    assert cli.run("list").exit_code == 5


def test_a_redirect_is_not_followed(cli, api):
    api.answers("GET", LIST_PATH, {}, status=302, headers={"Location": "https://evil.example/"})

    outcome = cli.run("list")

    assert outcome.exit_code == 8
    assert "redirects to https://evil.example/" in outcome.stderr
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.ConnectionError("refused"), "is not reachable"),
        (requests.ReadTimeout("slow"), "did not answer in time"),
    ],
)
def test_an_absent_api_is_named(cli, api, error, words):
    api.fails("GET", LIST_PATH, error)

    outcome = cli.run("list")

    assert outcome.exit_code == 8
    assert f"The API {words}" in outcome.stderr
    assert API_URL in outcome.stderr
    assert len(api.requests) == 4


def test_an_absent_embedded_stack_says_how_to_start_it(cli, api):
    cli.environment = {}
    write_stack_file(cli.directory, {"api_url": API_URL, "operator_key": "k"})
    api.fails("GET", LIST_PATH, requests.ConnectionError("refused"))

    assert "agentruns up" in cli.run("list").stderr


def test_a_get_waits_as_long_as_the_api_asks_within_reason(cli, api):
    for seconds in ("2", "600", "Wed, 21 Oct 2026 07:28:00 GMT"):
        api.refuses("GET", LIST_PATH, a_problem(429, "Slow down"), headers={"Retry-After": seconds})
    api.answers("GET", LIST_PATH, {"items": [], "next_cursor": None})

    assert cli.run("list").exit_code == 0
    assert cli.clock.sleeps == pytest.approx([2.0, 10.0, 2.7])


def test_a_put_is_sent_once(cli, api):
    api.refuses("PUT", "/v1/agents/it", a_problem(503, "Down"))

    assert cli.run("agent", "set", "it", "--aop", "a", "--connection", "c").exit_code == 8
    assert len(api.requests) == 1


def test_hostile_text_of_a_problem_does_not_drive_the_terminal(cli, api):
    api.refuses("GET", LIST_PATH, a_problem(404, "\x1b[2Jgone", "\x07\u202e"))

    outcome = cli.run("list")

    assert "\x1b" not in outcome.stderr
    assert "\x07" not in outcome.stderr


def test_a_defect_is_a_sentence_and_not_a_stack_trace(cli, api, monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(activities, "activity_table", broken)
    api.answers("GET", LIST_PATH, {"items": [an_activity()], "next_cursor": None})

    outcome = cli.run("list")

    assert outcome.exit_code == 1
    assert "ZeroDivisionError: division by zero" in outcome.stderr
    assert "AGENTRUNS_DEBUG=1" in outcome.stderr
    assert "Traceback" not in outcome.text


def test_ctrl_c_outside_of_a_watch_is_an_interruption(cli, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Session, "request", interrupt)

    outcome = cli.run("list")

    assert outcome.exit_code == 130
    assert "Traceback" not in outcome.text


def test_objects_of_another_shape_are_shown_as_far_as_they_go(cli, api):
    odd = {"activity_id": ACTIVITY_ID, "runs": [1, {"polls": "x"}], "context": 3, "tags": None}
    api.answers("GET", f"/v1/activities/{ACTIVITY_ID}", odd)
    api.answers("GET", LIST_PATH, {"items": [odd]})

    assert cli.run("list").exit_code == 0


def test_every_error_class_has_an_exit_code():
    def leaves(root: type[CliError]) -> set[type[CliError]]:
        children = root.__subclasses__()
        return set().union(*map(leaves, children)) if children else {root}

    assert leaves(errors.CliError) == set(EXIT_CODE_OF_ERROR)
