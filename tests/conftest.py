"""The stack of a test session: for `tests/workflow` and `tests/e2e`, when first used.

And what every session needs, so that its tests are quick.
"""

import fcntl
import functools
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import botocore.session
import pytest

from local import stack as embedded
from local.stack_files import StateDirectory
from tests.deployment import Deployment

if threading.current_thread() is threading.main_thread():
    # A background job of a shell ignores Ctrl-C, and so would each program that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

STATE_DIRECTORY = embedded.CHECKOUT / ".local" / "test-stack"

SWITCHES = {
    # the functions' IAM roles are enforced: a missing grant fails the tests as it would on AWS
    "AUTH": "true",
    # waits and backoffs take a tenth of their time; deadlines and clocks in rows are untouched
    "SFN_WAIT_SCALE": "0.1",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was tried, where tests say so: `record_property("kill_points", number)`."""
    visited = [
        int(str(value))
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "kill_points"
    ]
    if visited:
        terminalreporter.write_line(f"{sum(visited)} kill points in {len(visited)} scenarios")


@pytest.fixture(scope="session", autouse=True)
def shared_service_models() -> Iterator[None]:
    """botocore reads the model of a service once, not once for each client: most of a client."""
    with pytest.MonkeyPatch.context() as patch:
        loader = functools.cache(botocore.session.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        yield


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """The template, deployed from this checkout; ended with the session, however that ends.

    Started anew, since a test reads everything that was left behind.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("the stack is shared by the tests: run tests/workflow and tests/e2e without -n")
    with _own_state_directory() as directory:
        embedded.stop(directory, quiet=True)
        try:
            info = embedded.start(
                directory,
                ministack_environment=SWITCHES,
                stack_name="agentruns-test",
                parameters={"ScheduleExpression": "cron(0 3 1 1 ? 2099)"},
                quiet=True,
            )
            yield Deployment(info=info, state=StateDirectory(directory))
        finally:
            embedded.stop(directory, quiet=True)


@contextmanager
def _own_state_directory() -> Iterator[Path]:
    """The usual one (`make test` ends what is left there), or another while a session has it."""
    STATE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (STATE_DIRECTORY / "session.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield STATE_DIRECTORY
        except BlockingIOError:
            directory = STATE_DIRECTORY.with_name(f"{STATE_DIRECTORY.name}-{os.getpid()}")
            yield directory
            shutil.rmtree(directory, ignore_errors=True)
