"""Bodies and answers of `/v1/skills`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentruns.agent_records import Skill, SkillReference, SkillSummary
from agentruns.api.schemas.fields import ONE_LINE_PATTERN, Answer, Body, Moment, Name
from agentruns.skills import REFERENCES_LIMIT

SkillContent = Annotated[
    str,
    Field(
        min_length=1,
        description="Markdown, at most 100 KB, with front matter that says name and description.",
        examples=["---\nname: seo\ndescription: Use when writing for the web.\n---\n\n# SEO\n"],
    ),
]


class ReferenceBody(Body):
    """A further text that the skill speaks of."""

    name: Annotated[
        str, Field(min_length=1, max_length=128, pattern=ONE_LINE_PATTERN, examples=["tone.md"])
    ]
    content: Annotated[str, Field(examples=["Write as you speak."])]

    def reference(self) -> SkillReference:
        return SkillReference(name=self.name, content=self.content)


class SkillBody(Body):
    content: SkillContent
    references: Annotated[
        list[ReferenceBody],
        Field(
            default_factory=list,
            max_length=REFERENCES_LIMIT,
            description="At most 20, and 200 KB together.",
        ),
    ]


class SkillSummaryAnswer(Answer):
    name: Name
    description: Annotated[str, Field(examples=["Use when writing for the web."])]
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, summary: SkillSummary) -> SkillSummaryAnswer:
        return cls(
            name=summary.name,
            description=summary.description,
            created_at=summary.created_at,
            updated_at=summary.updated_at,
        )


class ReferenceAnswer(Answer):
    name: str
    content: str


class SkillAnswer(SkillSummaryAnswer):
    content: str
    references: list[ReferenceAnswer]

    @classmethod
    def of_skill(cls, skill: Skill) -> SkillAnswer:
        shown = SkillSummaryAnswer.of(skill.summary)
        return cls(
            **shown.model_dump(),
            content=skill.content,
            references=[
                ReferenceAnswer(name=each.name, content=each.content) for each in skill.references
            ],
        )


class SkillsAnswer(Answer):
    items: list[SkillSummaryAnswer]
    next_cursor: str | None = None
