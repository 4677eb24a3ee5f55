"""An emulator for the published clients, and what they send, recorded once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.leap_emulator import LeapEmulator
from tests.integration.leap.recorded import RecordedCall, record_requests


@pytest.fixture
def leap() -> Iterator[LeapEmulator]:
    with LeapEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def recorded_calls() -> list[RecordedCall]:
    with LeapEmulator() as emulator:
        return record_requests(emulator)
