"""Runs the vendor's published clients, each as a program of its own in `.venvs/leap`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
ENVIRONMENT = ROOT / ".venvs" / "leap"
PROGRAMS = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedClient:
    """A published client. `command` runs the program that drives it."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]

    def run(self, url: str, calls: list[dict[str, Any]], *, api_key: str = "demo-key") -> Any:
        """`calls`: `{name, arguments}`. Gives the program's answer: `answers, calls_it_has`."""
        if not Path(self.command[0]).exists():
            raise AssertionError(
                f"{self.command[0]} is missing: run `sh local/bootstrap.sh --leap-clients`, "
                "as `make test` does"
            )
        done = subprocess.run(
            self.command,
            input=json.dumps({"url": url, "api_key": api_key, "calls": calls}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            # clean: no proxies and no options of whoever runs the tests
            env={"PATH": os.defpath, "LANG": "C.UTF-8", **self.variables},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


PYTHON = PublishedClient(
    name="leap-workflows-python-sdk",
    command=(str(ENVIRONMENT / "bin" / "python"), str(PROGRAMS / "python_client.py")),
    variables={"PYTHONDONTWRITEBYTECODE": "1"},
)
NODE = PublishedClient(
    name="@leap-ai/workflows",
    command=(str(ENVIRONMENT / "bin" / "node"), str(PROGRAMS / "node_client.js")),
    variables={"NODE_PATH": str(ENVIRONMENT / "node_client" / "node_modules")},
)
