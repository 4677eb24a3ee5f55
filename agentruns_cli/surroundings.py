"""What a command needs from its process: environment, directory, clock, terminal.

One object, built once by main.py and replaced as a whole by tests. Not here: the API (client.py).
"""

import os
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


class Clock:
    """Time and waiting. Tests replace it."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Terminal:
    """Whether a person sits at either end."""

    def reads_from_a_person(self) -> bool:
        """True where a prompt would be seen and answered."""
        return sys.stdin.isatty()

    def writes_to_a_person(self) -> bool:
        """True where standard output is a terminal that can move its cursor."""
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The process as a command sees it."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directory: Path = field(default_factory=Path.cwd)
    clock: Clock = field(default_factory=Clock)
    terminal: Terminal = field(default_factory=Terminal)

    def new_idempotency_key(self) -> str:
        """A key nobody used before."""
        return f"cli-{uuid.uuid4()}"
