"""Whom we drive: providers over a connection each, and agents of one's own at their URL.

Plain immutable values, one class per kind, told apart by `provider` or `type`. Not here: how
they are stored (`store`), what is sent over a connection (`adapters`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from agentruns.errors import ConnectionOfOtherProvider

if TYPE_CHECKING:
    from agentruns.secret import Secret

LEENA = "leena"
LEAP = "leap"
WEBHOOK = "webhook"

LEENA_AOP = "leena_aop"
LEAP_WORKFLOW = "leap_workflow"
WEBHOOK_AGENT = "webhook"

HUMAN = "human"
"""Provider and type of an activity that a person carries out."""

NO_CONNECTION = "-"
"""Stands where a connection's name would, and is none: names begin with a letter or a digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What a connection may do at most, over all containers. None: no limit.

    `max_concurrent_runs`: how many activities are under way; the others wait, `queued`.
    `requests_per_minute`: how many starts and looks are sent in any 60 s (`budget`).
    """

    max_concurrent_runs: int | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Named access to a provider, without its credentials. Each provider has its own kind."""

    tenant: str
    name: str
    api_url: str
    created_at: datetime
    updated_at: datetime
    provider: str = field(default="", init=False)
    limits: ConnectionLimits = ConnectionLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeenaConnection(Connection):
    """Leena AI, which has a host for tokens and one for calls."""

    region: str
    auth_url: str
    provider: str = field(default=LEENA, init=False)


class LeapDialect(StrEnum):
    """Which of the published forms of the Leap Workflows API a connection speaks.

    `workflows`: the first document, `POST /v1/workflows`. `runs`: later documents and the published
    clients, `POST /v1/runs`, with `GET /v1/runs/{id}` and bulk runs.
    """

    WORKFLOWS = "workflows"
    RUNS = "runs"

    @property
    def can_be_asked(self) -> bool:
        """Whether a run can be read; where not, only its webhook tells how it ended."""
        return self is LeapDialect.RUNS

    @property
    def has_bulk_runs(self) -> bool:
        return self is LeapDialect.RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapConnection(Connection):
    """Leap Workflows."""

    dialect: LeapDialect
    provider: str = field(default=LEAP, init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeenaCredentials:
    """What the secret of a Leena connection holds."""

    client_id: str
    client_secret: Secret
    username: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapCredentials:
    """What the secret of a Leap connection holds."""

    api_key: Secret


Credentials = LeenaCredentials | LeapCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class LeenaAopAdapter:
    """Drives an AOP of Leena AI over a stored connection."""

    connection: str
    aop_id: str
    type: str = field(default=LEENA_AOP, init=False)

    @property
    def provider(self) -> str:
        return LEENA

    @property
    def work_id(self) -> str:
        """What of the provider's it runs."""
        return self.aop_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapWorkflowAdapter:
    """Drives a workflow of Leap over a stored connection."""

    connection: str
    workflow_id: str
    type: str = field(default=LEAP_WORKFLOW, init=False)

    @property
    def provider(self) -> str:
        return LEAP

    @property
    def work_id(self) -> str:
        """What of the provider's it runs."""
        return self.workflow_id


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAgentAdapter:
    """Calls an agent of one's own at its URL; the agent calls back (the Agent API)."""

    url: str
    type: str = field(default=WEBHOOK_AGENT, init=False)

    @property
    def provider(self) -> str:
        return WEBHOOK

    @property
    def connection(self) -> str:
        return NO_CONNECTION

    @property
    def work_id(self) -> str:
        """Nothing of a provider's: what it runs is the agent itself."""
        return NO_CONNECTION


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAdapter:
    """A person does the work, and says in the inbox that it is done."""

    user_id: str
    type: str = field(default=HUMAN, init=False)

    @property
    def provider(self) -> str:
        return HUMAN

    @property
    def connection(self) -> str:
        return NO_CONNECTION

    @property
    def work_id(self) -> str:
        return self.user_id


Adapter = LeenaAopAdapter | LeapWorkflowAdapter | WebhookAgentAdapter | HumanAdapter


def require_leena(connection: Connection) -> LeenaConnection:
    """ConnectionOfOtherProvider where it is none."""
    if not isinstance(connection, LeenaConnection):
        raise ConnectionOfOtherProvider(connection.name, connection.provider, LEENA)
    return connection


def require_leap(connection: Connection) -> LeapConnection:
    """ConnectionOfOtherProvider where it is none."""
    if not isinstance(connection, LeapConnection):
        raise ConnectionOfOtherProvider(connection.name, connection.provider, LEAP)
    return connection
