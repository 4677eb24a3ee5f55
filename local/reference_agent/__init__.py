"""A reference agent: a small web service that an author of an agent may copy (docs/agents.md)."""

from local.reference_agent.agent import ReferenceAgent

__all__ = ["ReferenceAgent"]
