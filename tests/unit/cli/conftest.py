"""Runs the command in this process, with its surroundings replaced as a whole."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
import typer.main
import typer.testing
from typer.testing import CliRunner

from agentruns_cli.main import app
from agentruns_cli.surroundings import Clock, Surroundings, Terminal
from tests.unit.cli.operator_api import API_URL, OPERATOR_KEY, OperatorApi


class SteppingClock(Clock):
    """Time passes by sleeping only. `interrupt_at` presses Ctrl-C in that sleep, counted from 1."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.sleeps: list[float] = []
        self.interrupt_at: int | None = None

    def now(self) -> datetime:
        return datetime(2026, 11, 22, 1, 3, 0, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if self.interrupt_at == len(self.sleeps):
            raise KeyboardInterrupt
        self.elapsed += seconds


@dataclass
class ScriptedTerminal(Terminal):
    """A terminal at either end, or none."""

    reads: bool = False
    writes: bool = False

    def reads_from_a_person(self) -> bool:
        return self.reads

    def writes_to_a_person(self) -> bool:
        return self.writes


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Cli:
    """Runs `agentruns`. Its environment names the API; tests change what they are about."""

    directory: Path
    clock: SteppingClock = field(default_factory=SteppingClock)
    terminal: ScriptedTerminal = field(default_factory=ScriptedTerminal)
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "AGENTRUNS_API_URL": API_URL,
            "AGENTRUNS_OPERATOR_KEY": OPERATOR_KEY,
        }
    )

    def run(self, *arguments: str, stdin: str | None = None) -> Outcome:
        surroundings = Surroundings(
            environment=self.environment,
            directory=self.directory,
            clock=self.clock,
            terminal=self.terminal,
        )
        result = CliRunner().invoke(
            app, list(arguments), input=stdin, obj=surroundings, prog_name="agentruns"
        )
        return Outcome(exit_code=result.exit_code, stdout=result.stdout, stderr=result.stderr)


@pytest.fixture(scope="session", autouse=True)
def shared_command() -> Iterator[None]:
    """Typer reads the signatures of all commands once, as in a process, not in each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(directory=tmp_path)


@pytest.fixture
def api() -> Iterator[OperatorApi]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield OperatorApi(mock)
