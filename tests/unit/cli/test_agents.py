"""`agent set|list|delete|rotate-secret`."""

import pytest

from tests.unit.cli.operator_api import a_problem

AGENT = {
    "agent_role": "it_support",
    "adapter": {"type": "leena_aop", "connection": "leena", "aop_id": "vpn_access"},
    "enabled": False,
}
SET = ("agent", "set", "it_support", "--aop", "vpn_access", "--connection", "leena")


def test_an_agent_is_an_adapter_with_settings(cli, api):
    api.answers("PUT", "/v1/agents/it_support", AGENT)

    outcome = cli.run(
        *SET, "--disabled", "--timeout", "2h", "--max-attempts", "3", "--backoff-seconds", "10",
        "--on-start-unknown", "fail", "--on-approval-expired", "escalate",
    )  # fmt: skip

    assert outcome.exit_code == 0
    assert api.last_body == {
        "adapter": AGENT["adapter"],
        "enabled": False,
        "timeout_seconds": 7200,
        "retry": {"max_attempts": 3, "backoff_seconds": 10},
        "on_start_unknown": "fail",
        "on_approval_expired": "escalate",
    }
    assert outcome.stdout == "it_support\n"


@pytest.mark.parametrize(
    ("text", "detection"),
    [
        ("25%", {"relative_delay": 0.25}),
        ("7.5%", {"relative_delay": 0.075}),
        ("30s", {"max_delay_seconds": 30}),
        ("2m", {"max_delay_seconds": 120}),
    ],
)
def test_how_late_an_end_may_be_noticed_is_a_share_or_a_duration(cli, api, text, detection):
    api.answers("PUT", "/v1/agents/it_support", AGENT)

    assert cli.run(*SET, "--detection", text).exit_code == 0
    assert api.last_body["detection"] == detection


@pytest.mark.parametrize("text", ["x%", "%", "soon", "0s"])
def test_a_detection_that_is_neither_is_a_usage_error(cli, api, text):
    outcome = cli.run(*SET, "--detection", text)

    assert outcome.exit_code == 2
    assert "--detection" in outcome.stderr


def test_settings_that_were_not_given_are_left_to_the_api(cli, api):
    api.answers("PUT", "/v1/agents/it_support", AGENT)

    assert cli.run(*SET, "--json").document == AGENT
    assert api.last_body == {"adapter": AGENT["adapter"], "enabled": True}


def test_an_agent_without_an_aop_is_a_usage_error(cli, api):
    outcome = cli.run("agent", "set", "it_support", "--connection", "leena")

    assert outcome.exit_code == 2
    assert "--aop" in outcome.stderr


def test_agents_are_listed_in_every_form(cli, api):
    page = {"items": [AGENT]}
    api.answers("GET", "/v1/agents", page)

    assert cli.run("agent", "list").stdout.splitlines()[1].split() == [
        "it_support", "leena_aop", "connection=leena", "aop_id=vpn_access", "no",
    ]  # fmt: skip
    assert cli.run("agent", "list", "--json").document == page
    assert cli.run("agent", "list", "-q").stdout == "it_support\n"


def test_no_agents_say_how_to_make_one(cli, api):
    api.answers("GET", "/v1/agents", {"items": []})

    assert "agentruns agent set ROLE" in cli.run("agent", "list").stderr


def test_an_agent_is_deleted(cli, api):
    api.answers("DELETE", "/v1/agents/it_support", {"agent_role": "it_support"})

    assert cli.run("agent", "delete", "it_support").stdout == "it_support\n"
    assert cli.run("agent", "delete", "it_support", "--json").document == {
        "agent_role": "it_support"
    }


def test_deleting_an_unknown_agent_says_where_to_look(cli, api):
    api.refuses("DELETE", "/v1/agents/nope", a_problem(404, "No such agent"))

    outcome = cli.run("agent", "delete", "nope")

    assert outcome.exit_code == 5
    assert "agentruns agent list" in outcome.stderr


OWN = {"agent_role": "copywriter", "adapter": {"type": "webhook", "url": "https://agents.example"}}
SET_OWN = ("agent", "set", "copywriter", "--url", "https://agents.example")


def test_an_agent_of_one_s_own_is_a_url_and_its_secret_is_shown_once(cli, api, tmp_path):
    api.answers("PUT", "/v1/agents/copywriter", OWN | {"signing_secret": "whsec_x"})
    prompt = tmp_path / "prompt.md"
    prompt.write_text("You write.")

    outcome = cli.run(*SET_OWN, "--system-prompt", str(prompt), "--model", "large")

    assert outcome.exit_code == 0
    assert api.last_body == {
        "adapter": OWN["adapter"],
        "enabled": True,
        "system_prompt": "You write.",
        "model": "large",
    }
    assert outcome.stdout == "copywriter\n"
    assert "whsec_x" in outcome.stderr


def test_the_header_s_value_is_read_from_standard_input(cli, api):
    api.answers("PUT", "/v1/agents/copywriter", OWN)

    outcome = cli.run(*SET_OWN, "--auth-header", "X-Team", stdin="s3cret\n")

    assert outcome.exit_code == 0
    assert api.last_body["auth"] == {"header": "X-Team", "value": "s3cret"}


@pytest.mark.parametrize("more", [("--connection", "leena"), ("--aop", "x"), ("--workflow", "x")])
def test_a_url_goes_without_a_connection(cli, more):
    outcome = cli.run(*SET_OWN, *more)

    assert outcome.exit_code == 2
    assert "--url" in outcome.stderr


def test_a_prompt_that_cannot_be_read_is_a_usage_error(cli):
    outcome = cli.run(*SET_OWN, "--system-prompt", "missing.md")

    assert outcome.exit_code == 2
    assert "--system-prompt missing.md" in outcome.stderr


def test_a_rotated_secret_is_data(cli, api):
    api.answers(
        "POST",
        "/v1/agents/copywriter/signing-secret",
        {"agent_role": "copywriter", "signing_secret": "whsec_y"},
    )

    assert cli.run("agent", "rotate-secret", "copywriter").stdout == "whsec_y\n"
