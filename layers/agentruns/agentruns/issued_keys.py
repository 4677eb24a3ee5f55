"""Keys that we issue: what those of operators and those of agents have in common.

A key is `<kind>_<key id>_<43 characters>`: 256 random bits of which only the SHA-256 is stored (no
salt and no slow hash: there is nothing to guess). Not here: whom a key speaks for, and how long.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as random_source
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from agentruns.secret import Secret

if TYPE_CHECKING:
    from agentruns.ports import Clock

KEY_MEMORY = timedelta(seconds=60)
"""How long a key that was found is not looked up again, so how long a revoked one may work."""

REMEMBERED_KEYS = 256


class StoredKey(Protocol):
    """What is stored of a key."""

    @property
    def secret_sha256(self) -> str: ...


K = TypeVar("K", bound=StoredKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """`secret` is the whole key; this is the only time it is seen."""

    key_id: str
    secret: Secret
    secret_sha256: str


def new_key(kind: str) -> NewKey:
    key_id = random_source.token_hex(8)
    secret = Secret(f"{kind}_{key_id}_{random_source.token_urlsafe(32)}")
    return NewKey(key_id=key_id, secret=secret, secret_sha256=sha256_of(secret.reveal()))


def key_pattern(kind: str) -> re.Pattern[str]:
    """Matches such keys; the group `key_id` is what they are looked up by."""
    return re.compile(rf"{kind}_(?P<key_id>[0-9a-f]{{16}})_[A-Za-z0-9_-]{{43}}\Z")


def sha256_of(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Remembered(Generic[K]):
    key: K
    until: datetime


@dataclass(slots=True, kw_only=True)
class KeyMemory(Generic[K]):
    """Keys of one kind by what a caller presents; those that were found are remembered."""

    pattern: re.Pattern[str]
    find: Callable[[str], K | None]
    clock: Clock
    _remembered: dict[str, _Remembered[K]] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._remembered)

    def look_up(self, value: str) -> K | None:
        """None where `value` is no key of this kind that is stored. Compared in constant time."""
        match = self.pattern.match(value)
        key = None if match is None else self._find(match["key_id"])
        if key is None or not hmac.compare_digest(key.secret_sha256, sha256_of(value)):
            return None
        return key

    def forget(self, key_id: str) -> None:
        self._remembered.pop(key_id, None)

    def _find(self, key_id: str) -> K | None:
        now = self.clock()
        remembered = self._remembered.get(key_id)
        if remembered is not None and remembered.until > now:
            return remembered.key
        key = self.find(key_id)
        if key is None:
            self.forget(key_id)
            return None
        if len(self._remembered) >= REMEMBERED_KEYS:
            self._remembered.clear()
        self._remembered[key_id] = _Remembered(key=key, until=now + KEY_MEMORY)
        return key
