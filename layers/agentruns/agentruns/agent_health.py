"""Whether an agent could work now: real checks of its own adapter, with nothing started.

Not here: what is checked of a connection (`connection_checks`); giving it work to see (`probing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agentruns.connection_checks import CheckConnection, ConnectionCheck
from agentruns.errors import (
    ConnectionNotFound,
    InvalidRequest,
    SecretMalformed,
    UpstreamUnavailable,
)
from agentruns.finding import agent_for
from agentruns.ports import ActivityFilter, ActivityStore, AgentStore, Clock
from agentruns.providers import WebhookAgentAdapter
from agentruns.statuses import ActivityStatus

if TYPE_CHECKING:
    from agentruns.agent_credentials import StoredAgentCredentials
    from agentruns.agent_ports import AgentCaller
    from agentruns.agents import ValidateAgentUrl
    from agentruns.definitions import Agent
    from agentruns.model import Activity

PAGES_LOOKED_AT = 5
"""For the last success; an older one is not looked for."""
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHealth:
    """The checks in order. Texts are for a person and hold no secret."""

    agent: Agent
    checks: tuple[ConnectionCheck, ...]
    checked_at: datetime

    @property
    def is_ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def message(self) -> str:
        failed = [check.name for check in self.checks if not check.ok]
        if not failed:
            return "everything that can be checked is well"
        return f"{len(failed)} of {len(self.checks)} checks failed: {', '.join(failed)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAgentHealth:
    """Check an agent for real, by calls that change nothing anywhere.

    `caller` is made when an agent called at its URL is checked.
    """

    agents: AgentStore
    activities: ActivityStore
    credentials: StoredAgentCredentials
    caller: Callable[[], AgentCaller]
    validate_url: ValidateAgentUrl
    check_connection: CheckConnection
    clock: Clock

    def __call__(self, tenant: str, role: str) -> AgentHealth:
        """AgentNotFound. A check that cannot be made because one before it failed is left out."""
        agent = agent_for(self.agents, tenant, role)
        checks = (_enabled(agent), *self._of_adapter(agent), self._last_success(agent))
        return AgentHealth(agent=agent, checks=checks, checked_at=self.clock())

    def _of_adapter(self, agent: Agent) -> Iterator[ConnectionCheck]:
        if isinstance(agent.adapter, WebhookAgentAdapter):
            yield self._signing_secret(agent)
            yield from self._url(agent.adapter.url)
            return
        try:
            yield from self.check_connection(agent.tenant, agent.adapter.connection)
        except ConnectionNotFound as error:
            yield ConnectionCheck(name="connection", ok=False, detail=str(error))

    def _signing_secret(self, agent: Agent) -> ConnectionCheck:
        try:
            credentials = self.credentials.get(agent.tenant, agent.role)
        except SecretMalformed as error:
            return ConnectionCheck(name="secret_present", ok=False, detail=str(error))
        detail = f"{len(credentials.signing_secrets)} to sign dispatches with"
        if credentials.auth_headers:
            detail += f", and the header {', '.join(credentials.auth_headers)}"
        return ConnectionCheck(name="secret_present", ok=True, detail=detail)

    def _url(self, url: str) -> Iterator[ConnectionCheck]:
        try:
            self.validate_url(url)
        except ValueError as error:
            yield ConnectionCheck(name="url_allowed", ok=False, detail=f"{url} {error}")
            return
        yield ConnectionCheck(name="url_allowed", ok=True, detail=url)
        try:
            self.caller().reach(url)
        except (UpstreamUnavailable, InvalidRequest) as error:
            yield ConnectionCheck(name="host_reachable", ok=False, detail=str(error))
            return
        detail = "a connection was made; nothing was sent over it"
        yield ConnectionCheck(name="host_reachable", ok=True, detail=detail)

    def _last_success(self, agent: Agent) -> ConnectionCheck:
        """A fact, no failure."""
        found, has_older = self._last_done(agent)
        if found is not None:
            at = found.ended_at or found.updated_at
            detail = f"{at:%Y-%m-%d %H:%M:%S} UTC, {found.activity_id}"
        elif has_older:
            detail = (
                "unknown: none among the newest activities of all agents, and older ones are not "
                "looked at"
            )
        else:
            detail = "none: no activity of this agent has ended well"
        return ConnectionCheck(name="last_success", ok=True, detail=detail)

    def _last_done(self, agent: Agent) -> tuple[Activity | None, bool]:
        """And whether there are older activities, which were not looked at."""
        wanted = ActivityFilter(status=ActivityStatus.DONE, agent_role=agent.role)
        cursor: str | None = None
        for _ in range(PAGES_LOOKED_AT):
            page = self.activities.list_activities(agent.tenant, wanted, _PAGE, cursor)
            if page.items:
                return page.items[0], False
            cursor = page.next_cursor
            if cursor is None:
                return None, False
        return None, True


def _enabled(agent: Agent) -> ConnectionCheck:
    detail = "takes new work" if agent.enabled else "disabled: new work is answered 409"
    return ConnectionCheck(name="enabled", ok=agent.enabled, detail=detail)
