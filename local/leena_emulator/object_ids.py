"""Ids of 24 hexadecimal digits in the manner of a document database, unique in this process."""

from __future__ import annotations

import hashlib
import itertools
import re
import secrets

from local.emulation.clock import Clock

_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")


def is_object_id(text: str) -> bool:
    """24 hexadecimal digits, of either case."""
    return _OBJECT_ID.fullmatch(text) is not None


def object_id_of_slug(slug: str) -> str:
    """The ObjectId of an AOP: always the same one for the same slug."""
    return hashlib.sha256(b"leena-emulator-aop:" + slug.encode()).hexdigest()[:24]


class ObjectIds:
    """Makes ids of 4 bytes time, 5 bytes random per process, 3 bytes counter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._process = secrets.token_hex(5)
        self._counter = itertools.count(secrets.randbelow(2**16))

    def next_id(self) -> str:
        seconds = int(self._clock().timestamp()) & 0xFFFFFFFF
        return f"{seconds:08x}{self._process}{next(self._counter) & 0xFFFFFF:06x}"
