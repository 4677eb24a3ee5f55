"""What the embedded stack writes down in its state directory, and how it is read again.

`stack.json` is for everybody (the command line, tests, a person): where the stack is and how to
call it. `services.json` and `deployed.json` are the launcher's own. All are written atomically and
readable by their owner only, since stack.json holds the operator key.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from local.processes import ProcessIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A background process of the stack and the loopback port it serves."""

    process: ProcessIdentity
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackInfo:
    """A deployed embedded stack; mirrors stack.json.

    `api_url` has no trailing slash and no /v1; `agent_api_url` ends in /agent/v1. `outputs` are the
    template's outputs as they are, `pids` the process ids by name ("ministack", "leena_emulator",
    "leap_emulator"). The API key is the one that the Leap emulator is born with, as the Leena
    emulator is with its credentials.
    """

    api_url: str
    endpoint_url: str
    region: str
    operator_key: str = field(repr=False)
    agent_api_url: str
    state_machine_arn: str
    table_name: str
    event_bus: str
    leena_emulator_url: str
    leap_emulator_url: str
    leap_emulator_api_key: str = field(repr=False)
    stack_name: str
    pids: Mapping[str, int]
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The folder of one embedded stack: `.local`, or one of its own for each test run."""

    path: Path

    @property
    def stack_file(self) -> Path:
        """The stack's description, there as long as the stack is up."""
        return self.path / "stack.json"

    @property
    def temporary(self) -> Path:
        """TMPDIR of MiniStack and its workers: removed when the stack ends."""
        return self.path / "tmp"

    @property
    def logs(self) -> Path:
        """Logs of the background processes and of sam, kept until the next start."""
        return self.path / "logs"

    @property
    def lock_file(self) -> Path:
        """Held while the stack is being started or stopped."""
        return self.path / "lock"

    def read_stack(self) -> StackInfo | None:
        """The stack described here; None when there is none or the file is not one of ours."""
        document = _read_object(self.stack_file)
        try:
            return StackInfo(**{f.name: document[f.name] for f in fields(StackInfo)})
        except KeyError:
            return None

    def write_stack(self, stack: StackInfo) -> None:
        """Put the description in place, all of it or nothing."""
        _write_atomically(self.stack_file, json.dumps(asdict(stack), indent=2) + "\n")

    def read_services(self) -> dict[str, Service]:
        """The background processes last started here, by name, whether they still run or not."""
        try:
            return {
                name: Service(
                    process=ProcessIdentity(pid=int(entry["pid"]), started=str(entry["started"])),
                    port=int(entry["port"]),
                )
                for name, entry in _read_object(self.path / "services.json").items()
            }
        except (KeyError, TypeError, ValueError):
            return {}

    def write_services(self, services: Mapping[str, Service]) -> None:
        """Write the background processes down, so that a later run can end them."""
        document = {
            name: {**asdict(service.process), "port": service.port}
            for name, service in services.items()
        }
        _write_atomically(self.path / "services.json", json.dumps(document) + "\n")

    def read_deployed(self) -> dict[str, str]:
        """Digests of what is deployed: `switches`, `sources`, `parameters`; or nothing."""
        digests = _read_object(self.path / "deployed.json")
        return {name: str(digest) for name, digest in digests.items()}

    def write_deployed(self, digests: Mapping[str, str]) -> None:
        """Write down what is deployed, after it is."""
        _write_atomically(self.path / "deployed.json", json.dumps(dict(digests)) + "\n")

    def forget(self) -> None:
        """Remove everything a running stack needs; logs stay for whoever looks for a cause."""
        for name in ("stack.json", "services.json", "deployed.json"):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)


def _read_object(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _write_atomically(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)
