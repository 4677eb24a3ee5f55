"""The command line: `python -m local.leena_emulator --port N`. See docs/leena-emulator.md."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from local.leena_emulator.emulator import LeenaEmulator
from local.leena_emulator.errors import CredentialsFileUnusable, JournalUnusable
from local.leena_emulator.settings import (
    MAXIMUM_EXPIRES_IN_SECONDS,
    Credentials,
    EmulatorSettings,
    read_credentials,
)

_EXIT_USAGE = 2
_EXIT_PORT_TAKEN = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 port taken, 2 usage."""
    options = _parser().parse_args(arguments)
    try:
        credentials = read_credentials(options.credentials) if options.credentials else None
    except CredentialsFileUnusable as exc:
        print(f"leena emulator: {exc}", file=sys.stderr)
        return _EXIT_USAGE
    settings = EmulatorSettings(
        credentials=credentials or Credentials(), expires_in=options.expires_in
    )
    # Before the port is open, so that no signal finds the default behaviour.
    stop_wanted = threading.Event()

    def want_stop(_number: int, _frame: FrameType | None) -> None:
        stop_wanted.set()

    signal.signal(signal.SIGTERM, want_stop)
    signal.signal(signal.SIGINT, want_stop)
    try:
        emulator = LeenaEmulator(
            host=options.host,
            port=options.port,
            settings=settings,
            verbose=options.verbose,
            journal=options.journal,
        )
    except JournalUnusable as exc:
        print(f"leena emulator: {exc}", file=sys.stderr)
        return _EXIT_USAGE
    except OSError as exc:
        where = f"{options.host}:{options.port}"
        print(f"leena emulator: cannot listen on {where}: {exc.strerror}", file=sys.stderr)
        return _EXIT_PORT_TAKEN
    with emulator:
        print(f"leena emulator on {emulator.url}", flush=True)
        stop_wanted.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.leena_emulator",
        description="Emulates Leena AI's External AOP API on one port. Control: /_emulator/...",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument(
        "--port", type=_bounded(0, 65535), default=0, help="0, the default: a free one, printed"
    )
    parser.add_argument(
        "--expires-in",
        type=_bounded(1, MAXIMUM_EXPIRES_IN_SECONDS),
        default=3600,
        metavar="SECONDS",
        help="life of an access token (%(default)s)",
    )
    parser.add_argument(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="JSON with client_id, client_secret, username, password; default: the demo ones",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="keeps accepted starts and their progress over a restart; default: memory only",
    )
    parser.add_argument("--verbose", action="store_true", help="log requests to stderr")
    return parser


class _bounded:  # noqa: N801  # argparse shows the name of a type in its messages
    """An argument type: an integer from `low` to `high`."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from exc
        if not self._low <= number <= self._high:
            raise argparse.ArgumentTypeError(f"{number} is not from {self._low} to {self._high}")
        return number


if __name__ == "__main__":
    sys.exit(main())
