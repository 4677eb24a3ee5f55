"""The command against the real operator API, in this process, over in-memory ports."""

import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from agentruns.errors import StartUnknown
from tests.unit.api.driver import BOOTSTRAP_KEY, CONNECTION, Api, proxy_event
from tests.unit.api.test_runs import Workers
from tests.unit.cli.operator_api import API_URL

METHODS = ("GET", "PUT", "POST", "DELETE")
CREDENTIALS = json.dumps({key: value for key, value in CONNECTION.items() if key != "provider"})


@pytest.fixture
def served(cli):
    """The command's requests reach the API; nothing is canned."""
    api = Api()

    def answer(request):
        url = urlsplit(request.url)
        event = proxy_event(
            request.method,
            url.path.removeprefix(urlsplit(API_URL).path),
            body=request.body.decode() if request.body else None,
            headers={name.lower(): value for name, value in request.headers.items()},
            query=dict(parse_qsl(url.query)) or None,
        )
        found = api.app(event, None)
        return found["statusCode"], found["headers"], found["body"]

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in METHODS:
            mock.add_callback(method, re.compile(re.escape(API_URL)), callback=answer)
        cli.environment["AGENTRUNS_OPERATOR_KEY"] = BOOTSTRAP_KEY
        yield api


@pytest.fixture
def ready(cli, served):
    """With a connection and an agent, both made by the command."""
    assert cli.run("connect", "leena", "acme", "--from-stdin", stdin=CREDENTIALS).exit_code == 0
    arguments = ("agent", "set", "it_support", "--aop", "vpn_access", "--connection", "acme")
    assert cli.run(*arguments, "--timeout", "1h", "--max-attempts", "2").exit_code == 0
    return served


def start(cli, *arguments: str) -> str:
    outcome = cli.run("start", "it_support", *arguments, "--quiet")
    assert outcome.exit_code == 0, outcome.stderr
    return str(outcome.stdout).strip()


def test_connections_and_agents_are_stored_checked_and_listed(cli, ready):
    assert cli.run("check", "acme").stdout.startswith("ok ")
    assert cli.run("connection", "list", "-q").stdout == "acme\n"
    (agent,) = cli.run("agent", "list", "--json").document["items"]
    assert agent["timeout_seconds"] == 3600
    assert agent["retry"]["max_attempts"] == 2


def test_an_activity_is_started_listed_shown_and_cancelled(cli, ready):
    activity_id = start(
        cli, "-m", "Reset", "-c", "user=ada", "--title", "VPN", "--tag", "vpn", "--timeout", "10m",
        "--priority", "high", "--on-start-unknown", "fail",
    )  # fmt: skip

    listed = cli.run("list", "--agent", "it_support", "--tag", "vpn", "--status", "queued")
    shown = cli.run("show", activity_id)
    events = cli.run("events", activity_id, "--json").document["items"]
    waited = cli.run("watch", "--wait-timeout", "3")
    cancelled = cli.run("cancel", activity_id, "--reason", "wrong ticket")

    assert activity_id in listed.stdout
    assert '  context           {"user": "ada"}' in shown.stdout.splitlines()
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events
    assert (waited.exit_code, activity_id in waited.stdout) == (124, True)
    assert cancelled.exit_code == 0
    assert "cancelled" in cancelled.stdout
    assert cli.run("watch", activity_id).exit_code == 3
    assert cli.run("cancel", activity_id).exit_code == 0


@pytest.fixture
def blocked(cli, ready):
    """An activity whose start nobody knows the outcome of."""
    activity_id = start(cli, "-m", "Reset")
    ready.leena.on_execute(StartUnknown("the answer timed out"))
    workers = Workers(ready, activity_id)
    workers.open()
    workers.execute()
    workers.settle()
    return activity_id


def command_named(outcome, option: str) -> list[str]:
    """The words of the command with `option` that the output tells a person to type."""
    [line] = [line for line in outcome.stderr.splitlines() if option in line]
    return str(line).removeprefix("  agentruns ").split()


def test_the_command_a_blocked_activity_names_opens_the_next_run(cli, blocked):
    watched = cli.run("watch", blocked)

    resolved = cli.run(*command_named(watched, "--not-started"))

    assert watched.exit_code == 7
    assert (resolved.exit_code, resolved.stderr) == (0, f"Follow it: agentruns watch {blocked}\n")
    assert cli.run("watch", "--wait-timeout", "3").exit_code == 124
    assert "run 2 " in cli.run("show", blocked).stdout.replace("  ", " ")


def test_the_command_a_blocked_activity_names_binds_an_item(cli, blocked):
    words = command_named(cli.run("show", blocked), "--item")

    followed = cli.run(*[w.replace("AOP_ITEM_ID", "item-9") for w in words], "--json").document
    again = cli.run("resolve", blocked, "--not-started")

    assert (followed["status"], followed["run"]["aop_item_id"]) == ("in_progress", "item-9")
    assert (again.exit_code, "Run not unknown" in again.stderr) == (6, True)
    assert cli.run("show", blocked).stderr == ""


def fail(api: Api, activity_id: str) -> None:
    """Its AOP fails, as often as it may be tried."""
    workers = Workers(api, activity_id)
    workers.open()
    for _ in range(2):
        workers.execute()
        api.leena.on_read_status("failed")
        workers.check()
        workers.settle()
        api.clock.advance(600)


def test_a_failed_activity_is_redriven_and_both_show_the_lineage(cli, ready):
    old = start(cli, "-m", "Reset", "--tag", "vpn")
    running = cli.run("redrive", old, "--reason", "too early")
    fail(ready, old)

    new = cli.run("redrive", old, "--reason", "repaired", "-c", "n:=1", "-q").stdout.strip()
    again = cli.run("redrive", old, "--reason", "repaired")

    assert (running.exit_code, again.exit_code) == (6, 6)
    assert new in again.stderr
    assert f"  redriven as       {new}" in cli.run("show", old).stdout.splitlines()
    assert f"  redrive of        {old}" in cli.run("show", new).stdout.splitlines()
    assert "ActivityRedriven" in cli.run("events", old).stdout
    assert cli.run("show", new, "--json").document["context"] == {"n": 1}


def test_many_are_shown_first_and_then_redriven_once(cli, ready):
    olds = {start(cli, "-m", str(number), "--tag", "vpn") for number in range(3)}
    for old in olds:
        fail(ready, old)
    arguments = ("redrive", "--tag", "vpn", "--error", "upstream_failed", "--reason", "repaired")

    shown = cli.run(*arguments, "--created-after", "2026-01-01", "--dry-run", "-q")
    cli.terminal.reads = True
    asked = cli.run(*arguments, "--limit", "2", "--json", stdin="y\n").document
    rest = cli.run(*arguments, "--cursor", asked["next_cursor"], "--yes", "--json").document
    repeated = cli.run(*arguments, "--yes")

    assert olds == set(shown.stdout.split())
    done = [*asked["items"], *rest["items"]]
    assert olds == {item["activity_id"] for item in done if item["outcome"] == "redriven"}
    assert repeated.stderr == "0 redriven, 3 skipped.\n"


def test_pages_follow_each_other(cli, ready):
    started = {start(cli, "-m", str(number)) for number in range(3)}

    first = cli.run("list", "--limit", "2", "--json").document
    rest = cli.run("list", "--limit", "2", "--cursor", first["next_cursor"], "-q").stdout.split()

    assert {item["activity_id"] for item in first["items"]} | set(rest) == started


def test_a_key_used_twice_starts_once_and_with_another_body_is_refused(cli, ready):
    first = start(cli, "-m", "one", "--idempotency-key", "mine")

    assert start(cli, "-m", "one", "--idempotency-key", "mine") == first
    other = cli.run("start", "it_support", "-m", "two", "--idempotency-key", "mine")
    assert other.exit_code == 2


def test_an_inline_adapter_is_accepted(cli, ready):
    outcome = cli.run("start", "--aop", "vpn_access", "--connection", "acme", "--json")

    assert outcome.exit_code == 0
    assert outcome.document["status"] == "queued"


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("show", "act_01JDAAAAAAAAAAAAAAAAAAAAAA"), 5),
        (("show", "act_nonsense"), 5),
        (("watch", "run_01JDAAAAAAAAAAAAAAAAAAAAAA_1"), 5),
        (("events", "run_01JDAAAAAAAAAAAAAAAAAAAAAA_1"), 5),
        (("cancel", "act_01JDAAAAAAAAAAAAAAAAAAAAAA"), 5),
        (("resolve", "run_01JDAAAAAAAAAAAAAAAAAAAAAA_1", "--not-started"), 5),
        (("resolve", "act_01JDAAAAAAAAAAAAAAAAAAAAAA", "--not-started"), 5),
        (("resolve", "run_01JDAAAAAAAAAAAAAAAAAAAAAA_1", "--item", "a b"), 2),
        (("redrive", "act_01JDAAAAAAAAAAAAAAAAAAAAAA", "--reason", "r"), 5),
        (("redrive", "act_nonsense", "--reason", "r"), 5),
        (("redrive", "--error", "Not A Code", "--reason", "r", "--yes"), 2),
        (("redrive", "--tag", "x", "--reason", "r" * 501, "--yes"), 2),
        (("redrive", "--tag", "x", "--reason", "r", "--cursor", "nonsense", "--yes"), 2),
        (("check", "nope"), 5),
        (("connection", "delete", "acme"), 6),
        (("list", "--status", "pondering"), 2),
        (("list", "--cursor", "nonsense"), 2),
        (("start", "it_support", "--timeout", "1"), 2),
        (("start", "it_support", "--on-start-unknown", "pray"), 2),
        (("agent", "set", "x", "--aop", "a b", "--connection", "acme"), 2),
    ],
)
def test_refusals_have_their_exit_codes_and_say_why(cli, ready, arguments, exit_code):
    outcome = cli.run(*arguments)

    assert outcome.exit_code == exit_code, outcome.stderr
    assert outcome.stderr.startswith("error: ")
    assert "request id: " in outcome.stderr
    assert "\n  next: " in outcome.stderr


def test_unknown_roles_connections_and_regions_are_named(cli, ready):
    role = cli.run("start", "nobody")
    connection = cli.run("start", "--aop", "a", "--connection", "nope")
    region = cli.run("connect", "leena", "--from-stdin", "--region", "mars", stdin=CREDENTIALS)

    assert (role.exit_code, connection.exit_code, region.exit_code) == (2, 2, 2)
    assert "nobody" in role.stderr
    assert "nope" in connection.stderr
    assert "region" in region.stderr


def test_a_wrong_key_is_an_auth_error(cli, served):
    cli.environment["AGENTRUNS_OPERATOR_KEY"] = "wrong-CANARY"

    outcome = cli.run("list")

    assert outcome.exit_code == 4
    assert "CANARY" not in outcome.text


def test_no_output_ever_holds_a_secret(cli, ready):
    for arguments in (("check", "acme", "--json"), ("connection", "list", "--json"), ("list",)):
        assert "CANARY" not in cli.run(*arguments).text
