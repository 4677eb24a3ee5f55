"""`agentruns up|down|status`: thin over the launcher, which is replaced here."""

import pytest

from local import stack as launcher
from local.stack_files import StackInfo

STACK = StackInfo(
    api_url="http://127.0.0.1:4566/restapis/abc/local/_user_request_",
    endpoint_url="http://127.0.0.1:4566",
    region="us-east-1",
    operator_key="key-CANARY",
    agent_api_url="http://127.0.0.1:1/live/agent/v1",
    state_machine_arn="arn:aws:states:us-east-1:000000000000:stateMachine:activity",
    table_name="agentruns-local-table",
    event_bus="agentruns",
    leena_emulator_url="http://127.0.0.1:4580",
    leap_emulator_url="http://127.0.0.1:4581",
    leap_emulator_api_key="leap-CANARY",
    stack_name="agentruns-local",
    pids={"ministack": 1},
    outputs={"ApiUrl": "https://abc"},
)


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What the launcher was asked, with whether to be quiet."""
    asked: list[tuple[str, bool]] = []

    def start(*, quiet: bool) -> StackInfo:
        asked.append(("start", quiet))
        return STACK

    (tmp_path / "template.yaml").touch()
    monkeypatch.setattr(launcher, "CHECKOUT", tmp_path)
    monkeypatch.setattr(launcher, "start", start)
    monkeypatch.setattr(launcher, "stop", lambda *, quiet: asked.append(("stop", quiet)))
    monkeypatch.setattr(launcher, "read", lambda: STACK)
    return asked


def test_up_prints_where_it_is_and_what_to_do_next(cli, calls):
    outcome = cli.run("up")

    assert (outcome.exit_code, calls) == (0, [("start", False)])
    assert outcome.stdout.startswith(
        "agentruns-local is up\n  API               http://127.0.0.1:4566"
    )
    assert "agentruns connect leena" in outcome.stderr
    assert "--auth-url http://127.0.0.1:4580 --aic-url http://127.0.0.1:4580" in outcome.stderr
    assert "agentruns connect leap --base-url http://127.0.0.1:4581" in outcome.stderr
    assert "CANARY" not in outcome.text


@pytest.mark.parametrize("command", ["up", "status"])
def test_json_is_the_stack_file(cli, calls, command):
    document = cli.run(command, "--json").document

    assert document["api_url"] == STACK.api_url
    assert document["operator_key"] == "key-CANARY"
    assert document["leap_emulator_url"] == "http://127.0.0.1:4581"
    assert document["leap_emulator_api_key"] == "leap-CANARY"
    assert document["pids"] == {"ministack": 1}


@pytest.mark.parametrize("command", ["up", "status"])
def test_quiet_prints_the_address_alone(cli, calls, command):
    assert cli.run(command, "-q").text == f"{STACK.api_url}\n"


def test_programs_are_spared_the_steps(cli, calls):
    cli.run("up", "--json")
    cli.run("down", "-q")

    assert calls == [("start", True), ("stop", True)]


def test_down_stops_it(cli, calls):
    outcome = cli.run("down")

    assert (outcome.exit_code, outcome.stdout, calls) == (0, "", [("stop", False)])
    assert cli.run("down", "--json").document == {"up": False}


def test_status_shows_it_without_the_key(cli, calls):
    outcome = cli.run("status")

    assert outcome.exit_code == 0
    assert "agentruns-local is up" in outcome.stdout
    assert "CANARY" not in outcome.text


def test_status_of_a_stack_that_is_down_says_how_to_start_it(cli, calls, monkeypatch):
    monkeypatch.setattr(launcher, "read", lambda: None)

    outcome = cli.run("status", "--json")

    assert (outcome.exit_code, outcome.stdout) == (8, "")
    assert "agentruns up" in outcome.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (launcher.StackFailed("ministack did not start (log: x)"), "ministack did not start"),
        (FileNotFoundError(2, "No such file", "python"), "make up"),
    ],
)
def test_a_launcher_that_fails_is_explained(cli, calls, monkeypatch, error, words):
    def fail(*, quiet: bool) -> None:
        raise error

    monkeypatch.setattr(launcher, "start", fail)

    outcome = cli.run("up")

    assert outcome.exit_code == 1
    assert words in outcome.stderr
    assert "Traceback" not in outcome.text


def test_ctrl_c_during_up_is_an_interruption(cli, calls, monkeypatch):
    def interrupt(*, quiet: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "start", interrupt)

    assert cli.run("up").exit_code == 130


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_without_a_checkout_there_is_no_embedded_stack(cli, calls, monkeypatch, tmp_path, command):
    monkeypatch.setattr(launcher, "CHECKOUT", tmp_path / "elsewhere")

    outcome = cli.run(command)

    assert outcome.exit_code == 2
    assert "needs a checkout of the repository" in outcome.stderr
    assert calls == []
