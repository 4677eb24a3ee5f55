"""Writing into an activity's thread: an agent's word, an operator's, and the answer of an agent
that was mentioned.

The comment is stored first, with the decision whom it notifies; then the notifications are opened.
Should the function die between, the table's stream makes up for it. Not here: what a mention is,
and opening a notification (`mentions`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns.agent_calls import agent_name, require_going_on
from agentruns.agent_errors import RunLimitReached
from agentruns.comment import (
    COMMENT_LIMIT_CHARACTERS,
    Comment,
    CommentType,
    Mention,
)
from agentruns.errors import ActivityNotFound
from agentruns.event_types import EventType
from agentruns.idempotency import body_sha256_of
from agentruns.ids import activity_id_of, new_comment_id
from agentruns.mentions import NotifyAgents, is_author, mentions_in, require_few_agents
from agentruns.model import ActivityRecord, Change, Event, Run
from agentruns.request_errors import IdempotencyKeyReused
from agentruns.run_outputs import read_text
from agentruns.transact import transact
from agentruns.transitions import new_event, touched
from agentruns.wait import WaitKind

if TYPE_CHECKING:
    from agentruns.outputs import OutputStore
    from agentruns.ports import ActivityStore, Clock
    from agentruns.wait_ports import CommentStore

RUN_COMMENT_LIMIT = 100
"""An agent in a loop must not fill the table, nor keep other agents busy."""

THREAD_LIMIT = 50
THREAD_LIMIT_BYTES = 131_072
"""What of a thread an agent is given: the newest, as far as their texts fit, as JSON."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComment:
    text: str
    type: CommentType = CommentType.COMMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """`is_repeated`: the comment was there, written by an earlier request."""

    comment: Comment
    is_repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Author:
    name: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddComment:
    """Writes into an activity's thread and notifies the agents that are mentioned. A comment that
    is sent again is the first one."""

    activities: ActivityStore
    comments: CommentStore
    notify_agents: NotifyAgents
    clock: Clock

    def by_run(self, tenant: str, run_id: str, comment: NewComment) -> Comment:
        """RunEnded; RunNotFound; ActivityNotFound; InvalidRequest for too many mentions,
        RunLimitReached for too many comments. The same text of the same run is one comment."""

        def author_of(record: ActivityRecord) -> _Author:
            require_going_on(record, run_id)
            return _Author(name=agent_name(record), run_id=run_id)

        key = _key_of("run", run_id, body_sha256_of(comment))
        return self._add(tenant, activity_id_of(run_id), comment, key, author_of).comment

    def by_operator(
        self,
        tenant: str,
        activity_id: str,
        key_id: str,
        comment: NewComment,
        idempotency_key: str | None = None,
    ) -> Added:
        """ActivityNotFound; InvalidRequest for too many mentions; IdempotencyKeyReused for the same
        key with another comment. An activity that has ended can be commented on."""
        author = _Author(name=f"operator:{key_id}")
        key = None if idempotency_key is None else _key_of("operator", idempotency_key)
        added = self._add(tenant, activity_id, comment, key, lambda _: author)
        if (added.comment.text, added.comment.type) != (comment.text, comment.type):
            raise IdempotencyKeyReused(idempotency_key or "")
        return added

    def _add(
        self,
        tenant: str,
        activity_id: str,
        comment: NewComment,
        key_sha256: str | None,
        author_of: Callable[[ActivityRecord], _Author],
    ) -> Added:
        mentions = require_few_agents(mentions_in(comment.text))
        now = self.clock()
        comment_id = new_comment_id(now)
        added: Comment | None = None

        def decide(record: ActivityRecord) -> Change | None:
            nonlocal added
            author = author_of(record)
            added = _find_by_key(self.comments, tenant, activity_id, key_sha256)
            if added is not None:
                return None
            added = Comment(
                tenant=tenant,
                activity_id=activity_id,
                comment_id=comment_id,
                author=author.name,
                type=comment.type,
                text=comment.text,
                created_at=now,
                run_id=author.run_id,
                mentions=mentions,
                notifications=self.notify_agents.decide(
                    record.activity,
                    comment_id,
                    author.name,
                    mentions,
                    is_of_run=author.run_id is not None,
                ),
                key_sha256=key_sha256,
            )
            return _commented(record, added, now)

        record = transact(self.activities, tenant, activity_id, decide)
        if added is None:
            raise AssertionError("a transaction decides at least once")
        self._notify(record, added)
        return Added(comment=added, is_repeated=added.comment_id != comment_id)

    def _notify(self, record: ActivityRecord, comment: Comment) -> None:
        try:
            self.notify_agents(record.activity, comment)
        except Exception:  # the comment is stored: refusing it now would be a lie
            logger.exception("agents_not_notified", extra={"activity_id": comment.activity_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowMentions:
    """What a mention brings about, told by the events of the log: its notifications, where the
    function that should open them died; and the answer in the thread. Repeatable."""

    activities: ActivityStore
    comments: CommentStore
    notify_agents: NotifyAgents
    outputs: Callable[[], OutputStore]
    clock: Clock

    def __call__(self, event: Event) -> None:
        """Any event; most are passed over."""
        if event.type is EventType.COMMENT_ADDED and event.detail.get("notified"):
            self._notify(event)
        if event.type is EventType.ACTIVITY_COMPLETED and event.detail.get("mentioned_in"):
            self._reply(self.activities.read(event.tenant, event.activity_id))

    def _notify(self, event: Event) -> None:
        tenant, activity_id = event.tenant, event.activity_id
        comment = self.comments.find_comment(tenant, activity_id, event.detail["comment_id"])
        if comment is not None:
            self.notify_agents(self.activities.read(tenant, activity_id).activity, comment)

    def _reply(self, answered: ActivityRecord) -> None:
        """What a notification came to, in the thread that it tells of."""
        activity, run = answered.activity, answered.current_run
        mention, text = activity.mentioned_in, read_text(self.outputs, run)
        if mention is None or not text:
            return
        key = _key_of("reply", activity.activity_id)
        now = self.clock()
        reply = Comment(
            tenant=activity.tenant,
            activity_id=mention.activity_id,
            comment_id=new_comment_id(now),
            author=_who_answered(answered),
            type=CommentType.COMMENT,
            text=_cut(text, run.run_id),
            created_at=now,
            run_id=run.run_id,
            mentions=mentions_in(text[:COMMENT_LIMIT_CHARACTERS]),
            key_sha256=key,
            reply_to=mention.comment_id,
        )
        try:
            self._write(mention, reply)
        except ActivityNotFound:
            logger.warning("thread_not_found", extra={"activity_id": mention.activity_id})

    def _write(self, mention: Mention, reply: Comment) -> None:
        def decide(thread: ActivityRecord) -> Change | None:
            written = _find_by_key(
                self.comments, reply.tenant, mention.activity_id, reply.key_sha256
            )
            return None if written else _commented(thread, reply, reply.created_at)

        transact(self.activities, reply.tenant, mention.activity_id, decide)


def newest_of_thread(comments: CommentStore, tenant: str, activity_id: str) -> tuple[Comment, ...]:
    """The newest comments of an activity, oldest first: at most `THREAD_LIMIT`, and no more than
    fit into `THREAD_LIMIT_BYTES`."""
    found = comments.list_newest_comments(tenant, activity_id, THREAD_LIMIT)
    left = THREAD_LIMIT_BYTES
    for number, comment in enumerate(reversed(found)):
        left -= len(json.dumps(comment.text, ensure_ascii=False).encode())
        if left < 0:
            return found[len(found) - number :]
    return found


def _find_by_key(
    comments: CommentStore, tenant: str, activity_id: str, key_sha256: str | None
) -> Comment | None:
    if key_sha256 is None:
        return None
    return comments.find_comment_by_key(tenant, activity_id, key_sha256)


def _key_of(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _who_answered(answered: ActivityRecord) -> str:
    """The agent; or the person to whom it gave the work."""
    tasks = (wait for wait in answered.waits if wait.kind is WaitKind.HUMAN_TASK)
    decided_by = next((task.decided_by for task in tasks), None)
    return decided_by or agent_name(answered)


def _cut(text: str, run_id: str) -> str:
    if len(text) <= COMMENT_LIMIT_CHARACTERS:
        return text
    note = f"\n\n[cut: all {len(text)} characters are the output of {run_id}]"
    return text[: COMMENT_LIMIT_CHARACTERS - len(note)] + note


def _commented(record: ActivityRecord, comment: Comment, now: datetime) -> Change:
    others = [role for role in comment.mentions.agents if not is_author(comment.author, role)]
    detail: dict[str, Any] = {
        "comment_id": comment.comment_id,
        "type": comment.type.value,
        "author": comment.author,
        "mentioned_agents": others,
        "mentioned_humans": list(comment.mentions.humans),
        "notified": [
            {"agent_role": each.agent_role, "activity_id": each.activity_id}
            for each in comment.notified
        ],
        "not_notified": [
            {"agent_role": each.agent_role, "reason": str(each.why_not)}
            for each in comment.not_notified
        ],
    }
    if comment.reply_to is not None:
        detail["reply_to"] = comment.reply_to
    own = tuple(_counted(run) for run in record.runs if run.run_id == comment.run_id)
    run = own[0] if own else record.current_run  # a reply's is of another activity
    return Change(
        activity=touched(record.activity, now),
        runs=own,
        events=(new_event(EventType.COMMENT_ADDED, run, now, detail),),
        comments=(comment,),
    )


def _counted(run: Run) -> Run:
    if run.comments >= RUN_COMMENT_LIMIT:
        fault = f"has written {RUN_COMMENT_LIMIT} comments, and may write no more"
        raise RunLimitReached([("run", fault)])
    return replace(run, comments=run.comments + 1)
