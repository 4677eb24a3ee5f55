"""Skills: what an agent can read up on, in Markdown, and which agent may read which.

A skill says of itself, in its front matter, what it is called and when to use it. Agents get the
manifest first and the contents on demand. Not here: how it is written down (`front_matter`), HTTP.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agentruns.agent_errors import SkillInUse, SkillNotFound
from agentruns.agent_records import Skill, SkillReference, SkillSummary
from agentruns.errors import InvalidRequest
from agentruns.front_matter import FrontMatterFault, read_front_matter

if TYPE_CHECKING:
    from agentruns.agent_stores import SkillStore
    from agentruns.definitions import Agent
    from agentruns.ports import AgentStore, Clock

CONTENT_LIMIT_BYTES = 100 * 1024
REFERENCES_LIMIT = 20
REFERENCES_LIMIT_BYTES = 200 * 1024
"""Of all references of a skill together, so that a skill fits into one item of the table."""
CONTENTS_LIMIT_BYTES = 512 * 1024
"""Of the skills in one answer, which Lambda limits to 6 MB after JSON has escaped them."""
DESCRIPTION_LIMIT = 2000
SKILLS_PER_AGENT = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSkill:
    """Create or replace a skill. Who is assigned it reads the new one from then on."""

    skills: SkillStore
    clock: Clock

    def __call__(
        self, tenant: str, name: str, content: str, references: Sequence[SkillReference]
    ) -> Skill:
        """InvalidRequest that names `content` or `references`."""
        description = _description(name, content)
        _require_references(references)
        now = self.clock()
        skill = Skill(
            summary=SkillSummary(
                tenant=tenant,
                name=name,
                description=description,
                created_at=self._created_at(tenant, name) or now,
                updated_at=now,
            ),
            content=content,
            references=tuple(references),
        )
        self.skills.put(skill)
        logger.info("skill_stored", extra={"tenant": tenant, "skill": name})
        return skill

    def _created_at(self, tenant: str, name: str) -> datetime | None:
        try:
            return self.skills.get(tenant, name).summary.created_at
        except SkillNotFound:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSkill:
    skills: SkillStore
    agents: AgentStore

    def __call__(self, tenant: str, name: str) -> None:
        """SkillNotFound; SkillInUse while an agent is assigned it."""
        self.skills.get(tenant, name)
        roles = [agent.role for agent in self.agents.list(tenant) if name in agent.skills]
        if roles:
            raise SkillInUse(name, roles)
        self.skills.delete(tenant, name)
        logger.info("skill_deleted", extra={"tenant": tenant, "skill": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillsOfAgent:
    """What an agent may read: the skills that are assigned to it, in the order of its setting."""

    skills: SkillStore

    def manifest(self, agent: Agent) -> tuple[SkillSummary, ...]:
        """One that is gone meanwhile is left out."""
        if not agent.skills:
            return ()
        stored = {summary.name: summary for summary in self.skills.list(agent.tenant)}
        return tuple(stored[name] for name in agent.skills if name in stored)

    def read(self, agent: Agent, name: str) -> Skill:
        """SkillNotFound, also for one that is there and not assigned to this agent."""
        if name not in agent.skills:
            raise SkillNotFound(name)
        return self.skills.get(agent.tenant, name)

    def contents(self, agent: Agent) -> tuple[Skill, ...]:
        """Those that fit into the context of a run, in full; the others are read one by one."""
        found, left_bytes = [], CONTENTS_LIMIT_BYTES
        for name in agent.skills:
            try:
                skill = self.skills.get(agent.tenant, name)
            except SkillNotFound:  # gone since it was assigned
                continue
            size_bytes = len(skill.content.encode())
            if size_bytes <= left_bytes:
                found.append(skill)
                left_bytes -= size_bytes
        return tuple(found)


def require_skills(skills: SkillStore, tenant: str, names: Sequence[str]) -> None:
    """InvalidRequest that names each of them that does not exist."""
    if not names:
        return
    stored = {summary.name for summary in skills.list(tenant)}
    problems = [
        (f"skills.{index}", f"there is no skill {name!r}; see GET /v1/skills")
        for index, name in enumerate(names)
        if name not in stored
    ]
    if problems:
        raise InvalidRequest(problems)


def skills_context(manifest: Sequence[SkillSummary]) -> str:
    """The manifest as an agent is told it with a dispatch: a line per skill."""
    return "\n".join(f"- {each.name}: {' '.join(each.description.split())}" for each in manifest)


def _description(name: str, content: str) -> str:
    size_bytes = len(content.encode())
    if size_bytes > CONTENT_LIMIT_BYTES:
        fault = f"has {size_bytes} bytes; at most {CONTENT_LIMIT_BYTES} are taken"
        raise InvalidRequest([("content", fault)])
    try:
        front_matter = read_front_matter(content)
    except FrontMatterFault as error:
        raise InvalidRequest([("content", str(error))]) from error
    if front_matter.name != name:
        fault = f"the front matter says name: {front_matter.name[:80]}; it is stored as {name!r}"
        raise InvalidRequest([("content", fault)])
    if len(front_matter.description) > DESCRIPTION_LIMIT:
        fault = f"the description in the front matter has more than {DESCRIPTION_LIMIT} characters"
        raise InvalidRequest([("content", fault)])
    return front_matter.description


def _require_references(references: Sequence[SkillReference]) -> None:
    names = [reference.name for reference in references]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidRequest([("references", f"{repeated[0]!r} is there twice")])
    size_bytes = len(references_json(references).encode())
    if size_bytes > REFERENCES_LIMIT_BYTES:
        fault = f"have {size_bytes} bytes together; at most {REFERENCES_LIMIT_BYTES} are taken"
        raise InvalidRequest([("references", fault)])


def references_json(references: Sequence[SkillReference]) -> str:
    """What their size is measured by."""
    documents = [{"name": each.name, "content": each.content} for each in references]
    return json.dumps(documents, ensure_ascii=False, separators=(",", ":"))
