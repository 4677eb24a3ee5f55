"""`agent key`: a key is printed once; what is listed never has it."""

from tests.unit.cli.operator_api import a_problem

ISSUED = {
    "key_id": "9f86d081884c7d65",
    "agent_role": "seo",
    "name": "",
    "created_at": "2026-11-22T01:00:00Z",
    "key": "ak_9f86d081884c7d65_KEY",
}
LISTED = {name: value for name, value in ISSUED.items() if name != "key"}
PATH = "/v1/agents/seo/keys"


def test_a_key_is_printed_alone_so_that_a_script_can_take_it(cli, api):
    api.answers("POST", PATH, ISSUED, status=201)

    outcome = cli.run("agent", "key", "issue", "seo", "--name", "ci")

    assert (outcome.exit_code, outcome.stdout) == (0, "ak_9f86d081884c7d65_KEY\n")
    assert api.last_body == {"name": "ci"}
    assert "agentruns agent key revoke seo 9f86d081884c7d65" in outcome.stderr
    assert cli.run("agent", "key", "issue", "seo", "--json").document == ISSUED
    assert api.last_body == {}


def test_keys_are_listed_in_every_form(cli, api):
    page = {"items": [LISTED], "next_cursor": None}
    api.answers("GET", PATH, page)

    assert cli.run("agent", "key", "list", "seo").stdout.splitlines()[1].split() == [
        "9f86d081884c7d65",
        "2026-11-22T01:00:00Z",
        "-",
    ]
    assert cli.run("agent", "key", "list", "seo", "--json").document == page
    assert cli.run("agent", "key", "list", "seo", "-q").stdout == "9f86d081884c7d65\n"


def test_no_keys_say_how_to_get_one(cli, api):
    api.answers("GET", PATH, {"items": []})

    assert "agentruns agent key issue seo" in cli.run("agent", "key", "list", "seo").stderr


def test_a_key_is_revoked(cli, api):
    api.answers_nothing("DELETE", f"{PATH}/9f86d081884c7d65")

    outcome = cli.run("agent", "key", "revoke", "seo", "9f86d081884c7d65")

    assert (outcome.exit_code, outcome.stdout) == (0, "9f86d081884c7d65\n")
    assert cli.run("agent", "key", "revoke", "seo", "9f86d081884c7d65", "--json").document == {}


def test_an_unknown_key_says_where_to_look(cli, api):
    api.refuses("DELETE", f"{PATH}/0000", a_problem(404, "Agent key not found"))

    outcome = cli.run("agent", "key", "revoke", "seo", "0000")

    assert outcome.exit_code == 5
    assert "agentruns agent key list" in outcome.stderr
