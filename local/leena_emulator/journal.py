"""An append-only file of JSON lines, by which accepted work outlives the process.

A line is handed to the operating system before the answer leaves, so a killed process loses
nothing that it had answered; a power cut may. It holds no credentials and no tokens, but the
messages and contexts of the starts. Without a path nothing is written.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import IO, Any

from local.leena_emulator.errors import JournalUnusable

_RECORD_START = b'{"record": "'


class Journal:
    """Thread safe. One process at a time per file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None

    def open(self) -> list[dict[str, Any]]:
        """Opens for appending; gives the records of earlier processes, oldest first.

        A last line that a killed process left unfinished is cut off.
        Raises JournalUnusable: not writable, or a whole line is no record.
        """
        if self.path is None:
            return []
        try:
            self._file = self.path.open("a+b", buffering=0)
        except OSError as exc:
            raise JournalUnusable(f"{self.path} cannot be opened: {exc.strerror}") from exc
        self._file.seek(0)
        content = self._file.read()
        *lines, unfinished = content.split(b"\n")
        records = [self._parse(number, line) for number, line in enumerate(lines, 1)]
        self._require_record_start(len(lines) + 1, unfinished)
        # Only now: a file that is something else must stay as it is.
        self._file.truncate(len(content) - len(unfinished))
        return records

    def append(self, record: dict[str, Any]) -> None:
        with self._lock:
            if self._file is not None:
                self._file.write(json.dumps(record).encode() + b"\n")

    def clear(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.truncate(0)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _require_record_start(self, number: int, unfinished: bytes) -> None:
        length = min(len(unfinished), len(_RECORD_START))
        if unfinished[:length] != _RECORD_START[:length]:
            self.close()
            raise JournalUnusable(f"{self.path}, line {number}: not a journal record")

    def _parse(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
            if record["record"] in ("start", "progress"):
                return dict(record)
        except (ValueError, KeyError, TypeError) as exc:
            self.close()
            raise JournalUnusable(f"{self.path}, line {number}: not a journal record") from exc
        self.close()
        raise JournalUnusable(f"{self.path}, line {number}: unknown record")
