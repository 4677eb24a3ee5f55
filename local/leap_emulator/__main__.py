"""The command line: `python -m local.leap_emulator --port N`. See docs/leap-emulator.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulation.command_line import EXIT_USAGE, add_server_options, serve_until_signal
from local.emulation.errors import InvalidField
from local.leap_emulator.emulator import LeapEmulator
from local.leap_emulator.settings import EmulatorSettings, change_settings

_NAME = "leap emulator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 port taken, 2 usage."""
    options = _parser().parse_args(arguments)
    settings = EmulatorSettings()
    if options.api_key_file:
        try:
            key = options.api_key_file.read_text(encoding="utf-8").strip()
            settings = change_settings(settings, {"api_key": key})
        except (OSError, ValueError, InvalidField):
            # The file alone: what is in it may be a key.
            print(f"{_NAME}: {options.api_key_file} holds no API key", file=sys.stderr)
            return EXIT_USAGE
    return serve_until_signal(
        _NAME,
        f"{options.host}:{options.port}",
        lambda: LeapEmulator(
            host=options.host, port=options.port, settings=settings, verbose=options.verbose
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.leap_emulator",
        description="Emulates Leap's Workflows API on one port. Control: /_emulator/...",
    )
    add_server_options(parser)
    parser.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="a file that holds the X-Api-Key to accept; default: demo-key",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
