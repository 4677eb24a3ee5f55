"""An emulator of Leena AI's External AOP API, for development and tests.

A program of its own (`python -m local.leena_emulator`) and, by `LeenaEmulator`, an object in a
test. It needs Python 3.11 and PyJWT, and nothing of `agentruns`. It is never deployed.
"""

from local.leena_emulator.emulator import LeenaEmulator
from local.leena_emulator.ledger import Ledger, LedgerEntry, Operation
from local.leena_emulator.settings import Credentials, EmulatorSettings

__all__ = [
    "Credentials",
    "EmulatorSettings",
    "Ledger",
    "LedgerEntry",
    "LeenaEmulator",
    "Operation",
]
