"""What stands in an activity's thread: comments, whom they mention, who is notified of it.

Plain immutable values. Not here: writing one (`commenting`), notifying (`mentions`), how one is
stored (`store.comment_items`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

COMMENT_LIMIT_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """Who is named in a text: roles of agents, ids of people; each once, in order."""

    agents: tuple[str, ...] = ()
    humans: tuple[str, ...] = ()


class CommentType(StrEnum):
    COMMENT = "comment"
    INTERVENTION_NOTE = "intervention_note"


class WhyNotNotified(StrEnum):
    """Why an agent that a comment mentions is not notified of it."""

    IS_AUTHOR = "is_author"
    UNKNOWN_AGENT = "unknown_agent"
    AGENT_DISABLED = "agent_disabled"
    CONNECTION_MISSING = "connection_missing"
    OPENED_BY_MENTION = "opened_by_mention"
    """The run that comments was itself opened by a mention, or is a subtask's of such a one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Of an agent that a comment mentions: the activity that notifies it, or why there is none."""

    agent_role: str
    activity_id: str | None = None
    why_not: WhyNotNotified | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Where an agent was mentioned: the activity in whose thread, and by which comment."""

    activity_id: str
    comment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """An entry of an activity's thread. `author`: `agent:<role>` or `operator:<key id>`.

    `key_sha256`: what makes a repeated comment the same one. `reply_to`: of the answer of an agent
    that was notified, the comment that mentioned it; `run_id` is then the run that made it.
    """

    tenant: str
    activity_id: str
    comment_id: str
    author: str
    type: CommentType
    text: str
    created_at: datetime
    run_id: str | None = None
    mentions: Mentions = Mentions()
    notifications: tuple[Notification, ...] = ()
    key_sha256: str | None = None
    reply_to: str | None = None

    @property
    def notified(self) -> tuple[Notification, ...]:
        return tuple(each for each in self.notifications if each.activity_id is not None)

    @property
    def not_notified(self) -> tuple[Notification, ...]:
        return tuple(each for each in self.notifications if each.activity_id is None)
