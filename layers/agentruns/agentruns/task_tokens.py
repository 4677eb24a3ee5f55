"""Task tokens: the JWT with which an agent speaks for one run, and for nothing else.

HS256 alone, under a key of the deployment that can be rotated: the version before the current one
(Secrets Manager's AWSPREVIOUS) goes on being taken. A token says nothing of whether its run still
goes on; that is the row's business (`agent_results`). Not here: HTTP, agents' API keys.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentruns.errors import SecretMalformed
from agentruns.request_errors import Unauthenticated
from agentruns.secret import Secret

if TYPE_CHECKING:
    from agentruns.ports import Clock, SecretStore

ISSUER = "agentruns"
AUDIENCE = "agent-api"
TYPE = "task+jwt"
ALGORITHM = "HS256"
GRACE = timedelta(minutes=5)
"""How long a token outlives the time that its run has."""

KEYS_REMEMBERED = timedelta(minutes=5)
KEYS_ASKED_AGAIN_AFTER = timedelta(seconds=10)
"""A key that is not known may have been rotated in just now."""

SHORTEST_KEY = 32
LONGEST_TOKEN = 2048
_CLAIMS = ("iss", "aud", "sub", "tenant", "iat", "exp", "jti")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCaller:
    """Whom a valid token speaks for."""

    tenant: str
    run_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    token: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    kid: str
    value: str


@dataclass(slots=True, kw_only=True)
class TaskTokens:
    """Issues and reads them. One per process: it remembers the keys for five minutes.

    `secret_arn`: a secret `{"key": <at least 32 characters>}`.
    """

    secrets: SecretStore
    secret_arn: str
    clock: Clock
    _keys: tuple[_Key, ...] = field(default=(), init=False)
    _read_at: datetime | None = field(default=None, init=False)

    def issue(self, tenant: str, run_id: str, until: datetime) -> IssuedToken:
        """A token that works until five minutes after `until`. SecretMalformed."""
        import jwt

        now = self.clock()
        expires_at = (max(until, now) + GRACE).replace(microsecond=0)
        key = self._known_keys()[0]
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": run_id,
            "tenant": tenant,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": uuid.uuid4().hex,
        }
        headers = {"kid": key.kid, "typ": TYPE}
        token = jwt.encode(claims, key.value, algorithm=ALGORITHM, headers=headers)
        return IssuedToken(token=Secret(token), expires_at=expires_at)

    def read(self, token: Secret) -> TaskCaller:
        """Unauthenticated for any that is not ours, whole and in time: one answer for all."""
        claims = self._verified(token.reveal())
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        if self.clock() >= expires_at:
            raise Unauthenticated(_NOT_VALID)
        return TaskCaller(tenant=claims["tenant"], run_id=claims["sub"], expires_at=expires_at)

    def _verified(self, token: str) -> dict[str, Any]:
        import jwt

        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated(_NOT_VALID)
        try:
            header = jwt.get_unverified_header(token)
            key = self._key_of(header.get("kid"))
            if header.get("typ") != TYPE or key is None:
                raise Unauthenticated(_NOT_VALID)
            claims = jwt.decode(
                token,
                key.value,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # the time is asked of our own clock
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthenticated(_NOT_VALID) from error
        is_text = all(isinstance(claims[name], str) for name in ("sub", "tenant"))
        if not is_text or type(claims["exp"]) is not int or type(claims["iat"]) is not int:
            raise Unauthenticated(_NOT_VALID)
        return claims

    def _key_of(self, kid: object) -> _Key | None:
        for keys in (self._known_keys(), self._known_keys(is_missing=True)):
            for key in keys:
                if key.kid == kid:
                    return key
        return None

    def _known_keys(self, *, is_missing: bool = False) -> tuple[_Key, ...]:
        now = self.clock()
        life = KEYS_ASKED_AGAIN_AFTER if is_missing else KEYS_REMEMBERED
        if self._read_at is None or now - self._read_at >= life:
            current = self._parse(self.secrets.get(self.secret_arn))
            before = self.secrets.get_previous(self.secret_arn)
            self._keys = (current,) if before is None else (current, self._parse(before))
            self._read_at = now
        return self._keys

    def _parse(self, document: Any) -> _Key:
        value = (document or {}).get("key")
        if not isinstance(value, str) or len(value) < SHORTEST_KEY:
            raise SecretMalformed(self.secret_arn, "missing or too short: key")
        return _Key(kid=hashlib.sha256(value.encode()).hexdigest()[:16], value=value)


_NOT_VALID = "this task token is not known, or no longer valid"
