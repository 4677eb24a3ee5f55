"""Valid access tokens per connection: in memory, else in their secret, else minted once.

Not the HTTP call (`adapters.leena`), and not what to do with a 401 (the use cases: replace once,
then give up). Retries: none here; a failed mint is the state machine's to repeat. What repeats is
only the look at another container's mint, for at most 25 s.

**Single flight.** Whoever has to mint takes the lease `mint#<tenant>#<name>` (30 s, longer than
the 20 s a mint may take) and reads the secret once more before it asks the provider; the others
wait with jitter and re-read the secret. Where an old token is still valid nobody waits: one
refreshes, the others go on with the old one. If the refresh fails for the moment, so does the one;
it tries again after 30 s.

**Ages** count from the receipt of the token by our clock plus `expires_in`, never from the JWT's
own `exp`, which is the provider's clock. Each token remembers which version of the connection
(`updated_at`) it was minted for: storing the connection anew, credentials first and then the row,
invalidates all older ones without comparing two clocks.

**Short tokens** (under 600 s) stay in memory: AWS recommends to avoid PutSecretValue "at a
sustained rate of more than once every 10 minutes", since versions younger than 24 hours are never
removed (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html).
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentruns import telemetry
from agentruns.errors import (
    ConnectionNotFound,
    MintInProgress,
    PermanentError,
    SecretMalformed,
)
from agentruns.provider_ports import LeenaApi, MintedToken
from agentruns.providers import LeenaConnection, LeenaCredentials
from agentruns.secret import Secret

if TYPE_CHECKING:
    from agentruns.ports import Clock, LeaseStore, SecretStore

LEASE_SECONDS = 30.0
PATIENCE_SECONDS = 25.0
POSTPONE_SECONDS = 30.0
SHORTEST_STORED_LIFE_SECONDS = 600.0
MEMORY_ENTRIES = 64
_FIRST_LOOK_SECONDS = 0.2
_LONGEST_LOOK_SECONDS = 2.0
_CREDENTIAL_FIELDS = ("client_id", "client_secret", "username", "password")

_logger = logging.getLogger(__name__)


def credentials_secret_name(prefix: str, tenant: str, connection: str) -> str:
    """The full name of the secret with a connection's credentials."""
    return f"{prefix}/connections/{tenant}/{connection}"


def token_secret_name(prefix: str, tenant: str, connection: str) -> str:
    """The full name of the secret with a connection's minted token."""
    return f"{prefix}/tokens/{tenant}/{connection}"


def parse_credentials(secret_name: str, document: Mapping[str, Any]) -> LeenaCredentials:
    """SecretMalformed names the fields that are missing, empty or not text; never a value."""
    wrong = [field for field in _CREDENTIAL_FIELDS if not _is_text(document.get(field))]
    if wrong:
        raise SecretMalformed(secret_name, f"missing or not text: {', '.join(wrong)}")
    return LeenaCredentials(
        client_id=document["client_id"],
        client_secret=Secret(document["client_secret"]),
        username=document["username"],
        password=Secret(document["password"]),
    )


def refresh_after_seconds(expires_in_seconds: float) -> float:
    """The age at which a token of that life is to be replaced.

    80 % of its life or 60 s before its end, whichever is earlier; 80 % where it lives no longer
    than those 60 s.
    """
    share = 0.8 * expires_in_seconds
    ahead = expires_in_seconds - 60.0
    return min(share, ahead) if ahead > 0 else share


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldToken:
    """A token and its times. `connection_updated_at`: the connection it was minted for."""

    token: MintedToken
    minted_at: datetime
    refresh_at: datetime
    expires_at: datetime
    connection_updated_at: datetime

    @classmethod
    def minted(cls, token: MintedToken, connection: LeenaConnection, now: datetime) -> _HeldToken:
        life = token.expires_in_seconds
        return cls(
            token=token,
            minted_at=now,
            refresh_at=now + timedelta(seconds=refresh_after_seconds(life)),
            expires_at=now + timedelta(seconds=life),
            connection_updated_at=connection.updated_at,
        )

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> _HeldToken | None:
        """None where the document is not what `to_document` wrote: it is minted anew then."""
        try:
            minted_at, refresh_at, expires_at, connection_updated_at = (
                _aware(document[field])
                for field in ("minted_at", "refresh_at", "expires_at", "connection_updated_at")
            )
            access_token, version = document["access_token"], document["version"]
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        if not (_is_text(access_token) and _is_text(version)):
            return None
        token = MintedToken(
            access_token=Secret(access_token),
            expires_in_seconds=(expires_at - minted_at).total_seconds(),
            version=version,
        )
        return cls(
            token=token,
            minted_at=minted_at,
            refresh_at=refresh_at,
            expires_at=expires_at,
            connection_updated_at=connection_updated_at,
        )

    def to_document(self) -> dict[str, str]:
        return {
            "access_token": self.token.access_token.reveal(),
            "version": self.token.version,
            "minted_at": self.minted_at.isoformat(),
            "refresh_at": self.refresh_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "connection_updated_at": self.connection_updated_at.isoformat(),
        }

    def serves(self, connection: LeenaConnection, now: datetime) -> bool:
        return now < self.expires_at and self.connection_updated_at >= connection.updated_at


@dataclass(frozen=True, slots=True)
class _Rejected:
    """A version the provider answered 401, and when it was minted if we know."""

    version: str
    minted_at: datetime | None

    def allows(self, held: _HeldToken) -> bool:
        """An older token than the rejected one is no replacement for it."""
        if held.token.version == self.version:
            return False
        return self.minted_at is None or held.minted_at >= self.minted_at


class CachedTokenSource:
    """provider_ports.TokenSource. Safe to share by threads; one per process keeps the memory warm.

    `secret_prefix` is the stack's, without a trailing slash. `sleep` takes seconds; `spread` gives
    the jitter, a factor from 0.5 to 1.
    """

    def __init__(
        self,
        *,
        api: LeenaApi,
        secrets: SecretStore,
        leases: LeaseStore,
        clock: Clock,
        secret_prefix: str,
        sleep: Callable[[float], None] = time.sleep,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # noqa: S311  # jitter
    ) -> None:
        self._api = api
        self._secrets = secrets
        self._leases = leases
        self._clock = clock
        self._secret_prefix = secret_prefix
        self._sleep = sleep
        self._spread = spread
        self._memory: OrderedDict[tuple[str, str], _HeldToken] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: LeenaConnection) -> MintedToken:
        """As the port; besides, ConnectionNotFound without credentials and SecretMalformed."""
        held = self._held(connection, None)
        if held is not None and self._clock() < held.refresh_at:
            return held.token
        try:
            return self._renew(connection, None).token
        except PermanentError:
            raise
        except Exception as exc:  # stores and provider fail each in their own way
            held = self._held(connection, None)
            if held is None:
                raise
            self._postpone_refresh(connection, held)
            _logger.warning(
                "token_refresh_failed",
                extra={
                    "connection": connection.name,
                    "error": type(exc).__name__,
                    "expires_at": held.expires_at.isoformat(),
                },
            )
            return held.token

    def replace(self, connection: LeenaConnection, rejected_version: str) -> MintedToken:
        """As the port. An older token than the rejected one is not taken for a newer."""
        return self._renew(connection, self._forget(connection, rejected_version)).token

    def _renew(self, connection: LeenaConnection, rejected: _Rejected | None) -> _HeldToken:
        """A token that is not yet due, from wherever it comes first.

        One that is due but valid, while somebody else refreshes it.
        """
        lease = f"mint#{connection.tenant}#{connection.name}"
        owner = uuid.uuid4().hex
        started, slept = self._clock(), 0.0
        pause = _FIRST_LOOK_SECONDS
        held = self._look(connection, rejected)
        while held is None or self._clock() >= held.refresh_at:
            if self._leases.acquire(lease, owner, self._clock(), LEASE_SECONDS):
                return self._mint_under_lease(connection, rejected, lease, owner)
            if held is not None:
                return held
            waited = max(slept, (self._clock() - started).total_seconds())
            if waited >= PATIENCE_SECONDS:
                raise MintInProgress(connection.name, waited)
            nap = pause * self._spread()
            self._sleep(nap)
            slept += nap
            pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)
            held = self._look(connection, rejected)
        return held

    def _mint_under_lease(
        self, connection: LeenaConnection, rejected: _Rejected | None, lease: str, owner: str
    ) -> _HeldToken:
        try:
            held = self._look(connection, rejected)
            if held is not None and self._clock() < held.refresh_at:
                return held
            return self._mint(connection)
        finally:
            self._release(connection, lease, owner)

    def _mint(self, connection: LeenaConnection) -> _HeldToken:
        name = credentials_secret_name(self._secret_prefix, connection.tenant, connection.name)
        document = self._secrets.get(name)
        if document is None:
            raise ConnectionNotFound(connection.name)
        token = self._api.mint(connection, parse_credentials(name, document))
        held = _HeldToken.minted(token, connection, self._clock())
        self._remember(connection, held)
        self._share(connection, held)
        telemetry.count("TokensMinted", connection=connection.name)
        _logger.info(
            "token_minted",
            extra={
                "connection": connection.name,
                "version": token.version,
                "expires_at": held.expires_at.isoformat(),
            },
        )
        return held

    def _share(self, connection: LeenaConnection, held: _HeldToken) -> None:
        """Let the other containers have it. A failure costs them a mint, and us nothing."""
        if held.token.expires_in_seconds < SHORTEST_STORED_LIFE_SECONDS:
            return
        try:
            self._secrets.put(
                token_secret_name(self._secret_prefix, connection.tenant, connection.name),
                held.to_document(),
                f"Access token of connection {connection.name}, minted by agentruns",
            )
        except Exception as exc:  # noqa: BLE001  # the token in hand is good, whatever the store says
            _logger.warning(
                "token_not_stored",
                extra={"connection": connection.name, "error": type(exc).__name__},
            )

    def _release(self, connection: LeenaConnection, lease: str, owner: str) -> None:
        try:
            self._leases.release(lease, owner)
        except Exception as exc:  # noqa: BLE001  # it runs out by itself; the mint stands
            _logger.warning(
                "mint_lease_not_released",
                extra={"connection": connection.name, "error": type(exc).__name__},
            )

    def _look(self, connection: LeenaConnection, rejected: _Rejected | None) -> _HeldToken | None:
        """The best valid token that exists already: of this process, else the shared one."""
        held = self._held(connection, rejected)
        if held is not None and self._clock() < held.refresh_at:
            return held
        shared = self._read_shared(connection)
        if shared is None or not shared.serves(connection, self._clock()):
            return held
        if rejected is not None and not rejected.allows(shared):
            return held
        if held is None or shared.expires_at > held.expires_at:
            self._remember(connection, shared)
            return shared
        return held

    def _read_shared(self, connection: LeenaConnection) -> _HeldToken | None:
        name = token_secret_name(self._secret_prefix, connection.tenant, connection.name)
        try:
            document = self._secrets.get(name)
        except SecretMalformed:
            return None  # overwritten by the next mint
        return None if document is None else _HeldToken.parse(document)

    def _held(self, connection: LeenaConnection, rejected: _Rejected | None) -> _HeldToken | None:
        """The valid token in memory."""
        with self._lock:
            held = self._memory.get((connection.tenant, connection.name))
        if held is None or not held.serves(connection, self._clock()):
            return None
        return held if rejected is None or rejected.allows(held) else None

    def _remember(self, connection: LeenaConnection, held: _HeldToken) -> None:
        key = (connection.tenant, connection.name)
        with self._lock:
            self._memory[key] = held
            self._memory.move_to_end(key)
            while len(self._memory) > MEMORY_ENTRIES:
                self._memory.popitem(last=False)

    def _forget(self, connection: LeenaConnection, rejected_version: str) -> _Rejected:
        key = (connection.tenant, connection.name)
        with self._lock:
            held = self._memory.get(key)
            if held is None or held.token.version != rejected_version:
                return _Rejected(rejected_version, None)
            del self._memory[key]
            return _Rejected(rejected_version, held.minted_at)

    def _postpone_refresh(self, connection: LeenaConnection, held: _HeldToken) -> None:
        later = self._clock() + timedelta(seconds=POSTPONE_SECONDS)
        self._remember(connection, replace(held, refresh_at=min(later, held.expires_at)))


def _is_text(value: object) -> bool:
    """A non-empty string without lone surrogates, so that it can be sent."""
    return (
        isinstance(value, str)
        and bool(value)
        and value == value.encode("utf-8", "ignore").decode("utf-8")
    )


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
