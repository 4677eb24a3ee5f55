"""Background processes of the embedded stack: start, recognise and end them, and no others.

A process is known by its id together with its start time, since ids are given out again. Orphans
(Lambda workers of a killed MiniStack) are known by a path in their command line. Not here: what
is started and why (stack.py).
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
READY_SECONDS = 30
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process id and the start time the system gives with it: an opaque text."""

    pid: int
    started: str


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], log_file: Path
) -> ProcessIdentity:
    """Start the command as leader of its own session and process group; output goes to the log.

    Only the given environment is passed on. OSError when the program cannot be run.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_file), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    return ProcessIdentity(pid=pid, started=start_time(pid) or "")


def start_time(pid: int) -> str | None:
    """When the process began, in the system's words; None when it has ended (or is a zombie)."""
    _reap(pid)
    if _PROC.joinpath("self").exists():
        try:
            text = _PROC.joinpath(str(pid), "stat").read_text()
        except OSError:
            return None
        # fields after the name in parentheses: state is the first, start time the twentieth
        fields = text[text.rindex(")") + 2 :].split()
        return None if fields[0] == "Z" else fields[19]
    answer = _ps("-p", str(pid), "-o", "state=,lstart=").strip()
    return None if not answer or answer.startswith("Z") else answer.split(maxsplit=1)[1]


def is_running(process: ProcessIdentity) -> bool:
    """True when this very process still runs, not a later one with the same id."""
    return start_time(process.pid) == process.started


def stop_group(process: ProcessIdentity, grace_seconds: float = 3) -> None:
    """End the process and everything in its group: politely, then for good after the grace.

    Nothing happens when the process has ended: its group's id may belong to a stranger by now.
    """
    if not is_running(process):
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sent)
        deadline = time.monotonic() + grace_seconds
        while is_running(process) and time.monotonic() < deadline:
            time.sleep(0.02)


def stop_processes_under(directory: Path) -> int:
    """Kill every process whose command line names a path inside the directory; how many it were."""
    marker = f"{directory}{os.sep}"
    doomed = [pid for pid, command in command_lines() if marker in command and pid != os.getpid()]
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return len(doomed)


def free_port(preferred: int | None = None) -> int:
    """A loopback port that nothing listens on: the preferred one when it is free, else any."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # as servers do: a port whose last connections linger in TIME_WAIT is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {LOOPBACK}")


def accepts_connections(port: int) -> bool:
    """True when something listens on the loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_until_ready(process: ProcessIdentity, port: int) -> bool:
    """Until the port answers; False, and the process ended, where it does not in READY_SECONDS."""
    deadline = time.monotonic() + READY_SECONDS
    while is_running(process) and time.monotonic() < deadline:
        if accepts_connections(port):
            return True
        time.sleep(0.05)
    stop_group(process)
    return False


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def command_lines() -> Iterator[tuple[int, str]]:
    """Process id and command line of everything that runs."""
    if _PROC.joinpath("self").exists():
        for folder in _PROC.iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    words = folder.joinpath("cmdline").read_bytes().split(b"\0")
                    yield int(folder.name), b" ".join(words).decode(errors="replace")
        return
    for line in _ps("-axww", "-o", "pid=,command=").splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), command


def _ps(*arguments: str) -> str:
    """The answer of `ps`, for systems without /proc."""
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
