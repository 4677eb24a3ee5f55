"""The files that the emulator is given and cannot use.

EmulatorError                 local/emulation/errors.py
├── CredentialsFileUnusable   `--credentials FILE` cannot be read or lacks a value
└── JournalUnusable           `--journal FILE` cannot be opened or is no journal
"""

from __future__ import annotations

from local.emulation.errors import EmulatorError


class CredentialsFileUnusable(EmulatorError):
    """The credentials file is missing, unreadable or incomplete."""


class JournalUnusable(EmulatorError):
    """The journal file cannot be opened, or holds something else."""
