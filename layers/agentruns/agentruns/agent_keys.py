"""Keys of agents: with which an agent calls us where no run is at hand (sessions, health).

A key speaks for one role of one tenant, and says so by being found. Several may work at a time, so
a key is rotated by issuing another, changing over, and revoking the first. Not here: task tokens,
which speak for one run; what a key is made of (`issued_keys`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentruns.agent_records import AgentKey
from agentruns.errors import AgentNotFound
from agentruns.finding import agent_for, is_same_role
from agentruns.issued_keys import KeyMemory, key_pattern, new_key
from agentruns.request_errors import Unauthenticated

if TYPE_CHECKING:
    from agentruns.agent_stores import AgentKeyStore
    from agentruns.ports import AgentStore, Clock
    from agentruns.secret import Secret

KIND = "ak"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingAgent:
    """Whom an agent's key speaks for."""

    tenant: str
    role: str
    key_id: str

    def require(self, role: str) -> None:
        """AgentNotFound unless `role` is the key's own, in either spelling."""
        if not is_same_role(self.role, role):
            raise AgentNotFound(role)


@dataclass(slots=True, kw_only=True)
class AgentKeyring:
    """Tells agents by their keys. One per process: it remembers for a minute."""

    keys: AgentKeyStore
    clock: Clock
    _memory: KeyMemory[AgentKey] = field(init=False)

    def __post_init__(self) -> None:
        self._memory = KeyMemory(pattern=key_pattern(KIND), find=self.keys.find, clock=self.clock)

    def authenticate(self, presented: Secret) -> CallingAgent:
        """Unauthenticated for a key that is unknown or revoked: one answer for all."""
        key = self._memory.look_up(presented.reveal())
        if key is None:
            raise Unauthenticated("this agent key is not known, or no longer valid")
        return CallingAgent(tenant=key.tenant, role=key.role, key_id=key.key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedAgentKey:
    """`secret` is the whole key; this is the only time it is seen."""

    key: AgentKey
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueAgentKey:
    keys: AgentKeyStore
    agents: AgentStore
    clock: Clock

    def __call__(self, tenant: str, role: str, name: str) -> IssuedAgentKey:
        """AgentNotFound. The keys that are there go on working."""
        agent = agent_for(self.agents, tenant, role)
        made = new_key(KIND)
        key = AgentKey(
            tenant=tenant,
            role=agent.role,
            key_id=made.key_id,
            name=name,
            secret_sha256=made.secret_sha256,
            created_at=self.clock(),
        )
        self.keys.put(key)
        about = {"tenant": tenant, "agent_role": agent.role, "key_id": key.key_id}
        logger.info("agent_key_issued", extra=about)
        return IssuedAgentKey(key=key, secret=made.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAgentKeys:
    keys: AgentKeyStore
    agents: AgentStore

    def __call__(self, tenant: str, role: str) -> tuple[AgentKey, ...]:
        """AgentNotFound."""
        return self.keys.list(tenant, agent_for(self.agents, tenant, role).role)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeAgentKey:
    keys: AgentKeyStore
    agents: AgentStore

    def __call__(self, tenant: str, role: str, key_id: str) -> None:
        """AgentNotFound; AgentKeyNotFound. A warm container may take it for another minute."""
        role = agent_for(self.agents, tenant, role).role
        self.keys.delete(tenant, role, key_id)
        about = {"tenant": tenant, "agent_role": role, "key_id": key_id}
        logger.info("agent_key_revoked", extra=about)
