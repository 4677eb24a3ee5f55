"""Comments as rows, and back; and the row that says which comment has a key. What is None is left
out.

`tests/contracts` holds every field to the round trip.
"""

from __future__ import annotations

from typing import Any

from agentruns.comment import Comment, CommentType, Mentions, Notification, WhyNotNotified
from agentruns.store import keys
from agentruns.store.table import ABSENT, Delete, Put
from agentruns.store.values import Row, read_json, read_time, write_json, write_time


def comment_writes(comment: Comment) -> list[Put | Delete]:
    """The comment, and its key where it has one; neither is there yet."""
    writes: list[Put | Delete] = [Put(row=comment_row(comment), condition=ABSENT)]
    if comment.key_sha256 is not None:
        row = {
            "pk": keys.activity_key(comment.tenant, comment.activity_id),
            "sk": keys.comment_key_sort_key(comment.key_sha256),
            "comment_id": comment.comment_id,
        }
        writes.append(Put(row=row, condition=ABSENT))
    return writes


def comment_row(comment: Comment) -> Row:
    return {
        "pk": keys.activity_key(comment.tenant, comment.activity_id),
        "sk": keys.comment_sort_key(comment.comment_id),
        "tenant": comment.tenant,
        "activity_id": comment.activity_id,
        "comment_id": comment.comment_id,
        "author": comment.author,
        "type": comment.type.value,
        "text": comment.text,
        "created_at": write_time(comment.created_at),
        "run_id": comment.run_id,
        "mentions": write_json(
            {"agents": comment.mentions.agents, "humans": comment.mentions.humans}
        ),
        "notifications": write_json([_notification_to_json(each) for each in comment.notifications])
        if comment.notifications
        else None,
        "key_sha256": comment.key_sha256,
        "reply_to": comment.reply_to,
    }


def read_comment(row: Row) -> Comment:
    mentions = read_json(row["mentions"])
    notifications = read_json(row["notifications"]) if "notifications" in row else []
    return Comment(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        comment_id=row["comment_id"],
        author=row["author"],
        type=CommentType(row["type"]),
        text=row["text"],
        created_at=read_time(row["created_at"]),
        run_id=row.get("run_id"),
        mentions=Mentions(agents=tuple(mentions["agents"]), humans=tuple(mentions["humans"])),
        notifications=tuple(map(_notification_from_json, notifications)),
        key_sha256=row.get("key_sha256"),
        reply_to=row.get("reply_to"),
    )


def _notification_to_json(notification: Notification) -> dict[str, Any]:
    return {
        "agent_role": notification.agent_role,
        "activity_id": notification.activity_id,
        "why_not": notification.why_not.value if notification.why_not else None,
    }


def _notification_from_json(value: dict[str, Any]) -> Notification:
    return Notification(
        agent_role=value["agent_role"],
        activity_id=value["activity_id"],
        why_not=WhyNotNotified(value["why_not"]) if value["why_not"] else None,
    )
