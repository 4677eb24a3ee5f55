"""Operator keys: who may call the operator API, for which tenant, and what for.

A key is `ark_<key id>_<43 characters>` (`issued_keys`). The bootstrap key is another thing: a
secret made at deployment, which alone has the scope `platform`.

Keys are remembered for up to a minute, so a revoked key may work that long in a warm container; the
bootstrap key for five minutes. Not here: HTTP headers.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from agentruns.definitions import OperatorKey
from agentruns.errors import OperatorKeyNotFound, SecretMalformed
from agentruns.ids import TENANT_PATTERN
from agentruns.issued_keys import KeyMemory, key_pattern, new_key, sha256_of
from agentruns.request_errors import ScopeDenied, Unauthenticated

if TYPE_CHECKING:
    from agentruns.ports import Clock, OperatorKeyStore, SecretStore
    from agentruns.secret import Secret

BOOTSTRAP_MEMORY = timedelta(minutes=5)
BOOTSTRAP_KEY_ID = "bootstrap"

KIND = "ark"

logger = logging.getLogger(__name__)


class Scope(StrEnum):
    """What a key is good for. `admin` includes the two before it, `platform` everything."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"
    PLATFORM = "platform"


_INCLUDED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.OPERATE: frozenset({Scope.OPERATE}),
    Scope.ADMIN: frozenset({Scope.READ, Scope.OPERATE, Scope.ADMIN}),
    Scope.PLATFORM: frozenset(Scope),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whom a key speaks for. The tenant of everything the call touches is this one."""

    tenant: str
    key_id: str
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """ScopeDenied unless the key has it."""
        if scope not in self.scopes:
            raise ScopeDenied(scope.value)


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    tenant: str
    secret_sha256: str
    until: datetime


@dataclass(slots=True, kw_only=True)
class OperatorKeyring:
    """Tells callers by their keys. One per process: it remembers."""

    keys: OperatorKeyStore
    secrets: SecretStore
    bootstrap_secret_arn: str
    clock: Clock
    _memory: KeyMemory[OperatorKey] = field(init=False)
    _bootstrap: _Bootstrap | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._memory = KeyMemory(pattern=key_pattern(KIND), find=self.keys.find, clock=self.clock)

    def authenticate(self, presented: Secret) -> Caller:
        """Unauthenticated for a key that is unknown, revoked or expired: one answer for all."""
        now = self.clock()
        value = presented.reveal()
        is_issued = self._memory.pattern.match(value) is not None
        caller = self._by_key(value, now) if is_issued else self._by_bootstrap(value, now)
        if caller is None:
            raise Unauthenticated("this operator key is not known, or no longer valid")
        return caller

    def forget(self, key_id: str) -> None:
        self._memory.forget(key_id)

    def _by_key(self, value: str, now: datetime) -> Caller | None:
        key = self._memory.look_up(value)
        if key is None or (key.expires_at is not None and key.expires_at <= now):
            return None
        return Caller(tenant=key.tenant, key_id=key.key_id, scopes=_granted(key.scopes))

    def _by_bootstrap(self, value: str, now: datetime) -> Caller | None:
        bootstrap = self._bootstrap
        if bootstrap is None or bootstrap.until <= now:
            bootstrap = self._bootstrap = self._read_bootstrap(now)
        if not hmac.compare_digest(bootstrap.secret_sha256, sha256_of(value)):
            return None
        return Caller(tenant=bootstrap.tenant, key_id=BOOTSTRAP_KEY_ID, scopes=frozenset(Scope))

    def _read_bootstrap(self, now: datetime) -> _Bootstrap:
        document = self.secrets.get(self.bootstrap_secret_arn) or {}
        tenant, key = document.get("tenant"), document.get("key")
        if not isinstance(tenant, str) or re.fullmatch(TENANT_PATTERN, tenant) is None:
            raise SecretMalformed(self.bootstrap_secret_arn, "needs a tenant")
        if not isinstance(key, str) or len(key) < 32:
            raise SecretMalformed(self.bootstrap_secret_arn, "needs a key of 32 characters or more")
        return _Bootstrap(tenant, sha256_of(key), now + BOOTSTRAP_MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """`secret` is the whole key; this is the only time it is seen."""

    key: OperatorKey
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOperatorKey:
    keys: OperatorKeyStore
    clock: Clock

    def __call__(
        self,
        caller: Caller,
        *,
        name: str,
        scopes: Sequence[Scope],
        tenant: str | None,
        expires_in_days: int | None,
    ) -> IssuedKey:
        """ScopeDenied without `admin`, and for another tenant without `platform`.

        `platform` itself is never granted: it is the bootstrap key's alone.
        """
        owner = require_tenant(caller, tenant)
        if Scope.PLATFORM in scopes:
            raise ScopeDenied(Scope.PLATFORM.value)
        now = self.clock()
        made = new_key(KIND)
        key = OperatorKey(
            tenant=owner,
            key_id=made.key_id,
            name=name,
            scopes=tuple(sorted({scope.value for scope in scopes})),
            secret_sha256=made.secret_sha256,
            created_at=now,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days else None,
        )
        self.keys.put(key)
        logger.info(
            "operator_key_issued",
            extra={"tenant": owner, "key_id": key.key_id, "issued_by": caller.key_id},
        )
        return IssuedKey(key=key, secret=made.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeOperatorKey:
    keys: OperatorKeyStore
    keyring: OperatorKeyring

    def __call__(self, caller: Caller, key_id: str) -> None:
        """OperatorKeyNotFound, also for another tenant's unless the caller has `platform`."""
        caller.require(Scope.ADMIN)
        key = self.keys.find(key_id)
        is_own = key is not None and key.tenant == caller.tenant
        if key is None or not (is_own or Scope.PLATFORM in caller.scopes):
            raise OperatorKeyNotFound(key_id)
        self.keys.delete(key.tenant, key_id)
        self.keyring.forget(key_id)
        logger.info(
            "operator_key_revoked",
            extra={"tenant": key.tenant, "key_id": key_id, "revoked_by": caller.key_id},
        )


def require_tenant(caller: Caller, tenant: str | None) -> str:
    """The tenant whose keys the caller may handle; ScopeDenied for one that is not theirs."""
    caller.require(Scope.ADMIN)
    if tenant is None or tenant == caller.tenant:
        return caller.tenant
    caller.require(Scope.PLATFORM)
    return tenant


def _granted(scopes: Sequence[str]) -> frozenset[Scope]:
    return frozenset[Scope]().union(*(_INCLUDED[Scope(scope)] for scope in scopes))
