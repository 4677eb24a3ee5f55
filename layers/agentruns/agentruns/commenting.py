"""Writing into an activity's thread.

Not here: what a comment is (`comment`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agentruns.agent_calls import agent_name, require_going_on
from agentruns.comment import Comment, CommentType, Mentions
from agentruns.event_types import EventType
from agentruns.ids import activity_id_of, new_comment_id
from agentruns.model import ActivityRecord, Change
from agentruns.ports import ActivityStore, Clock
from agentruns.transact import transact
from agentruns.transitions import new_event, touched

_AGENT_MENTION = re.compile(r"(?<![\w@])@agent:([A-Za-z0-9][A-Za-z0-9_-]{0,63})")
_HUMAN_MENTION = re.compile(r"(?<![\w@])@human:([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComment:
    text: str
    type: CommentType = CommentType.COMMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class AddComment:
    """Writes into an activity's thread. Who is mentioned hears of it by the event; an author who
    mentions himself does not."""

    activities: ActivityStore
    clock: Clock

    def by_run(self, tenant: str, run_id: str, comment: NewComment) -> Comment:
        """RunEnded; RunNotFound; ActivityNotFound."""

        def author_of(record: ActivityRecord) -> tuple[str, str | None]:
            require_going_on(record, run_id)
            return agent_name(record), run_id

        return self._add(tenant, activity_id_of(run_id), comment, author_of)

    def by_operator(
        self, tenant: str, activity_id: str, key_id: str, comment: NewComment
    ) -> Comment:
        """ActivityNotFound. An activity that has ended can be commented on."""
        return self._add(tenant, activity_id, comment, lambda _: (f"operator:{key_id}", None))

    def _add(
        self,
        tenant: str,
        activity_id: str,
        comment: NewComment,
        author_of: Callable[[ActivityRecord], tuple[str, str | None]],
    ) -> Comment:
        now = self.clock()
        comment_id = new_comment_id(now)
        added: Comment | None = None

        def decide(record: ActivityRecord) -> Change:
            nonlocal added
            author, run_id = author_of(record)
            added = Comment(
                tenant=tenant,
                activity_id=activity_id,
                comment_id=comment_id,
                author=author,
                type=comment.type,
                text=comment.text,
                created_at=now,
                run_id=run_id,
                mentions=mentions_in(comment.text),
            )
            return _commented(record, added, now)

        transact(self.activities, tenant, activity_id, decide)
        if added is None:
            raise AssertionError("a transaction decides at least once")
        return added


def mentions_in(text: str) -> Mentions:
    """`@agent:role` and `@human:userId`, each once."""
    return Mentions(
        agents=tuple(dict.fromkeys(_AGENT_MENTION.findall(text))),
        humans=tuple(dict.fromkeys(_HUMAN_MENTION.findall(text))),
    )


def _commented(record: ActivityRecord, comment: Comment, now: datetime) -> Change:
    own = comment.author.removeprefix("agent:").replace("-", "_")
    others = [role for role in comment.mentions.agents if role.replace("-", "_") != own]
    detail = {
        "comment_id": comment.comment_id,
        "type": comment.type.value,
        "author": comment.author,
        "mentioned_agents": others,
        "mentioned_humans": list(comment.mentions.humans),
    }
    run = record.current_run if comment.run_id is None else record.run(comment.run_id)
    return Change(
        activity=touched(record.activity, now),
        events=(new_event(EventType.COMMENT_ADDED, run, now, detail),),
        comments=(comment,),
    )
