"""The embedded stack: MiniStack and the provider emulators, with this checkout's template deployed.

`start` brings it up in a state directory (`.local`, or one of its own for a test run), `stop` ends
it and leaves nothing behind. Both may be called in any state: a stack that is up is kept and only
what changed is deployed again, one that crashed is cleaned up first. As a program:
`python -m local.stack up|down`. Not here: how processes, files and sam are handled.
"""

import argparse
import fcntl
import hashlib
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.leap_emulator import EmulatorSettings as LeapSettings
from local.processes import (
    LOOPBACK,
    free_port,
    is_running,
    spawn,
    stop_group,
    stop_processes_under,
    wait_until_ready,
)
from local.sam import ARTIFACT_BUCKET, CREDENTIALS, REGION, Sam, SamFailed, python_runtime
from local.sources import source_digest
from local.stack_files import Service, StackInfo, StateDirectory
from local.steps import Steps

CHECKOUT = Path(__file__).resolve().parent.parent
STACK_NAME = "agentruns-local"
SAVING_SECONDS = 30
STATE_DIRECTORY_VARIABLE = "AGENTRUNS_STATE_DIR"
MINISTACK = "ministack"
LEENA_EMULATOR = "leena_emulator"
LEAP_EMULATOR = "leap_emulator"
EMULATOR_PORTS = {LEENA_EMULATOR: 4580, LEAP_EMULATOR: 4581}
"""Of the providers' emulators: the module's name in `local`, and the port of the usual stack."""


class StackFailed(Exception):
    """The stack could not be brought up; the message says what failed and where its log is."""


def default_state_directory() -> Path:
    """`.local` of this checkout, unless AGENTRUNS_STATE_DIR names another folder: for a second
    stack beside the first."""
    return Path(os.environ.get(STATE_DIRECTORY_VARIABLE) or CHECKOUT / ".local")


def start(
    state_dir: Path | None = None,
    *,
    parameters: Mapping[str, str] | None = None,
    ministack_environment: Mapping[str, str] | None = None,
    stack_name: str = STACK_NAME,
    quiet: bool = False,
) -> StackInfo:
    """Bring the stack in the state directory up, or up to date, and describe it.

    `parameters` override the template's; `ministack_environment` sets MiniStack's own switches,
    e.g. `SFN_WAIT_SCALE` or `AUTH`. Other switches than last time start it anew, empty.
    Interrupted or failed, it leaves nothing running that it started. StackFailed says why.
    """
    state = StateDirectory((state_dir or default_state_directory()).resolve())
    steps = Steps(wanted=not quiet)
    switches = dict(ministack_environment or {})
    with _locked(state):
        was_running = _is_up(state, switches)
        try:
            if not was_running:
                _clean(state, steps)
                _start_processes(state, switches, steps)
            return _deploy(state, stack_name, dict(parameters or {}), steps)
        except SamFailed as exc:
            if not was_running:
                _clean(state, steps)
            raise StackFailed(str(exc)) from exc
        except BaseException:
            if not was_running:
                _clean(state, steps)
            raise


def stop(state_dir: Path | None = None, *, quiet: bool = False) -> None:
    """End the stack of the state directory, also one that crashed; nothing happens without one."""
    state = StateDirectory((state_dir or default_state_directory()).resolve())
    if state.path.exists():
        with _locked(state):
            _clean(state, Steps(wanted=not quiet))


def restart_ministack(state_dir: Path, ministack_environment: Mapping[str, str]) -> None:
    """End MiniStack politely and start it again on its port, with the switches it was started with.

    With `PERSIST_STATE=1` among them it comes back with everything but its executions, which have
    failed; without it comes back empty. The other processes are not touched. StackFailed says why.
    """
    state = StateDirectory(state_dir.resolve())
    with _locked(state):
        before, stack = state.read_services().get(MINISTACK), state.read_stack()
        if before is None or stack is None:
            raise StackFailed(f"no stack is up in {_shown(state.path)}")
        stop_group(before.process, grace_seconds=SAVING_SECONDS)
        stop_processes_under(state.temporary)
        log_file = state.logs / f"{MINISTACK}.log"
        log_file.replace(log_file.with_stem(f"{MINISTACK}-before-restart"))
        _start_ministack(state, ministack_environment, preferred_port=before.port)
        after = state.read_services()[MINISTACK]
        if after.port != before.port:
            raise StackFailed(f"MiniStack's port {before.port} was taken while it restarted")
        state.write_stack(replace(stack, pids={**stack.pids, MINISTACK: after.process.pid}))


def read(state_dir: Path | None = None) -> StackInfo | None:
    """The stack that is up in the state directory; None when there is none or it has died."""
    state = StateDirectory((state_dir or default_state_directory()).resolve())
    stack = state.read_stack()
    services = state.read_services().values()
    alive = stack is not None and all(is_running(service.process) for service in services)
    return stack if alive else None


def client(stack: StackInfo, service: str) -> Any:
    """A boto3 client for the service of this stack, whatever AWS settings the caller has."""
    return _client(stack.endpoint_url, service)


@contextmanager
def _locked(state: StateDirectory) -> Iterator[None]:
    state.path.mkdir(parents=True, exist_ok=True)
    with state.lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_up(state: StateDirectory, switches: Mapping[str, str]) -> bool:
    services = state.read_services()
    return (
        services.keys() == {MINISTACK, *EMULATOR_PORTS}
        and all(is_running(service.process) for service in services.values())
        and state.read_deployed().get("switches") == _digest(switches)
        and (stack := state.read_stack()) is not None
        and _answers(f"{stack.endpoint_url}/_ministack/health")
    )


def _clean(state: StateDirectory, steps: Steps) -> None:
    """End what runs for this state directory or was left over by a crash, and forget it."""
    services = state.read_services()
    if not services and not state.temporary.exists():
        return
    with steps.step("stopping what runs in " + _shown(state.path)):
        for service in services.values():
            stop_group(service.process)
        # Lambda workers outlive a killed MiniStack; their files lie in its TMPDIR
        stop_processes_under(state.temporary)
        state.forget()


def _start_processes(state: StateDirectory, switches: Mapping[str, str], steps: Steps) -> None:
    state.temporary.mkdir(parents=True)
    state.logs.mkdir(exist_ok=True)
    is_default = state.path == CHECKOUT / ".local"
    with steps.step("starting MiniStack"):
        _start_ministack(state, switches, preferred_port=4566 if is_default else None)
    with steps.step("starting the Leena and the Leap emulator"):
        for name, port in EMULATOR_PORTS.items():
            _start_process(
                state,
                name,
                preferred_port=port if is_default else None,
                command=[sys.executable, "-m", f"local.{name}"],
                environment={"PYTHONPATH": str(CHECKOUT)},
            )
    state.write_deployed({"switches": _digest(switches)})


def _start_ministack(
    state: StateDirectory, switches: Mapping[str, str], preferred_port: int | None
) -> None:
    _start_process(
        state,
        MINISTACK,
        preferred_port=preferred_port,
        command=[
            str(CHECKOUT / ".venvs/ministack/bin/python"),
            # -P: this folder has modules of its own names that must not shadow MiniStack's
            "-P",
            str(CHECKOUT / "local/ministack_launcher.py"),
            # not read: by this path a later start finds the process, whatever files are lost
            str(state.temporary / MINISTACK),
        ],
        environment={
            "BIND_HOST": LOOPBACK,
            "IOT_MTLS_ENABLED": "0",
            "STATE_DIR": str(state.temporary / "saved"),
            **switches,
        },
    )


def _start_process(
    state: StateDirectory,
    name: str,
    *,
    preferred_port: int | None,
    command: list[str],
    environment: Mapping[str, str],
) -> None:
    """Start one background process, write it down and wait until its port answers.

    The environment is clean, since Lambda workers inherit it: no credentials or proxies of the
    caller's. A port that somebody takes in between costs another try.
    """
    log_file = state.logs / f"{name}.log"
    for port in (free_port(preferred_port), free_port()):
        arguments = [] if name == MINISTACK else ["--port", str(port), "--host", LOOPBACK]
        process = spawn(
            [*command, *arguments],
            environment={
                "PATH": os.defpath,
                "HOME": str(state.path),
                "TMPDIR": str(state.temporary),
                "LANG": "C.UTF-8",
                "GATEWAY_PORT": str(port),
                **environment,
            },
            log_file=log_file,
        )
        service = Service(process=process, port=port)
        state.write_services({**state.read_services(), name: service})
        if wait_until_ready(process, port):
            return
    last_lines = "\n".join(log_file.read_text().splitlines()[-10:])
    raise StackFailed(f"{name} did not start (log: {log_file}):\n{last_lines}")


def _deploy(
    state: StateDirectory, stack_name: str, parameters: Mapping[str, str], steps: Steps
) -> StackInfo:
    """Build and deploy what differs from what is deployed; describe the stack."""
    sam = Sam(checkout=CHECKOUT, logs=state.logs)
    wanted = {
        **state.read_deployed(),
        "sources": source_digest(CHECKOUT, build_for=python_runtime()),
        "parameters": _digest({"name": stack_name, **sam.parameters(parameters)}),
    }
    stack = state.read_stack()
    if stack is not None and state.read_deployed() == wanted:
        steps.note(f"{stack.stack_name} is up and up to date")
        return stack
    endpoint_url = f"http://{LOOPBACK}:{state.read_services()[MINISTACK].port}"
    with sam.exclusive_build():
        with steps.step("sam build"):
            is_new = sam.build(wanted["sources"])
        if not is_new:
            steps.note("(same sources as last time: kept that build)")
        with steps.step(f"sam deploy {stack_name}"):
            _client(endpoint_url, "s3").create_bucket(Bucket=ARTIFACT_BUCKET)
            sam.deploy(
                endpoint_url=endpoint_url,
                stack_name=stack_name,
                parameters={"ApiEndpoint": endpoint_url, **parameters},
            )
    with steps.step("reading outputs and operator key"):
        stack = _describe(state, endpoint_url, stack_name)
    state.write_stack(stack)
    state.write_deployed(wanted)
    return stack


def _describe(state: StateDirectory, endpoint_url: str, stack_name: str) -> StackInfo:
    described = _client(endpoint_url, "cloudformation").describe_stacks(StackName=stack_name)
    outputs = {
        output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0]["Outputs"]
    }
    secret = _client(endpoint_url, "secretsmanager").get_secret_value(
        SecretId=outputs["OperatorKeySecretArn"]
    )
    services = state.read_services()
    api_url = _loopback_api_url(endpoint_url, outputs["ApiUrl"])
    return StackInfo(
        api_url=api_url,
        endpoint_url=endpoint_url,
        region=REGION,
        operator_key=json.loads(secret["SecretString"])["key"],
        agent_api_url=f"{api_url}/agent/v1",
        state_machine_arn=outputs["StateMachineArn"],
        table_name=outputs["TableName"],
        event_bus=outputs["EventBusName"],
        leena_emulator_url=f"http://{LOOPBACK}:{services[LEENA_EMULATOR].port}",
        leap_emulator_url=f"http://{LOOPBACK}:{services[LEAP_EMULATOR].port}",
        leap_emulator_api_key=LeapSettings().api_key,
        stack_name=stack_name,
        pids={name: service.process.pid for name, service in services.items()},
        outputs=outputs,
    )


def _loopback_api_url(endpoint_url: str, api_url: str) -> str:
    """MiniStack's address of the REST API that on AWS is https://<id>.execute-api.../<stage>."""
    parts = urlsplit(api_url)
    api_id = (parts.hostname or "").partition(".")[0]
    return f"{endpoint_url}/restapis/{api_id}/{parts.path.strip('/')}/_user_request_"


def _client(endpoint_url: str, service: str) -> Any:
    import boto3  # half a second that an `up` of a running stack need not spend

    create: Any = boto3.client  # the stubs know services by literal names only
    return create(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own loopback address
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()


def _shown(path: Path) -> str:
    return str(path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path)


def main() -> int:
    """`python -m local.stack up|down [--state-dir DIR]`; exit code 1 with a message on failure."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--state-dir", type=Path, default=default_state_directory())
    arguments = parser.parse_args()
    # an ended terminal cleans up as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.action == "down":
            stop(arguments.state_dir)
            return 0
        began = time.monotonic()
        stack = start(arguments.state_dir)
    except StackFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing of it is left running", file=sys.stderr)
        return 130
    print(f"{stack.stack_name} is up after {time.monotonic() - began:.1f} s")
    print(f"  API             {stack.api_url}/v1")
    print(f"  Agent API       {stack.agent_api_url}")
    print(f"  AWS endpoint    {stack.endpoint_url}")
    print(f"  Leena emulator  {stack.leena_emulator_url}")
    print(f"  Leap emulator   {stack.leap_emulator_url}")
    print(f"  description     {_shown(StateDirectory(arguments.state_dir.resolve()).stack_file)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
