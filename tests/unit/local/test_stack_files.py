"""What the launcher writes down is read back as it was, and damage reads as nothing."""

import json
import stat

import pytest

from local.processes import ProcessIdentity
from local.stack_files import Service, StackInfo, StateDirectory

STACK = StackInfo(
    api_url="http://127.0.0.1:1/restapis/a/live/_user_request_",
    endpoint_url="http://127.0.0.1:1",
    region="us-east-1",
    operator_key="key-4711",
    agent_api_url="http://127.0.0.1:1/live/agent/v1",
    state_machine_arn="arn:aws:states:us-east-1:000000000000:stateMachine:a",
    table_name="table",
    event_bus="bus",
    leena_emulator_url="http://127.0.0.1:2",
    leap_emulator_url="http://127.0.0.1:3",
    leap_emulator_api_key="key-1331",
    stack_name="agentruns-local",
    pids={"ministack": 1},
    outputs={"ApiUrl": "https://a.execute-api.us-east-1.amazonaws.com/live"},
)
SERVICES = {"ministack": Service(process=ProcessIdentity(pid=1, started="2"), port=3)}


@pytest.fixture
def state(tmp_path):
    return StateDirectory(tmp_path / "state")


def test_stack_json_round_trips(state):
    state.write_stack(STACK)
    assert state.read_stack() == STACK


def test_stack_json_is_for_its_owner_only(state):
    state.write_stack(STACK)
    assert stat.S_IMODE(state.stack_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("key", ["key-4711", "key-1331"])
def test_the_keys_are_not_in_the_representation(key):
    assert key not in repr(STACK)


def test_no_draft_stays_behind(state):
    state.write_stack(STACK)
    assert [file.name for file in state.path.iterdir()] == ["stack.json"]


def test_services_round_trip(state):
    state.write_services(SERVICES)
    assert state.read_services() == SERVICES


def test_the_file_of_an_older_checkout_reads_as_no_stack(state):
    state.write_stack(STACK)
    document = json.loads(state.stack_file.read_text())
    del document["leap_emulator_url"]
    state.stack_file.write_text(json.dumps(document))
    assert state.read_stack() is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"api_url": "only"}'])
def test_a_damaged_or_foreign_file_reads_as_no_stack(state, damage):
    state.path.mkdir()
    state.stack_file.write_text(damage)
    assert state.read_stack() is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"ministack": 1}', '{"ministack": {}}'])
def test_damaged_services_read_as_none(state, damage):
    state.path.mkdir()
    (state.path / "services.json").write_text(damage)
    assert state.read_services() == {}


def test_forgetting_keeps_the_logs_only(state):
    state.write_stack(STACK)
    state.write_services(SERVICES)
    state.write_deployed({"sources": "1"})
    for folder in (state.logs, state.temporary):
        folder.mkdir()
    state.forget()
    assert [file.name for file in state.path.iterdir()] == ["logs"]
    assert state.read_deployed() == {}
