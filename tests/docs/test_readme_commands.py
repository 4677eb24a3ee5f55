"""The README's commands, taken from its text and typed in their order, on a stack of their own.

Every `sh` block is run as it stands in one shell; the only thing changed is when the last
`make down` comes. `bash` blocks need an AWS account or credentials of one's own: of those the two
that fetch address and key are run against the emulator, under the embedded stack's name. The stack
is another than that of the other tests, since starting and ending it is what is being tested.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local import stack
from local.stack_files import StackInfo
from tests.docs.pages import CHECKOUT, code_blocks, read_page

pytestmark = [pytest.mark.stack, pytest.mark.slow]

README = read_page("README.md")
BLOCKS = [block.text for block in code_blocks(README) if block.language == "sh"]
DOWN = "make down\n"
AWS_VARIABLES = ("AWS_", "AGENTRUNS_", "SFN_")
TRIGGERED_SECONDS = 90


@dataclass(frozen=True)
class Shell:
    """A bash with the state directory of these tests and without the caller's AWS settings."""

    state_directory: Path
    programs: Path

    def run(self, script: str, timeout_seconds: float = 400) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(AWS_VARIABLES)}
        environment = {
            **kept,
            "AGENTRUNS_STATE_DIR": str(self.state_directory),
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
        }
        return subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )


@dataclass(frozen=True)
class Session:
    """What came of typing the README: the output of each block, and the stack that is left up."""

    shell: Shell
    outputs: list[str]
    deployed: StackInfo

    def output_of(self, beginning: str) -> str:
        """Of the block that begins so."""
        [index] = [i for i, text in enumerate(typed_blocks()) if text.startswith(beginning)]
        return self.outputs[index]

    def call(self, path: str) -> Any:
        headers = {"Authorization": f"ApiKey {self.deployed.operator_key}"}
        answer = requests.get(self.deployed.api_url + path, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()


def typed_blocks() -> list[str]:
    return [text for text in BLOCKS if text != DOWN]


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Iterator[Shell]:
    programs = tmp_path_factory.mktemp("programs")
    aws = programs / "aws"
    aws.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{CHECKOUT}/tests/docs/aws_command.py" "$@"\n'
    )
    aws.chmod(0o755)
    shell = Shell(tmp_path_factory.mktemp("readme-stack"), programs)
    try:
        yield shell
    finally:
        stack.stop(shell.state_directory, quiet=True)


@pytest.fixture(scope="module")
def session(shell) -> Session:
    marker = "=== next block ==="
    script = f"\necho '{marker}'\n".join(typed_blocks())
    ended = shell.run(script)
    assert ended.returncode == 0, f"{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
    deployed = stack.read(shell.state_directory)
    assert deployed is not None
    return Session(shell, ended.stdout.split(f"{marker}\n"), deployed)


def test_the_demo_shows_the_steps_that_the_readme_shows(session):
    [shown] = [block.text for block in code_blocks(README) if block.language == "console"]

    assert steps_of(session.output_of("make demo")) == steps_of(shown)


def steps_of(output: str) -> list[str]:
    """The numbered lines, the commands, what is said of the triggers, and the result, without
    numbers and ids that differ from run to run."""
    lines = [line for line in output.splitlines() if re.match(r"\d\. |\$ |   \w|\d of \d", line)]
    lines = [re.sub(r"\d+(\.\d+)? s\b", "N s", line) for line in lines]
    ids_and_ports = r"\b(?:act_|wait_|127\.0\.0\.1:)\w+"
    return [re.sub(ids_and_ports, "N", line) for line in lines]


def test_the_activity_started_by_hand_is_done_and_shown(session):
    output = session.output_of("agentruns agent set it_support")

    assert "  done  " in output
    assert "ActivityCompleted" in output
    assert re.search(r"^  context +\{\"user\": \"ada\"\}$", output, re.MULTILINE)


def test_the_workflow_started_by_hand_is_done_and_shows_its_output(session):
    output = session.output_of("agentruns agent set content_writer")

    assert "  done  " in output
    assert re.search(r'^  output +\{"answer": "42"', output, re.MULTILINE)
    assert re.search(r"^  evidence +webhook completed", output, re.MULTILINE)


def test_each_trigger_opened_its_activities_and_all_are_done(session):
    until = time.monotonic() + TRIGGERED_SECONDS
    while True:
        items = session.call("/v1/activities?limit=100")["items"]
        if len(items) == 7 and all(item["status"] == "done" for item in items):
            break
        assert time.monotonic() < until, [(i["trigger"], i["status"]) for i in items]
        time.sleep(0.5)

    opened = sorted((item["trigger"], item["title"]) for item in items)
    assert opened == [
        ("api", ""),
        ("api", ""),
        ("api", ""),
        ("api", ""),
        ("event", ""),
        ("event", "INC0503407"),
        ("schedule", ""),
    ]


def test_the_ticket_is_the_context(session):
    [ticket] = [
        item
        for item in session.call("/v1/activities?limit=100")["items"]
        if item["title"] == "INC0503407"
    ]

    context = session.call(f"/v1/activities/{ticket['activity_id']}")["context"]

    assert context == {"ticket_number": "INC0503407", "short_description": "voucher approval"}


def test_the_api_call_repeated_starts_nothing_new(session):
    [call] = [text for text in BLOCKS if "Idempotency-Key" in text]
    first = session.output_of(call)
    fetch = "stack() {" + README.split("stack() {")[1].split("\n")[0]
    address = next(text for text in BLOCKS if text.startswith("API_URL="))

    again = session.shell.run(f". .venv/bin/activate\n{fetch}\n{address}\n{call}")

    assert again.returncode == 0, again.stderr
    assert again.stdout == first


def test_address_and_key_are_fetched_from_aws_as_the_readme_says(session):
    [block] = [
        block.text
        for block in code_blocks(README)
        if block.language == "bash" and block.text.startswith("API_URL=")
    ]
    deployed = session.deployed
    assert block.count("--stack-name agentruns ") == 1
    assert block.count("agentruns/agentruns/operator-key") == 1
    block = block.replace("--stack-name agentruns ", f"--stack-name {deployed.stack_name} ")
    block = block.replace("agentruns/agentruns/", f"agentruns/{deployed.stack_name}/")
    settings = (
        f"export AWS_ENDPOINT_URL={deployed.endpoint_url} AWS_REGION={deployed.region}\n"
        f"export AWS_DEFAULT_REGION={deployed.region}\n"
        "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n"
    )

    ended = session.shell.run(f'{settings}{block}\necho "$API_URL"\necho "$OPERATOR_KEY"')

    assert ended.stdout.splitlines() == [deployed.outputs["ApiUrl"], deployed.operator_key]


def test_down_comes_last_and_ends_it(session):
    assert BLOCKS.count(DOWN) == 1

    ended = session.shell.run(DOWN)

    assert ended.returncode == 0, ended.stderr
    assert stack.read(session.shell.state_directory) is None
    with pytest.raises(requests.ConnectionError):
        session.call("/v1/agents")
