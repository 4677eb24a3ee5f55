"""An emulator of Leap's Workflows API in its three dialects, for development and tests.

A program of its own (`python -m local.leap_emulator`) and, by `LeapEmulator`, an object in a
test. It needs Python 3.11 alone, and nothing of `agentruns`. It is never deployed.
"""

from local.leap_emulator.dialects import Dialect
from local.leap_emulator.emulator import LeapEmulator
from local.leap_emulator.ledger import Ledger, RecordedRequest, StartEntry, WebhookEntry
from local.leap_emulator.settings import EmulatorSettings

__all__ = [
    "Dialect",
    "EmulatorSettings",
    "LeapEmulator",
    "Ledger",
    "RecordedRequest",
    "StartEntry",
    "WebhookEntry",
]
