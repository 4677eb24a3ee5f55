"""Skills in DynamoDB: a small row to list and a large one to read, written together."""

from __future__ import annotations

from agentruns.agent_errors import SkillNotFound
from agentruns.agent_records import Skill, SkillReference, SkillSummary
from agentruns.store import keys
from agentruns.store.table import ANY, DynamoDbTable, Put
from agentruns.store.values import Row, read_json, read_time, write_json, write_time


class DynamoDbSkillStore:
    """`agentruns.agent_stores.SkillStore` on the one table; listed by name."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, skill: Skill) -> None:
        rows = [Put(row=row, condition=ANY) for row in (_listed_row(skill.summary), _row(skill))]
        self._table.write_all(f"skill {skill.summary.name!r}", rows)

    def get(self, tenant: str, name: str) -> Skill:
        row = self._table.get(keys.skill_key(tenant, name), keys.META)
        if row is None:
            raise SkillNotFound(name)
        return Skill(
            summary=_summary(row),
            content=row["content"],
            references=tuple(SkillReference(**each) for each in read_json(row["references"])),
        )

    def list(self, tenant: str) -> tuple[SkillSummary, ...]:
        return tuple(_summary(row) for row in self._table.read_all(keys.skills_key(tenant)))

    def delete(self, tenant: str, name: str) -> None:
        """Read first: a condition on the delete would call its own repetition `not found`."""
        self.get(tenant, name)
        self._table.delete(keys.skills_key(tenant), name)
        self._table.delete(keys.skill_key(tenant, name), keys.META)


def _listed_row(summary: SkillSummary) -> Row:
    return {"pk": keys.skills_key(summary.tenant), "sk": summary.name, **_attributes(summary)}


def _row(skill: Skill) -> Row:
    references = [{"name": each.name, "content": each.content} for each in skill.references]
    return {
        "pk": keys.skill_key(skill.summary.tenant, skill.summary.name),
        "sk": keys.META,
        **_attributes(skill.summary),
        "content": skill.content,
        "references": write_json(references),
    }


def _attributes(summary: SkillSummary) -> Row:
    return {
        "tenant": summary.tenant,
        "name": summary.name,
        "description": summary.description,
        "created_at": write_time(summary.created_at),
        "updated_at": write_time(summary.updated_at),
    }


def _summary(row: Row) -> SkillSummary:
    return SkillSummary(
        tenant=row["tenant"],
        name=row["name"],
        description=row["description"],
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
    )
