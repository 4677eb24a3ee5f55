"""Errors about what belongs to agents: their keys and skills. `errors` draws the whole tree."""

from __future__ import annotations

from collections.abc import Sequence

from agentruns.errors import Conflict, NotFound


class AgentKeyNotFound(NotFound):
    code = "agent_key_not_found"
    noun = "agent key"


class SkillNotFound(NotFound):
    code = "skill_not_found"
    noun = "skill"


class SkillInUse(Conflict):
    code = "skill_in_use"

    def __init__(self, skill: str, roles: Sequence[str]) -> None:
        super().__init__(
            f"skill {skill!r} is assigned to the agents {', '.join(sorted(roles))}; "
            "take it from them first"
        )
        self.skill = skill
        self.roles = tuple(roles)
