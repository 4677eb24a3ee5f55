"""The provider of the workflow tests, and a connection to it."""

from collections.abc import Iterator

import pytest

from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment


@pytest.fixture(scope="session")
def leena(deployment: Deployment) -> Iterator[LeenaEmulator]:
    """In this process, so that tests script it and read its ledger. Connection `leena` uses it."""
    with LeenaEmulator() as emulator:
        deployment.connect("leena", emulator.url)
        yield emulator
