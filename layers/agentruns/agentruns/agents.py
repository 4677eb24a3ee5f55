"""Agents: the roles that activities are given to, and how each is carried out.

Not here: starting anything. Reading, listing and deleting are the store's own calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentruns.definitions import Agent
from agentruns.errors import AgentNotFound, InvalidRequest
from agentruns.finding import agent_for, require_connection
from agentruns.model import OnStartUnknown, RetryPolicy
from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.providers import Adapter, WebhookAgentAdapter
from agentruns.skills import require_skills
from agentruns.wait import OnApprovalExpired

if TYPE_CHECKING:
    from agentruns.agent_credentials import AuthHeader, StoredAgentCredentials
    from agentruns.agent_stores import AgentKeyStore, SkillStore
    from agentruns.ports import AgentStore, Clock, ConnectionStore
    from agentruns.secret import Secret

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What an operator sets on an agent."""

    adapter: Adapter
    enabled: bool = True
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: int = 86_400
    on_start_unknown: OnStartUnknown = OnStartUnknown.HOLD
    detection: Detection = USUAL_DETECTION
    on_approval_expired: OnApprovalExpired = OnApprovalExpired.FAIL
    system_prompt: str = ""
    model: str = ""
    max_turns: int | None = None
    skills: tuple[str, ...] = ()
    auth: AuthHeader | None = None
    keeps_auth: bool = True
    """The header that is stored stays, whatever `auth` says."""


ValidateAgentUrl = Callable[[str], str]
"""The URL as it is kept; ValueError says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAgent:
    """`signing_secret`: where storing it made one; this is the only time it is seen."""

    agent: Agent
    signing_secret: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAgent:
    """Create or replace an agent. Activities that run keep the settings they were opened with.

    First the secret, then the row: an agent that is there can be dispatched to.
    """

    agents: AgentStore
    connections: ConnectionStore
    credentials: StoredAgentCredentials
    skills: SkillStore
    validate_url: ValidateAgentUrl
    clock: Clock

    def __call__(self, tenant: str, role: str, settings: AgentSettings) -> StoredAgent:
        """InvalidRequest for an unknown connection, one of another provider, a URL that is not
        allowed, a skill that is not there. A role in its other spelling is the one that is
        there."""
        existing = self._existing(tenant, role)
        role = existing.role if existing else role
        require_skills(self.skills, tenant, settings.skills)
        adapter, signing_secret = settings.adapter, None
        if isinstance(adapter, WebhookAgentAdapter):
            adapter = WebhookAgentAdapter(url=self._allowed(adapter.url))
            signing_secret = self.credentials.ensure(
                tenant, role, settings.auth, keep=settings.keeps_auth
            )
        else:
            require_connection(self.connections, tenant, adapter, "adapter.connection")
        now = self.clock()
        agent = Agent(
            tenant=tenant,
            role=role,
            adapter=adapter,
            created_at=existing.created_at if existing else now,
            updated_at=now,
            enabled=settings.enabled,
            retry=settings.retry,
            timeout_seconds=settings.timeout_seconds,
            on_start_unknown=settings.on_start_unknown,
            detection=settings.detection,
            system_prompt=settings.system_prompt,
            model=settings.model,
            max_turns=settings.max_turns,
            skills=settings.skills,
            on_approval_expired=settings.on_approval_expired,
        )
        self.agents.put(agent)
        logger.info("agent_stored", extra={"tenant": tenant, "agent_role": role})
        return StoredAgent(agent=agent, signing_secret=signing_secret)

    def _allowed(self, url: str) -> str:
        try:
            return self.validate_url(url)
        except ValueError as error:
            raise InvalidRequest([("adapter.url", str(error))]) from error

    def _existing(self, tenant: str, role: str) -> Agent | None:
        try:
            return agent_for(self.agents, tenant, role)
        except AgentNotFound:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSigningSecret:
    """`role`: as the agent was stored, whichever spelling was asked for."""

    role: str
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSigningSecret:
    """Give an agent another signing secret; the one before it goes on being used beside it."""

    agents: AgentStore
    credentials: StoredAgentCredentials

    def __call__(self, tenant: str, role: str) -> NewSigningSecret:
        """AgentNotFound; InvalidRequest for one that is not called at a URL."""
        agent = agent_for(self.agents, tenant, role)
        if not isinstance(agent.adapter, WebhookAgentAdapter):
            fault = f"agent {agent.role!r} is a {agent.adapter.type}: nothing is signed"
            raise InvalidRequest([("agent_role", fault)])
        secret = self.credentials.rotate(tenant, agent.role)
        return NewSigningSecret(role=agent.role, secret=secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAgent:
    """Delete an agent, its secret and its keys: another one of its name gets its own. Activities
    that run go on with what they were opened with, save one that is still to be dispatched to
    it."""

    agents: AgentStore
    keys: AgentKeyStore
    credentials: StoredAgentCredentials

    def __call__(self, tenant: str, role: str) -> None:
        """AgentNotFound. First the keys, which nobody could find later; then the row: an agent that
        is there can be dispatched to."""
        agent = agent_for(self.agents, tenant, role)
        role = agent.role
        for key in self.keys.list(tenant, role):
            self.keys.delete(tenant, role, key.key_id)
        self.agents.delete(tenant, role)
        if isinstance(agent.adapter, WebhookAgentAdapter):
            self.credentials.delete(tenant, role)
