"""Mints and verifies access tokens: real HS256 JWTs that expire by the emulator's clock.

The signing key is made at start and never leaves the process, so a restarted emulator answers
401 to every older token, and a client has to mint again.
"""

from __future__ import annotations

import math
import secrets
import threading
from dataclasses import dataclass, field

import jwt

from local.emulation.clock import Clock
from local.emulation.errors import RequestRefused
from local.leena_emulator.settings import EmulatorSettings

_ALGORITHM = "HS256"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedToken:
    """`expires_in` in seconds. The repr shows no token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


class TokenMint:
    """Thread safe. `revoke_all` voids everything minted before it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._signing_key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._generation = 1
        self._minted_in_generation = 0

    def mint(self, settings: EmulatorSettings) -> MintedToken:
        """A token that lives `settings.expires_in` seconds, rounded up to a whole second."""
        with self._lock:
            generation = self._generation
            self._minted_in_generation += 1
        issued_at = self._clock().timestamp()
        claims = {
            "iss": "leena-emulator",
            "sub": settings.credentials.username,
            "client_id": settings.credentials.client_id,
            "scope": " ".join(settings.scopes),
            "iat": int(issued_at),
            "exp": math.ceil(issued_at + settings.expires_in),
            "jti": secrets.token_hex(16),
            "generation": generation,
        }
        return MintedToken(
            access_token=jwt.encode(claims, self._signing_key, algorithm=_ALGORITHM),
            refresh_token=secrets.token_urlsafe(32),
            expires_in=settings.expires_in,
        )

    def verify(self, authorization: str | None) -> frozenset[str]:
        """The scopes of the bearer token in an Authorization header.

        Raises RequestRefused 401: missing, malformed, forged, expired or revoked.
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise RequestRefused(401, "Missing bearer token", headers=_CHALLENGE)
        try:
            claims = jwt.decode(
                token.strip(),
                self._signing_key,
                algorithms=[_ALGORITHM],
                # The library's clock is the machine's; expiry is checked below by ours.
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "jti"]},
            )
        except jwt.InvalidTokenError as exc:
            raise RequestRefused(401, "Invalid token", headers=_CHALLENGE) from exc
        if claims["exp"] <= self._clock().timestamp():
            raise RequestRefused(401, "Token has expired", headers=_CHALLENGE)
        with self._lock:
            is_revoked = claims["generation"] != self._generation
        if is_revoked:
            raise RequestRefused(401, "Token has been revoked", headers=_CHALLENGE)
        return frozenset(claims["scope"].split())

    def revoke_all(self) -> int:
        """Voids every token minted so far; gives the number minted since the last time."""
        with self._lock:
            revoked, self._minted_in_generation = self._minted_in_generation, 0
            self._generation += 1
        return revoked
