"""The stack of a test session: one for `tests/workflow` and `tests/e2e`, started when first used."""

import os
from collections.abc import Iterator

import pytest

from local import stack as embedded
from local.stack_files import StateDirectory
from tests.deployment import Deployment

STATE_DIRECTORY = embedded.CHECKOUT / ".local" / "test-stack"

SWITCHES = {
    # the functions' IAM roles are enforced: a missing grant fails the tests as it would on AWS
    "AUTH": "true",
    # waits and backoffs take a tenth of their time; deadlines and clocks in rows are untouched
    "SFN_WAIT_SCALE": "0.1",
}


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """The template, deployed from this checkout; ended with the session, however that ends.

    Started anew, since a test reads everything that was left behind.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("the stack is shared by the tests: run tests/workflow and tests/e2e without -n")
    embedded.stop(STATE_DIRECTORY, quiet=True)
    try:
        info = embedded.start(
            STATE_DIRECTORY,
            ministack_environment=SWITCHES,
            stack_name="agentruns-test",
            quiet=True,
        )
        yield Deployment(info=info, state=StateDirectory(STATE_DIRECTORY))
    finally:
        embedded.stop(STATE_DIRECTORY, quiet=True)
