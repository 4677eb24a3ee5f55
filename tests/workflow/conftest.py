"""The providers of the workflow tests, and connections to them."""

from collections.abc import Iterator

import pytest

from local.leap_emulator import EmulatorSettings, LeapEmulator
from local.leena_emulator import LeenaEmulator
from tests.deployment import Deployment
from tests.workflow.leap_scenarios import DIALECTS, connection_of


@pytest.fixture(scope="session")
def leena(deployment: Deployment) -> Iterator[LeenaEmulator]:
    """In this process, so that tests script it and read its ledger. Connection `leena` uses it."""
    with LeenaEmulator() as emulator:
        deployment.connect("leena", emulator.url)
        yield emulator


@pytest.fixture(scope="session")
def leap(deployment: Deployment) -> Iterator[LeapEmulator]:
    """In this process, with a connection for each dialect. It waits for workers that are cold, all
    at once, as no provider would."""
    with LeapEmulator(settings=EmulatorSettings(webhook_timeout_seconds=60)) as emulator:
        for dialect in DIALECTS:
            deployment.connect_leap(connection_of(dialect), emulator.url, dialect)
        yield emulator
