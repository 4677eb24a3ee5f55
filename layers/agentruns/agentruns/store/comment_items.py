"""Comments as rows, and back. What is None is left out.

`tests/contracts` holds every field to the round trip.
"""

from __future__ import annotations

from agentruns.comment import Comment, CommentType, Mentions
from agentruns.store import keys
from agentruns.store.values import Row, read_json, read_time, write_json, write_time


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
    }


def read_comment(row: Row) -> Comment:
    mentions = read_json(row["mentions"])
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
    )
