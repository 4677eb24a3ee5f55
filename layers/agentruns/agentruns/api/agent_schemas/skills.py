"""Answers of the Agent API about skills, in its own names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from agentruns.agent_records import Skill, SkillSummary
from agentruns.api.schemas.fields import Answer


class ManifestEntry(Answer):
    name: Annotated[str, Field(examples=["seo"])]
    description: Annotated[
        str, Field(description="When to use it, and when not.", examples=["Use when writing."])
    ]


class ManifestAnswer(Answer):
    manifest: list[ManifestEntry]

    @classmethod
    def of(cls, summaries: Sequence[SkillSummary]) -> ManifestAnswer:
        entries = [
            ManifestEntry(name=each.name, description=each.description) for each in summaries
        ]
        return cls(manifest=entries)


class ReferenceAnswer(Answer):
    name: str
    content: str


class SkillAnswer(Answer):
    name: str
    content: Annotated[str, Field(description="The whole Markdown document.")]
    references: list[ReferenceAnswer]

    @classmethod
    def of(cls, skill: Skill) -> SkillAnswer:
        references = [
            ReferenceAnswer(name=each.name, content=each.content) for each in skill.references
        ]
        return cls(name=skill.summary.name, content=skill.content, references=references)
