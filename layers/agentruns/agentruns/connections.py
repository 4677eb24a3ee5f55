"""Connections: storing, deleting and checking named access to a provider.

A connection is a row without secrets plus one secret with its credentials. Not here: minting tokens
for runs (`tokens`), the provider's hosts (`adapters.leena_regions`, passed in).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agentruns.admitting import AdmitActivities
from agentruns.errors import (
    AgentrunsError,
    AopItemNotFound,
    ConnectionInUse,
    ConnectionNotFound,
    InvalidRequest,
    SecretMalformed,
)
from agentruns.gate import Door, GateState
from agentruns.model import Connection, ConnectionLimits, LeenaCredentials
from agentruns.ports import (
    ActivityStore,
    AgentStore,
    Clock,
    ConnectionStore,
    GateStore,
    LeenaApi,
    MintedToken,
    SecretStore,
)
from agentruns.tokens import credentials_secret_name, parse_credentials, token_secret_name

EndpointsFor = Callable[[str, Mapping[str, str]], tuple[str, str]]
"""`(region, base_urls)` to `(auth_url, api_url)`; ValueError says what is wrong with them."""

ValidateBaseUrl = Callable[[str], str]
"""A base URL as it is stored; ValueError says what is wrong with it."""

PROBE_ITEM_ID = "000000000000000000000000"
"""An item id of the right form that no item has: asking for it changes nothing anywhere."""

WAITING_COUNTED = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConnection:
    """Create or replace a connection: its secret first, so that no row lacks its credentials."""

    connections: ConnectionStore
    secrets: SecretStore
    secret_prefix: str
    endpoints_for: EndpointsFor
    validate_base_url: ValidateBaseUrl
    clock: Clock

    def __call__(
        self,
        tenant: str,
        name: str,
        *,
        region: str,
        base_urls: Mapping[str, str],
        credentials: LeenaCredentials,
    ) -> Connection:
        """`base_urls` may override `auth`, `api` or both. Limits stay as they are.

        InvalidRequest for an unknown region or a base URL that may not be called. The new
        `updated_at` is what makes tokens of the credentials before useless (`tokens`).
        """
        auth_url, api_url = self._urls(region, base_urls)
        now = self.clock()
        earlier = self._earlier(tenant, name)
        self.secrets.put(
            credentials_secret_name(self.secret_prefix, tenant, name),
            {
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret.reveal(),
                "username": credentials.username,
                "password": credentials.password.reveal(),
            },
            f"agentruns: credentials of the connection {name} of the tenant {tenant}",
        )
        connection = Connection(
            tenant=tenant,
            name=name,
            region=region,
            auth_url=auth_url,
            api_url=api_url,
            created_at=earlier.created_at if earlier else now,
            updated_at=now,
            limits=earlier.limits if earlier else ConnectionLimits(),
        )
        self.connections.put(connection)
        logger.info("connection_stored", extra={"tenant": tenant, "connection": name})
        return connection

    def _urls(self, region: str, base_urls: Mapping[str, str]) -> tuple[str, str]:
        problems: list[tuple[str, str]] = []
        checked: dict[str, str] = {}
        for host, url in base_urls.items():
            try:
                checked[host] = self.validate_base_url(url)
            except ValueError as error:
                problems.append((f"base_urls.{host}", str(error)))
        try:
            auth_url, api_url = self.endpoints_for(region, checked)
        except ValueError as error:
            problems.insert(0, ("region", str(error)))
        if problems:
            raise InvalidRequest(problems)
        return auth_url, api_url

    def _earlier(self, tenant: str, name: str) -> Connection | None:
        try:
            return self.connections.get(tenant, name)
        except ConnectionNotFound:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitConnection:
    """Set what a connection may do at most. Its credentials and tokens are not touched."""

    connections: ConnectionStore
    admit_activities: AdmitActivities

    def __call__(self, tenant: str, name: str, limits: ConnectionLimits) -> Connection:
        """ConnectionNotFound. What a higher limit gives is given at once to those who wait; under
        a lower one nobody is stopped, slots are given again when fewer are taken."""
        connection = replace(self.connections.get(tenant, name), limits=limits)
        self.connections.put(connection)
        self.admit_activities(tenant, name)
        logger.info("connection_limited", extra={"tenant": tenant, "connection": name})
        return connection


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteConnection:
    """Delete a connection with its secrets. The row goes last, so that a crash can be repeated."""

    connections: ConnectionStore
    agents: AgentStore
    secrets: SecretStore
    secret_prefix: str

    def __call__(self, tenant: str, name: str) -> None:
        """ConnectionNotFound; ConnectionInUse while an agent names it."""
        self.connections.get(tenant, name)
        roles = [
            agent.role for agent in self.agents.list(tenant) if agent.adapter.connection == name
        ]
        if roles:
            raise ConnectionInUse(name, roles)
        self.secrets.delete(token_secret_name(self.secret_prefix, tenant, name))
        self.secrets.delete(credentials_secret_name(self.secret_prefix, tenant, name))
        self.connections.delete(tenant, name)
        logger.info("connection_deleted", extra={"tenant": tenant, "connection": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheck:
    """One thing looked at. `detail` is for a person and holds no secret."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConnection:
    """Try a connection for real, past every cache and gate: mint a token and use it once."""

    connections: ConnectionStore
    secrets: SecretStore
    secret_prefix: str
    leena: Callable[[], LeenaApi]
    gates: GateStore
    activities: ActivityStore
    clock: Clock

    def __call__(self, tenant: str, name: str) -> tuple[ConnectionCheck, ...]:
        """ConnectionNotFound. The checks in order, up to the first that fails, then the gate and,
        where their number is limited, the slots."""
        connection = self.connections.get(tenant, name)
        return *self._try(connection), self._gate(connection), *self._slots(connection)

    def _slots(self, connection: Connection) -> Iterator[ConnectionCheck]:
        """Whether activities wait for others to end: a fact, no failure."""
        limit = connection.limits.max_concurrent_runs
        slots = self.activities.read_slots(connection.tenant, connection.name, WAITING_COUNTED)
        if limit is None and not slots.taken and not slots.waiting:
            return
        more = " or more" if len(slots.waiting) == WAITING_COUNTED else ""
        detail = (
            f"{len(slots.taken)} of {'any number' if limit is None else limit} taken; "
            f"{len(slots.waiting)}{more} waiting"
        )
        yield ConnectionCheck(name="slots", ok=True, detail=detail)

    def _gate(self, connection: Connection) -> ConnectionCheck:
        """Whether runs may call now. What was tried here changes nothing about that."""
        now = self.clock()
        closed = []
        for door in Door:
            state = self.gates.read(connection.tenant, connection.name, door, consistent=True)
            closed += _closings(state, connection, now)
        detail = "; ".join(closed) or "open: runs may call"
        return ConnectionCheck(name="gate", ok=not closed, detail=detail)

    def _try(self, connection: Connection) -> tuple[ConnectionCheck, ...]:
        tenant, name = connection.tenant, connection.name
        try:
            credentials = self._credentials(tenant, name)
        except AgentrunsError as error:
            return (ConnectionCheck(name="credentials_stored", ok=False, detail=str(error)),)
        stored = ConnectionCheck(
            name="credentials_stored", ok=True, detail="all four fields are in Secrets Manager"
        )
        leena = self.leena()
        try:
            token = leena.mint(connection, credentials)
        except AgentrunsError as error:
            return stored, ConnectionCheck(name="token_minted", ok=False, detail=str(error))
        minted = ConnectionCheck(
            name="token_minted",
            ok=True,
            detail=f"{connection.auth_url} gave a token for {token.expires_in_seconds:.0f} s",
        )
        return stored, minted, _probe(leena, connection, token)

    def _credentials(self, tenant: str, name: str) -> LeenaCredentials:
        secret_name = credentials_secret_name(self.secret_prefix, tenant, name)
        document = self.secrets.get(secret_name)
        if document is None:
            raise SecretMalformed(
                secret_name, f"there is none; store it with PUT /v1/connections/{name}"
            )
        return parse_credentials(secret_name, document)


def _probe(leena: LeenaApi, connection: Connection, token: MintedToken) -> ConnectionCheck:
    """The answer hoped for is that there is no such item: it was reached and took the token."""
    name = "api_reachable"
    try:
        leena.read_status(connection, token.access_token, PROBE_ITEM_ID)
    except AopItemNotFound:
        pass
    except AgentrunsError as error:
        return ConnectionCheck(name=name, ok=False, detail=f"{connection.api_url}: {error}")
    return ConnectionCheck(name=name, ok=True, detail=f"{connection.api_url} took the token")


def _closings(state: GateState, connection: Connection, now: datetime) -> list[str]:
    """Why this gate keeps runs from calling, if it does. It opens by itself."""
    found = []
    reason = state.reason(now)
    if reason is not None:
        until = state.closed_until(now)
        when = f"closed until {until:%H:%M:%S} UTC" if until else "the next call is the probe"
        found.append(f"{state.door.value}: {reason.value}, {when}: {state.problem}")
    refusal = state.refusal_of(connection.updated_at, now)
    if refusal is not None:
        found.append(
            f"{state.door.value}: refused, not asked again until {refusal.until:%H:%M:%S} UTC: "
            f"{refusal.detail}"
        )
    return found
