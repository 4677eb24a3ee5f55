"""The embedded stack of the fault suite, up for the time of a block: MiniStack behind its proxy.

One stack serves every scenario: MiniStack keeps its state over a clean stop, its functions call AWS
through microburst, waits take a twentieth of their time. IAM is not enforced, since microburst
rewrites the host that a signature covers; the workflow tests enforce it. Not here: what a scenario
does with it (`stack`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.agents.agent import FaultyAgent
from chaos.proxy import FaultProxy, fault_proxy
from chaos.stack import STACK_NAME, ChaosStack
from local import stack as embedded
from local.leap_emulator import LeapEmulator
from local.leena_emulator import LeenaEmulator
from local.processes import LOOPBACK, free_port
from local.stack_files import StackInfo, StateDirectory

STATE_DIRECTORY = embedded.CHECKOUT / ".local" / "chaos-stack"
PARAMETERS = {"ScheduleExpression": "cron(0 3 1 1 ? 2099)"}


@dataclass(frozen=True, slots=True)
class ChaosSite:
    """The stack, up; each scenario takes it with providers and connections of its own."""

    deployed: StackInfo
    switches: Mapping[str, str]
    proxy: FaultProxy
    directory: Path

    @contextmanager
    def scenario(self, name: str, seed: int) -> Iterator[ChaosStack]:
        """With providers whose ledgers are empty. The proxy is without rules before and after."""
        self.proxy.set_rules([])
        with LeenaEmulator() as leena, LeapEmulator() as leap, FaultyAgent(seed) as agent:
            stack = ChaosStack(
                deployed=self.deployed,
                switches=self.switches,
                directory=self.directory,
                leena=leena,
                leap=leap,
                agent=agent,
                connection=f"{name}-{seed}",
            )
            stack.connect()
            try:
                yield stack
            finally:
                self.proxy.set_rules([])


@contextmanager
def chaos_site(seed: int, note: Callable[[str], None]) -> Iterator[ChaosSite]:
    """Up for the time of the block, in a state directory of its own; ended whatever happens."""
    port = free_port()
    switches = {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "LAMBDA_WARM_TTL_SECONDS": "30",
        "PERSIST_STATE": "1",
        "SFN_WAIT_SCALE": "0.05",
    }
    began = time.monotonic()
    with own_directory(STATE_DIRECTORY) as directory:
        try:
            embedded.stop(directory, quiet=True)
            deployed = embedded.start(
                directory,
                parameters=PARAMETERS,
                ministack_environment=switches,
                stack_name=STACK_NAME,
                quiet=True,
            )
            log_file = StateDirectory(directory).logs / "microburst.log"
            with fault_proxy(port, deployed.endpoint_url, seed, log_file) as proxy:
                note(f"stack up in {time.monotonic() - began:.0f} s")
                yield ChaosSite(deployed, switches, proxy, directory)
        finally:
            embedded.stop(directory, quiet=True)


@contextmanager
def own_directory(usual: Path) -> Iterator[Path]:
    """The usual one, or another while somebody else has it."""
    usual.mkdir(parents=True, exist_ok=True)
    with (usual / "session.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            yield usual
            return
    directory = usual.with_name(f"{usual.name}-{os.getpid()}")
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
