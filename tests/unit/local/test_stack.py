"""A stack that crashed, or never was, is recognised and cleaned up without touching strangers."""

import subprocess
import sys

import pytest

from local.processes import ProcessIdentity
from local.stack import StackFailed, _digest, _loopback_api_url, read, restart_ministack, stop
from local.stack_files import Service, StackInfo, StateDirectory


@pytest.fixture
def stranger():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def crashed(tmp_path, stranger):
    """State of a stack whose MiniStack died and whose process id a stranger has now."""
    state = StateDirectory(tmp_path / "state")
    stale = Service(process=ProcessIdentity(pid=stranger.pid, started="long ago"), port=1)
    state.write_services({"ministack": stale})
    state.write_stack(
        StackInfo(
            api_url="http://127.0.0.1:1/restapis/a/live/_user_request_",
            endpoint_url="http://127.0.0.1:1",
            region="us-east-1",
            operator_key="key",
            agent_api_url="http://127.0.0.1:1/live/agent/v1",
            state_machine_arn="arn",
            table_name="table",
            event_bus="bus",
            leena_emulator_url="http://127.0.0.1:2",
            leap_emulator_url="http://127.0.0.1:3",
            leap_emulator_api_key="demo-key",
            stack_name="agentruns-local",
            pids={"ministack": stranger.pid},
            outputs={},
        )
    )
    state.temporary.mkdir()
    return state


def test_a_crashed_stack_reads_as_none(crashed):
    assert read(crashed.path) is None


def test_stopping_a_crashed_stack_removes_its_state_and_leaves_the_stranger(crashed, stranger):
    stop(crashed.path, quiet=True)
    assert not crashed.stack_file.exists()
    assert not crashed.temporary.exists()
    assert stranger.poll() is None


def test_stopping_where_nothing_ever_ran_makes_nothing(tmp_path):
    stop(tmp_path / "none", quiet=True)
    assert not (tmp_path / "none").exists()


def test_what_is_not_up_is_not_restarted(tmp_path):
    with pytest.raises(StackFailed, match="no stack is up in"):
        restart_ministack(tmp_path / "none", {})


def test_stopping_says_what_it_does(crashed, capsys):
    stop(crashed.path)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "stopping what runs in" in printed.err


def test_the_api_is_addressed_on_loopback_with_its_stage():
    on_aws = "https://a1b2.execute-api.us-east-1.amazonaws.com/live"
    expected = "http://127.0.0.1:4566/restapis/a1b2/live/_user_request_"
    assert _loopback_api_url("http://127.0.0.1:4566", on_aws) == expected


def test_the_order_of_settings_does_not_matter():
    assert _digest({"a": "1", "b": "2"}) == _digest({"b": "2", "a": "1"})
    assert _digest({"a": "1"}) != _digest({"a": "2"})
