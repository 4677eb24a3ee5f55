"""`connect leena`, `check` and `connection`: credentials go in once and never come out."""

import json

import pytest

from tests.unit.cli.operator_api import a_problem

CREDENTIALS = {
    "client_id": "id-CANARY",
    "client_secret": "secret-CANARY",
    "username": "user-CANARY",
    "password": "password-CANARY",
    "region": "eu-west-1",
}
ANSWERS = "id-CANARY\nsecret-CANARY\nuser-CANARY\npassword-CANARY\neu-west-1\n"
STORED = {"name": "leena", "provider": "leena", "region": "eu-west-1"}
PASSED = {"ok": True, "checks": [{"name": "mint_token", "ok": True, "detail": "expires in 3600 s"}]}
REFUSED = {"ok": False, "checks": [{"name": "mint_token", "ok": False, "detail": "HTTP 401"}]}


@pytest.fixture
def storing_api(api):
    api.answers("PUT", "/v1/connections/leena", STORED)
    api.answers("POST", "/v1/connections/leena/check", PASSED)
    return api


def test_prompts_ask_for_everything_and_hide_the_secrets(cli, storing_api):
    cli.terminal.reads = True

    outcome = cli.run("connect", "leena", stdin=ANSWERS)

    assert outcome.exit_code == 0
    assert storing_api.bodies("PUT") == [{"provider": "leena", **CREDENTIALS}]
    assert outcome.stdout.splitlines()[-1] == "ok      mint_token  expires in 3600 s"
    assert "secret-CANARY" not in outcome.text
    assert "password-CANARY" not in outcome.text


def test_a_document_on_standard_input_needs_no_person(cli, storing_api):
    outcome = cli.run("connect", "leena", "--from-stdin", stdin=json.dumps(CREDENTIALS))

    assert outcome.exit_code == 0
    assert storing_api.bodies("PUT") == [{"provider": "leena", **CREDENTIALS}]
    assert "CANARY" not in outcome.text


def test_flags_win_over_the_document(cli, api):
    api.answers("PUT", "/v1/connections/lab", STORED)

    outcome = cli.run(
        "connect", "leena", "lab", "--from-stdin", "--no-check", "--region", "us-east-1",
        "--auth-url", "http://127.0.0.1:9", "--aic-url", "http://127.0.0.1:8",
        stdin=json.dumps(CREDENTIALS),
    )  # fmt: skip

    assert outcome.stdout == "lab\n"
    (body,) = api.bodies("PUT")
    assert body["region"] == "us-east-1"
    assert body["base_urls"] == {"auth": "http://127.0.0.1:9", "api": "http://127.0.0.1:8"}


def test_json_is_the_check_or_the_stored_connection(cli, storing_api):
    arguments = ("connect", "leena", "--from-stdin", "--json")
    document = json.dumps(CREDENTIALS)

    assert cli.run(*arguments, stdin=document).document == PASSED
    assert cli.run(*arguments, "--no-check", stdin=document).document == STORED


def test_credentials_that_do_not_work_are_a_failure_with_the_way_out(cli, api):
    api.answers("PUT", "/v1/connections/leena", STORED)
    api.answers("POST", "/v1/connections/leena/check", REFUSED)

    outcome = cli.run("connect", "leena", "--from-stdin", stdin=json.dumps(CREDENTIALS))

    assert outcome.exit_code == 1
    assert outcome.stdout == "FAILED  mint_token  HTTP 401\n"
    assert "agentruns connect leena leena" in outcome.stderr


def test_nobody_to_ask_is_a_usage_error(cli, api):
    outcome = cli.run("connect", "leena")

    assert outcome.exit_code == 2
    assert "--from-stdin" in outcome.stderr
    assert api.requests == []


def test_an_end_of_input_while_asking_is_an_interruption(cli, api):
    cli.terminal.reads = True

    outcome = cli.run("connect", "leena", stdin="id-CANARY\n")

    assert outcome.exit_code == 130
    assert api.requests == []


@pytest.mark.parametrize(
    "document", ["secret-CANARY", '["secret-CANARY"]', '{"password": "p-CANARY']
)
def test_a_broken_document_is_refused_without_showing_it(cli, api, document):
    outcome = cli.run("connect", "leena", "--from-stdin", stdin=document)

    assert outcome.exit_code == 2
    assert "CANARY" not in outcome.text
    assert api.requests == []


def test_a_document_of_another_provider_is_refused(cli, api):
    outcome = cli.run("connect", "leena", "--from-stdin", stdin='{"provider": "leap"}')

    assert outcome.exit_code == 2
    assert "another provider" in outcome.stderr


def test_no_flag_takes_a_secret(cli):
    for arguments in (("connect", "leena"), ("start",), ("list",)):
        help_text = cli.run(*arguments, "--help").stdout
        for flag in ("--client-secret", "--password", "--operator-key", "--key ", "--token"):
            assert flag not in help_text


def test_an_unknown_region_shows_the_field_and_the_fix(cli, api):
    problem = a_problem(
        422,
        "Invalid body",
        errors=[{"field": "region", "message": "unknown 'mars'; one of us-east-1, ..."}],
    )
    api.refuses("PUT", "/v1/connections/leena", problem)

    outcome = cli.run("connect", "leena", "--from-stdin", stdin=json.dumps(CREDENTIALS))

    assert outcome.exit_code == 2
    assert "  region: unknown 'mars'; one of us-east-1, ...\n" in outcome.stderr
    assert len(api.requests) == 1


@pytest.mark.parametrize(("answer", "exit_code"), [(PASSED, 0), (REFUSED, 1)])
def test_check_in_every_form(cli, api, answer, exit_code):
    api.answers("POST", "/v1/connections/leena/check", answer)

    for arguments in (("check", "leena"), ("check", "leena", "--json"), ("check", "leena", "-q")):
        assert cli.run(*arguments).exit_code == exit_code
    assert cli.run("check", "leena", "--json").document == answer
    assert cli.run("check", "leena", "-q").stdout == "leena\n"


def test_checking_an_unknown_connection_says_where_to_look(cli, api):
    api.refuses("POST", "/v1/connections/nope/check", a_problem(404, "No such connection"))

    outcome = cli.run("check", "nope")

    assert outcome.exit_code == 5
    assert "agentruns connection list" in outcome.stderr


def test_connections_are_listed_in_every_form(cli, api):
    page = {"items": [STORED]}
    api.answers("GET", "/v1/connections", page)

    assert cli.run("connection", "list").stdout.splitlines()[1].split() == [
        "leena", "leena", "eu-west-1", "-", "-",
    ]  # fmt: skip
    assert cli.run("connection", "list", "--json").document == page
    assert cli.run("connection", "list", "-q").stdout == "leena\n"


def test_a_connection_is_deleted(cli, api):
    api.answers_nothing("DELETE", "/v1/connections/leena")

    outcome = cli.run("connection", "delete", "leena")

    assert (outcome.exit_code, outcome.stdout) == (0, "leena\n")
    assert cli.run("connection", "delete", "leena", "--json").document == {}


def test_no_connections_say_how_to_make_one(cli, api):
    api.answers("GET", "/v1/connections", {"items": []})

    assert "agentruns connect leena" in cli.run("connection", "list").stderr


LIMITED = {"name": "leena", "limits": {"max_concurrent_runs": 20}}
UNLIMITED = {"name": "leena", "limits": {"max_concurrent_runs": None}}


def test_limits_are_shown(cli, api):
    api.answers("GET", "/v1/connections/leena", LIMITED)

    outcome = cli.run("connection", "limit", "leena")

    assert outcome.stdout == "max_concurrent_runs   20\n"
    assert [request.method for request in api.requests] == ["GET"]


@pytest.mark.parametrize(
    ("before", "text", "sent"), [(UNLIMITED, "20", 20), (LIMITED, "none", None)]
)
def test_a_limit_is_set_and_lifted(cli, api, before, text, sent):
    api.answers("GET", "/v1/connections/leena", before)
    api.answers("PUT", "/v1/connections/leena/limits", LIMITED if sent else UNLIMITED)

    outcome = cli.run("connection", "limit", "leena", "--max-concurrent-runs", text)

    assert outcome.exit_code == 0
    assert outcome.stdout == f"max_concurrent_runs   {text}\n"
    assert json.loads(api.requests[-1].body) == {"max_concurrent_runs": sent}


def test_a_limit_that_is_not_named_stays_as_it_is(cli, api):
    both = {"max_concurrent_runs": 20, "requests_per_minute": 600}
    api.answers("GET", "/v1/connections/leena", LIMITED)
    api.answers("PUT", "/v1/connections/leena/limits", {"name": "leena", "limits": both})

    outcome = cli.run("connection", "limit", "leena", "--requests-per-minute", "600")

    assert outcome.stdout == "max_concurrent_runs   20\nrequests_per_minute   600\n"
    assert json.loads(api.requests[-1].body) == both


def test_a_list_shows_the_limits(cli, api):
    limited = {**STORED, "limits": {"max_concurrent_runs": None, "requests_per_minute": 600}}
    api.answers("GET", "/v1/connections", {"items": [STORED, limited]})

    head, without, with_one = cli.run("connection", "list").stdout.splitlines()

    assert head.split()[-1] == "REQUESTS/MIN"
    assert [line.split()[-1] for line in (without, with_one)] == ["-", "600"]


@pytest.mark.parametrize("text", ["many", "-1", "2.5", ""])
def test_what_is_no_limit_is_refused(cli, api, text):
    outcome = cli.run("connection", "limit", "leena", "--max-concurrent-runs", text)

    assert outcome.exit_code == 2
    assert "--max-concurrent-runs" in outcome.stderr
    assert api.requests == []
