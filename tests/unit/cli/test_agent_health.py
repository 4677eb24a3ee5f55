"""`agent health`: the checks, the probe, and their exit codes."""

HEALTH = {
    "agent_role": "seo",
    "adapter_type": "webhook",
    "ok": True,
    "message": "everything that can be checked is well",
    "checks": [{"name": "host_reachable", "ok": True, "detail": "a connection was made"}],
    "checked_at": "2026-11-22T01:00:00Z",
}
PROBE = {
    "ok": True,
    "activity_id": "act_1",
    "output": "I am\nhere",
    "duration_ms": 812,
    "detail": "AOP x was really started at Leena AI",
    "error": None,
}


def test_checks_are_printed_and_a_failed_one_is_exit_code_1(cli, api):
    api.answers("GET", "/v1/agents/seo/health", HEALTH)

    outcome = cli.run("agent", "health", "seo")
    assert (outcome.exit_code, outcome.stdout.split()[:2]) == (0, ["ok", "host_reachable"])
    assert cli.run("agent", "health", "seo", "--json").document == HEALTH
    assert cli.run("agent", "health", "seo", "-q").stdout == "seo\n"


def test_a_failed_check_is_exit_code_1(cli, api):
    check = {"name": "host_reachable", "ok": False, "detail": "no connection"}
    api.answers("GET", "/v1/agents/seo/health", HEALTH | {"ok": False, "checks": [check]})

    outcome = cli.run("agent", "health", "seo")

    assert outcome.exit_code == 1
    assert outcome.stdout.split()[:2] == ["FAILED", "host_reachable"]


def test_a_probe_shows_what_came_back_and_how_long_it_took(cli, api):
    api.answers("POST", "/v1/agents/seo/probe", PROBE)

    outcome = cli.run("agent", "health", "seo", "--probe", "--yes")

    assert outcome.exit_code == 0
    assert outcome.stdout == "ok      812 ms  act_1  I am here\n"
    assert "AOP x was really started at Leena AI" in outcome.stderr


def test_a_probe_asks_first_since_it_is_real_work(cli, api):
    api.answers("POST", "/v1/agents/seo/probe", PROBE)

    cli.terminal.reads = True

    refused = cli.run("agent", "health", "seo", "--probe", stdin="n\n")

    assert (refused.exit_code, refused.stdout, api.requests) == (3, "", [])
    assert "really runs" in refused.stderr
    agreed = cli.run("agent", "health", "seo", "--probe", stdin="y\n")
    assert (agreed.exit_code, len(api.requests)) == (0, 1)


def test_where_nobody_can_be_asked_a_probe_needs_yes(cli, api):
    outcome = cli.run("agent", "health", "seo", "--probe")
    assert (outcome.exit_code, api.requests) == (2, [])
    assert "--yes" in outcome.stderr


def test_yes_is_for_a_probe(cli):
    assert cli.run("agent", "health", "seo", "--yes").exit_code == 2


def test_a_probe_that_failed_says_why(cli, api):
    answer = PROBE | {"ok": False, "activity_id": None, "output": None, "error": "disabled"}
    api.answers("POST", "/v1/agents/seo/probe", answer)

    outcome = cli.run("agent", "health", "seo", "--probe", "-y")

    assert outcome.exit_code == 1
    assert outcome.stdout == "FAILED  812 ms  -  disabled\n"
