"""Runs `sam build` and `sam deploy` for the embedded stack: the same template, other surroundings.

The output goes to a log file; when sam fails, its last lines are part of the error. Not here: when
to build or deploy (stack.py).
"""

import fcntl
import os
import platform
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REGION = "us-east-1"
# MiniStack takes any; with AUTH=true these two stand for the account's root user
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
ARTIFACT_BUCKET = "agentruns-artifacts"
_ERROR_LINES = 25


class SamFailed(Exception):
    """`sam` ended with an error; the message has its last lines and the log's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sam:
    """The sam of one checkout, writing to one log folder."""

    checkout: Path
    logs: Path

    @property
    def build_directory(self) -> Path:
        """Build output for the interpreter at hand: apart from .aws-sam, which is for AWS."""
        return self.checkout / ".local" / "build"

    def parameters(self, overrides: Mapping[str, str]) -> dict[str, str]:
        """Template parameters: samconfig's [local] ones, this machine's, then the overrides."""
        return {
            **local_parameters(self.checkout / "samconfig.toml"),
            "PythonRuntime": python_runtime(),
            "Architecture": architecture(),
            **overrides,
        }

    @contextmanager
    def exclusive_build(self) -> Iterator[None]:
        """Hold the build directory: stacks of one checkout share it."""
        self.build_directory.parent.mkdir(exist_ok=True)
        with (self.build_directory.parent / "build.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def build(self, source_digest: str) -> bool:
        """Build unless the last build was of the same sources; True when it had to."""
        stamp = self.build_directory.parent / "build.digest"
        if stamp.exists() and stamp.read_text() == source_digest:
            return False
        stamp.unlink(missing_ok=True)
        self._run(
            [
                "build",
                *("--build-dir", str(self.build_directory)),
                *("--parameter-overrides", *_overrides(self.parameters({}))),
            ],
            {
                "LAYER_ARCH": "host",
                "LAYER_PYTHON": python_runtime().removeprefix("python"),
                "LAYER_INTERPRETER": str(self.checkout / ".venvs/ministack/bin/python"),
                "UV": str(self.checkout / ".venvs/tools/bin/uv"),
            },
        )
        stamp.write_text(source_digest)
        return True

    def deploy(self, *, endpoint_url: str, stack_name: str, parameters: Mapping[str, str]) -> None:
        """Create or update the stack from the last build; SamFailed has CloudFormation's reason."""
        self._run(
            [
                *("deploy", "--stack-name", stack_name),
                *("--template-file", str(self.build_directory / "template.yaml")),
                *("--s3-bucket", ARTIFACT_BUCKET, "--region", REGION),
                *("--parameter-overrides", *_overrides(self.parameters(parameters))),
            ],
            {"AWS_ENDPOINT_URL": endpoint_url, "SAM_CLI_POLL_DELAY": "0.2"},
        )

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        log_file = self.logs / f"sam-{arguments[0]}.log"
        with log_file.open("w") as log:
            ended = subprocess.run(
                # sam looks for its configuration beside the template: in the build directory
                [
                    *(str(self.checkout / ".venvs/sam/bin/sam"), *arguments),
                    *("--config-file", str(self.checkout / "samconfig.toml")),
                    *("--config-env", "local"),
                ],
                cwd=self.checkout,
                env=sam_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode != 0:
            last_lines = "\n".join(log_file.read_text().splitlines()[-_ERROR_LINES:])
            raise SamFailed(f"sam {arguments[0]} failed (all of it in {log_file}):\n{last_lines}")


def sam_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without its AWS settings: nothing may reach a real account."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))
    }
    return {
        **kept,
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        **extra,
    }


def local_parameters(samconfig: Path) -> dict[str, str]:
    """The `parameter_overrides` of samconfig's [local] deployment; empty when there are none."""
    document = tomllib.loads(samconfig.read_text())
    deploy = document.get("local", {}).get("deploy", {}).get("parameters", {})
    pairs = (entry.partition("=") for entry in deploy.get("parameter_overrides", []))
    return {name: value for name, _, value in pairs}


def python_runtime() -> str:
    """The Lambda runtime's name of the interpreter at hand, e.g. `python3.12`."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def architecture() -> str:
    """This machine in Lambda's words: `arm64` or `x86_64`."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    return [f'{name}="{value}"' for name, value in parameters.items()]
