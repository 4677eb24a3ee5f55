"""Sessions of agents: the id under which an agent's own runtime goes on from where it was.

A session belongs to a role of a tenant, and to the run that last told of it. Not here: what a
session is inside the agent; HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns.agent_records import AgentSession
from agentruns.errors import ActivityNotFound, RunNotFound
from agentruns.finding import is_same_role
from agentruns.ids import activity_id_of

if TYPE_CHECKING:
    from agentruns.agent_keys import CallingAgent
    from agentruns.agent_stores import SessionStore
    from agentruns.ports import ActivityStore, Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSession:
    """Store what an agent says of a session; it is then its role's latest."""

    sessions: SessionStore
    activities: ActivityStore
    clock: Clock

    def __call__(
        self,
        caller: CallingAgent,
        *,
        session_id: str,
        run_id: str,
        input_tokens: int,
        output_tokens: int,
    ) -> AgentSession:
        """RunNotFound, also for a run of another role."""
        self._require_run(caller, run_id)
        now = self.clock()
        known = self.sessions.find(caller.tenant, caller.role, session_id)
        session = AgentSession(
            tenant=caller.tenant,
            role=caller.role,
            session_id=session_id,
            run_id=run_id,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            created_at=now if known is None else known.created_at,
            updated_at=now,
        )
        self.sessions.put(session, now)
        return session

    def _require_run(self, caller: CallingAgent, run_id: str) -> None:
        try:
            record = self.activities.read(caller.tenant, activity_id_of(run_id))
        except ActivityNotFound as error:
            raise RunNotFound(run_id) from error
        record.run(run_id)
        if not is_same_role(record.activity.agent_role or "", caller.role):
            raise RunNotFound(run_id)
