"""Figure 5: what a cold function costs before it can work, relative to `import boto3` alone."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import describe_load
from bench.section import Section, verdict
from local.stack import CHECKOUT

ROUNDS = 9
INTERPRETER = CHECKOUT / ".venvs" / "ministack" / "bin" / "python"
BUILD = CHECKOUT / ".local" / "build"
LAYERS = ("AgentrunsLayer", "DependenciesLayer")
API_LAYERS = (*LAYERS, "ApiDependenciesLayer")
"""A function's layers are merged into one folder, as Lambda does in /opt."""


PROVIDER_TARGET, API_TARGET = 1.6, 2.4
TARGETS: Mapping[str, float | None] = {
    "mint_token": PROVIDER_TARGET,
    "execute_aop": PROVIDER_TARGET,
    "start_leap_workflow": PROVIDER_TARGET,
    "dispatch_agent": PROVIDER_TARGET,
    "hooks_api": PROVIDER_TARGET,
    "check_run": PROVIDER_TARGET,
    "open_run": None,
    "park_run": None,
    "settle_run": None,
    "sweep": None,
    "publish_events": None,
    "link_activities": None,
    "accept_event": API_TARGET,
    "operator_api": API_TARGET,
    "agent_api": API_TARGET,
}
CLIENTS: Mapping[str, Sequence[str]] = {
    "mint_token": ("dynamodb", "secretsmanager"),
    "execute_aop": ("dynamodb", "secretsmanager"),
    "start_leap_workflow": ("dynamodb", "secretsmanager"),
    "dispatch_agent": ("dynamodb", "secretsmanager"),
    "hooks_api": ("dynamodb", "secretsmanager", "stepfunctions"),
    "check_run": ("dynamodb", "secretsmanager"),
    "open_run": ("dynamodb",),
    "park_run": ("dynamodb",),
    "settle_run": ("dynamodb",),
    "sweep": ("dynamodb", "secretsmanager", "stepfunctions"),
    "publish_events": ("events",),
    "link_activities": ("dynamodb",),
    "accept_event": ("dynamodb", "stepfunctions"),
    "operator_api": ("dynamodb", "secretsmanager", "stepfunctions"),
    "agent_api": ("dynamodb", "secretsmanager", "stepfunctions"),
}
"""Those that the first invocation builds."""

NAIVE = ("naive worker", "naive API")
BASELINE = "import boto3"
ENVIRONMENT = {
    "PATH": os.defpath,
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
    "TABLE_NAME": "table",
    "EVENT_BUS_NAME": "bus",
    "SECRET_PREFIX": "agentruns/bench",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:bench",
    "OPERATOR_KEY_SECRET_ARN": "arn",
    "OUTPUT_BUCKET_NAME": "bucket",
    "TASK_TOKEN_SECRET_ARN": "arn",
    "AGENT_API_URL": "https://api.example/agent/v1",
    "EVENT_TENANT": "default",
    "HOOK_SECRET_ARN": "arn",
    "HOOK_BASE_URL": "https://hooks.example/hooks",
    "ALLOW_PRIVATE_NETWORKS": "false",
    "ALLOWED_PORTS": "443",
    "POLL_FLOOR_SECONDS": "5",
    "POLL_CAP_SECONDS": "60",
    "PAUSED_POLL_FLOOR_SECONDS": "60",
    "PAUSED_POLL_CAP_SECONDS": "900",
}
METHOD = (
    f"A fresh process of the Lambda environment's Python per sample, {ROUNDS} rounds, all rows in "
    f"turn within a round. Init = import of the function's app.py with the built layers in one "
    f"folder on sys.path, its wiring builder, its logger. CPU and wall time in milliseconds: least "
    f"and median. `init` is the least CPU time over the baseline's least, the measure that other "
    f"processes disturb least. `+ clients` adds the boto clients its first invocation builds. `no "
    f".pyc`: that too, with layers without compiled files and nothing written. Naive: boto3 "
    f"clients, requests and pydantic at import, no .pyc. The baseline's boto3 has its .pyc always."
)
PROBE = """
import json, time
marks = [(time.process_time(), time.perf_counter())]
def mark():
    marks.append((time.process_time(), time.perf_counter()))
{statements}
print(json.dumps([[1000 * (c - marks[0][0]), 1000 * (w - marks[0][1])] for c, w in marks[1:]]))
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """A program to time: two marks, `init` and, for our functions, `with clients`."""

    statements: str
    path: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Samples:
    """CPU and wall milliseconds of one mark over the rounds."""

    cpu: Sequence[float]
    wall: Sequence[float]


def measure() -> Section:
    """Needs the layers that `sam build` made for the local stack."""
    with tempfile.TemporaryDirectory(prefix="agentruns-bench-") as folder:
        probes = {BASELINE: Probe("import boto3; mark()", ())}
        for function, target in TARGETS.items():
            layers = API_LAYERS if target == API_TARGET else LAYERS
            shipped = merged_layers(layers, Path(folder), compiled=True)
            stripped = merged_layers(layers, Path(folder), compiled=False)
            probes[function] = function_probe(function, shipped)
            probes[f"{function}, no .pyc"] = function_probe(function, stripped)
        path = [merged_layers(API_LAYERS, Path(folder), compiled=False), CHECKOUT]
        probes[NAIVE[0]] = Probe("import bench.naive.worker; mark()", path)
        probes[NAIVE[1]] = Probe("import bench.naive.api; mark()", path)
        samples = run(probes)
    base = min(samples[BASELINE][0].cpu)
    rows = [baseline_row(samples[BASELINE][0])]
    missed = []
    for function, target in TARGETS.items():
        init, ready = samples[function]
        _, bare = samples[f"{function}, no .pyc"]
        ratio = min(init.cpu) / base
        rows.append(
            (
                function,
                times(init.cpu),
                times(init.wall),
                f"{ratio:.2f}",
                f"<= {target}" if target else "",
                verdict(ratio <= target) if target else "",
                f"{min(ready.cpu) / base:.2f}",
                f"{min(bare.cpu) / base:.2f}",
            )
        )
        if target and ratio > target:
            missed.append(f"{function} {ratio:.2f}, not {target}")
    for name in NAIVE:
        init = samples[name][0]
        naive_ratio = f"{min(init.cpu) / base:.2f}"
        cells = (name, times(init.cpu), times(init.wall), "", "", "", "", naive_ratio)
        rows.append(cells)
    return Section(
        title=f"5. Cold init relative to `import boto3` ({describe_load()})",
        method=METHOD,
        columns=("function", "CPU", "wall", "init", "target", "verdict", "+ clients", "no .pyc"),
        rows=rows,
        missed=missed,
    )


def baseline_row(baseline: Samples) -> tuple[str, ...]:
    return (BASELINE, times(baseline.cpu), times(baseline.wall), "1.00", "", "", "", "")


def times(values: Sequence[float]) -> str:
    return f"{min(values):.0f} / {statistics.median(values):.0f}"


def function_probe(function: str, opt: Path) -> Probe:
    clients = "; ".join(f"clients.{service}()" for service in CLIENTS[function])
    return Probe(
        f"import app\napp.wiring.{function}()\napp.telemetry.begin_invocation(None)\nmark()\n"
        f"clients = app.wiring.parts.clients(); {clients}\nmark()",
        [CHECKOUT / "functions" / function, opt],
    )


def merged_layers(layers: Sequence[str], folder: Path, *, compiled: bool) -> Path:
    """One folder with these built layers, with or without their .pyc; made when first asked for."""
    merged = folder / f"{len(layers)}-{'with' if compiled else 'without'}-pyc"
    left_out = None if compiled else shutil.ignore_patterns("__pycache__")
    if not merged.exists():
        for layer in layers:
            shutil.copytree(BUILD / layer / "python", merged, ignore=left_out, dirs_exist_ok=True)
    return merged


def run(probes: Mapping[str, Probe]) -> dict[str, list[Samples]]:
    """Samples of each probe's marks, by its name."""
    taken: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in probes}
    for _ in range(ROUNDS):
        for name, probe in probes.items():
            taken[name].append(sample(probe))
    return {
        name: [
            Samples([cpu for cpu, _ in mark], [wall for _, wall in mark])
            for mark in zip(*rounds, strict=True)
        ]
        for name, rounds in taken.items()
    }


def sample(probe: Probe) -> list[tuple[float, float]]:
    ended = subprocess.run(
        [str(INTERPRETER), "-c", PROBE.format(statements=probe.statements)],
        env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(str(path) for path in probe.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"{probe.statements!r} failed:\n{ended.stderr}")
    return [(cpu, wall) for cpu, wall in json.loads(ended.stdout.splitlines()[-1])]
