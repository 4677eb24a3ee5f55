"""Connections: storing, limiting and deleting named access to a provider.

A connection is a row without secrets plus one secret with its credentials. Not here: trying one
(`connection_checks`), minting tokens for runs (`tokens`), the providers' hosts (passed in).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns.errors import (
    ConnectionInUse,
    ConnectionNotFound,
    InvalidRequest,
)
from agentruns.providers import (
    Connection,
    ConnectionLimits,
    Credentials,
    LeapConnection,
    LeapCredentials,
    LeapDialect,
    LeenaConnection,
    LeenaCredentials,
)
from agentruns.tokens import credentials_secret_name, token_secret_name

if TYPE_CHECKING:
    from agentruns.admitting import AdmitActivities
    from agentruns.ports import (
        AgentStore,
        Clock,
        ConnectionStore,
        SecretStore,
    )

EndpointsFor = Callable[[str, Mapping[str, str]], tuple[str, str]]
"""`(region, base_urls)` to `(auth_url, api_url)`; ValueError says what is wrong with them."""

ValidateBaseUrl = Callable[[str], str]
"""A base URL as it is stored; ValueError says what is wrong with it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeenaAccess:
    """What an operator says of access to Leena AI. `base_urls` may override `auth`, `api` or
    both."""

    region: str
    base_urls: Mapping[str, str]
    credentials: LeenaCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapAccess:
    """What an operator says of access to Leap Workflows."""

    dialect: LeapDialect
    base_url: str | None
    credentials: LeapCredentials


Access = LeenaAccess | LeapAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConnection:
    """Create or replace a connection: its secret first, so that no row lacks its credentials."""

    connections: ConnectionStore
    secrets: SecretStore
    secret_prefix: str
    endpoints_for: EndpointsFor
    leap_url: str
    validate_base_url: ValidateBaseUrl
    clock: Clock

    def __call__(self, tenant: str, name: str, access: Access) -> Connection:
        """Limits stay as they are.

        InvalidRequest for an unknown region, a base URL that may not be called, or another provider
        than the connection has: runs that are under way over it would be lost. The new
        `updated_at` is what makes tokens of the credentials before useless (`tokens`).
        """
        now = self.clock()
        earlier = self._earlier(tenant, name)
        connection = self._connection(tenant, name, access, now)
        if earlier is not None:
            _require_same_provider(earlier, connection)
            connection = replace(connection, created_at=earlier.created_at, limits=earlier.limits)
        self.secrets.put(
            credentials_secret_name(self.secret_prefix, tenant, name),
            credentials_document(access.credentials),
            f"agentruns: credentials of the connection {name} of the tenant {tenant}",
        )
        self.connections.put(connection)
        logger.info("connection_stored", extra={"tenant": tenant, "connection": name})
        return connection

    def _connection(self, tenant: str, name: str, access: Access, now: datetime) -> Connection:
        about: dict[str, Any] = {
            "tenant": tenant,
            "name": name,
            "created_at": now,
            "updated_at": now,
        }
        if isinstance(access, LeapAccess):
            api_url = self._base_url(access.base_url)
            return LeapConnection(api_url=api_url, dialect=access.dialect, **about)
        auth_url, api_url = self._urls(access.region, access.base_urls)
        return LeenaConnection(region=access.region, auth_url=auth_url, api_url=api_url, **about)

    def _base_url(self, base_url: str | None) -> str:
        try:
            return self.leap_url if base_url is None else self.validate_base_url(base_url)
        except ValueError as error:
            raise InvalidRequest([("base_url", str(error))]) from error

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


def credentials_document(credentials: Credentials) -> dict[str, str]:
    """What the connection's secret holds: `tokens` and `api_keys` read it."""
    if isinstance(credentials, LeapCredentials):
        return {"api_key": credentials.api_key.reveal()}
    return {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret.reveal(),
        "username": credentials.username,
        "password": credentials.password.reveal(),
    }


def _require_same_provider(earlier: Connection, connection: Connection) -> None:
    if earlier.provider != connection.provider:
        fault = f"connection {earlier.name!r} leads to {earlier.provider}; delete it first"
        raise InvalidRequest([("provider", fault)])
