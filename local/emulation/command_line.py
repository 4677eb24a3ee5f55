"""What the emulators' command lines share: bounded numbers, and serving until a signal."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from local.emulation.errors import EmulatorError
from local.emulation.serving import ServedEmulator

EXIT_PORT_TAKEN = 1
EXIT_USAGE = 2


class bounded:  # noqa: N801  # argparse shows the name of a type in its messages
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


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """`--host`, `--port` and `--verbose`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument(
        "--port", type=bounded(0, 65535), default=0, help="0, the default: a free one, printed"
    )
    parser.add_argument("--verbose", action="store_true", help="log requests to stderr")


def serve_until_signal(name: str, where: str, make: Callable[[], ServedEmulator[Any]]) -> int:
    """Serves until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 port taken, 2 usage.

    `where`: the address, for the message that it is taken.
    """
    # Before the port is open, so that no signal finds the default behaviour.
    stop_wanted = threading.Event()

    def want_stop(_number: int, _frame: FrameType | None) -> None:
        stop_wanted.set()

    signal.signal(signal.SIGTERM, want_stop)
    signal.signal(signal.SIGINT, want_stop)
    try:
        emulator = make()
    except EmulatorError as exc:
        print(f"{name}: {exc}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as exc:
        print(f"{name}: cannot listen on {where}: {exc.strerror}", file=sys.stderr)
        return EXIT_PORT_TAKEN
    with emulator:
        print(f"{name} on {emulator.url}", flush=True)
        stop_wanted.wait()
    return 0
