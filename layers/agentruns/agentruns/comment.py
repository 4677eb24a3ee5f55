"""What stands in an activity's thread: comments, and whom they mention.

Plain immutable values. Not here: writing one (`commenting`), how one is stored
(`store.comment_items`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """Who is named in a text: roles of agents, ids of people; each once, in order."""

    agents: tuple[str, ...] = ()
    humans: tuple[str, ...] = ()


class CommentType(StrEnum):
    COMMENT = "comment"
    INTERVENTION_NOTE = "intervention_note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """An entry of an activity's thread. `author`: `agent:<role>` or `operator:<key id>`."""

    tenant: str
    activity_id: str
    comment_id: str
    author: str
    type: CommentType
    text: str
    created_at: datetime
    run_id: str | None = None
    mentions: Mentions = Mentions()
