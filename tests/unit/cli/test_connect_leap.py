"""`connect leap`, and agents and starts over it."""

from __future__ import annotations

import json

import pytest

KEY = {"api_key": "key-CANARY"}
PASSED = {"ok": True, "checks": [{"name": "api_reachable", "ok": True, "detail": "took the key"}]}
WORKFLOW = {"type": "leap_workflow", "connection": "flows", "workflow_id": "wkf_1"}


@pytest.fixture
def storing_api(api):
    api.answers("PUT", "/v1/connections/leap", {"name": "leap", "provider": "leap"})
    api.answers("POST", "/v1/connections/leap/check", PASSED)
    return api


def test_the_key_is_asked_for_and_not_shown(cli, storing_api):
    cli.terminal.reads = True

    outcome = cli.run("connect", "leap", "--dialect", "runs", stdin="key-CANARY\n")

    assert outcome.exit_code == 0
    assert storing_api.bodies("PUT") == [{"provider": "leap", **KEY, "dialect": "runs"}]
    assert outcome.stdout.splitlines()[-1] == "ok      api_reachable  took the key"
    assert "CANARY" not in outcome.text


def test_a_document_on_standard_input_needs_no_person(cli, storing_api):
    outcome = cli.run(
        "connect", "leap", "--from-stdin", "--no-check", "--base-url", "http://127.0.0.1:9",
        stdin=json.dumps(KEY),
    )  # fmt: skip

    assert (outcome.exit_code, outcome.stdout) == (0, "leap\n")
    assert storing_api.bodies("PUT") == [
        {"provider": "leap", **KEY, "base_url": "http://127.0.0.1:9"}
    ]


def test_without_a_person_there_is_nobody_to_ask(cli, storing_api):
    assert cli.run("connect", "leap").exit_code == 2
    assert storing_api.bodies("PUT") == []


def test_another_providers_document_is_a_usage_error(cli, storing_api):
    document = json.dumps({"provider": "leena", **KEY})
    assert cli.run("connect", "leap", "--from-stdin", stdin=document).exit_code == 2


def test_an_agent_may_run_a_workflow(cli, api):
    api.answers("PUT", "/v1/agents/writer", {"agent_role": "writer", "adapter": WORKFLOW})

    outcome = cli.run("agent", "set", "writer", "--workflow", "wkf_1", "--connection", "flows")

    assert outcome.exit_code == 0
    assert api.last_body["adapter"] == WORKFLOW


@pytest.mark.parametrize("work", [[], ["--aop", "a", "--workflow", "w"]])
def test_an_agent_does_one_thing(cli, api, work):
    outcome = cli.run("agent", "set", "writer", *work, "--connection", "flows")

    assert outcome.exit_code == 2
    assert "exactly one" in outcome.stderr
