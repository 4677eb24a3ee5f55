"""The command line: `python -m local.leena_emulator --port N`. See docs/leena-emulator.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulation.command_line import (
    EXIT_USAGE,
    add_server_options,
    bounded,
    serve_until_signal,
)
from local.leena_emulator.emulator import LeenaEmulator
from local.leena_emulator.errors import CredentialsFileUnusable
from local.leena_emulator.settings import (
    MAXIMUM_EXPIRES_IN_SECONDS,
    Credentials,
    EmulatorSettings,
    read_credentials,
)

_NAME = "leena emulator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 port taken, 2 usage."""
    options = _parser().parse_args(arguments)
    try:
        credentials = read_credentials(options.credentials) if options.credentials else None
    except CredentialsFileUnusable as exc:
        print(f"{_NAME}: {exc}", file=sys.stderr)
        return EXIT_USAGE
    settings = EmulatorSettings(
        credentials=credentials or Credentials(), expires_in=options.expires_in
    )
    return serve_until_signal(
        _NAME,
        f"{options.host}:{options.port}",
        lambda: LeenaEmulator(
            host=options.host,
            port=options.port,
            settings=settings,
            verbose=options.verbose,
            journal=options.journal,
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.leena_emulator",
        description="Emulates Leena AI's External AOP API on one port. Control: /_emulator/...",
    )
    add_server_options(parser)
    parser.add_argument(
        "--expires-in",
        type=bounded(1, MAXIMUM_EXPIRES_IN_SECONDS),
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
