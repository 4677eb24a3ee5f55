"""The inbox, a sparse index over waits and runs, and the comments of an activity.

Not here: writing either, which is part of an activity's transitions (`store.activities`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from agentruns.errors import InvalidRequest
from agentruns.model import Page
from agentruns.store import keys
from agentruns.store.comment_items import read_comment
from agentruns.store.values import Row, read_time, to_item
from agentruns.wait_ports import InboxEntry

if TYPE_CHECKING:
    from agentruns.comment import Comment
    from agentruns.store.table import DynamoDbTable

_CHECK_CHARACTERS = 16


class DynamoDbInbox:
    """`agentruns.wait_ports.Inbox` and `CommentStore` on the one table."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def list_inbox(self, tenant: str, limit: int, cursor: str | None) -> Page[InboxEntry]:
        condition, values = "inbox_pk = :pk", {":pk": keys.inbox_key(tenant)}
        if cursor is not None:
            condition += " AND inbox_sk > :after"
            values[":after"] = decode_inbox_cursor(tenant, cursor)
        rows, _ = next(
            self._table.query_pages(
                IndexName=keys.INBOX,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_item(values),
                Limit=limit + 1,
            )
        )
        shown = rows[:limit]
        is_last = len(rows) <= limit
        return Page(
            items=tuple(map(_read_entry, shown)),
            next_cursor=None if is_last else encode_inbox_cursor(tenant, shown[-1]["inbox_sk"]),
        )

    def list_comments(
        self, tenant: str, activity_id: str, after: str, limit: int
    ) -> tuple[Comment, ...]:
        rows = self._table.read_range(
            keys.activity_key(tenant, activity_id),
            keys.comment_sort_key(f"{after}$" if after else ""),  # above that id, below the next
            keys.comment_sort_key("~"),
            limit,
        )
        return tuple(map(read_comment, rows))

    def list_newest_comments(
        self, tenant: str, activity_id: str, limit: int
    ) -> tuple[Comment, ...]:
        pk = keys.activity_key(tenant, activity_id)
        rows = self._table.read_last(
            pk, keys.comment_sort_key(""), keys.comment_sort_key("~"), limit
        )
        return tuple(map(read_comment, rows))

    def find_comment(self, tenant: str, activity_id: str, comment_id: str) -> Comment | None:
        pk = keys.activity_key(tenant, activity_id)
        row = self._table.get(pk, keys.comment_sort_key(comment_id))
        return None if row is None else read_comment(row)

    def find_comment_by_key(self, tenant: str, activity_id: str, key_sha256: str) -> Comment | None:
        pk = keys.activity_key(tenant, activity_id)
        key = self._table.get(pk, keys.comment_key_sort_key(key_sha256))
        return None if key is None else self.find_comment(tenant, activity_id, key["comment_id"])


def encode_inbox_cursor(tenant: str, last: str) -> str:
    """`last`: the sort key of the last entry shown. URL-safe without padding."""
    check = hashlib.sha256(repr((tenant, "inbox", last)).encode()).hexdigest()
    text = f"{last}.{check[:_CHECK_CHARACTERS]}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_inbox_cursor(tenant: str, cursor: str) -> str:
    """InvalidRequest for a cursor that the inbox did not give."""
    fault = InvalidRequest([("cursor", "is not one that this listing gave; start without it")])
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise fault from error
    last = text.rpartition(".")[0]
    if encode_inbox_cursor(tenant, last) != cursor:
        raise fault
    return last


def _read_entry(row: Row) -> InboxEntry:
    """Of the index's keys alone."""
    since, _, item_id = str(row["inbox_sk"]).partition("#")
    return InboxEntry(
        activity_id=str(row["pk"]).rpartition("#")[2], item_id=item_id, since=read_time(since)
    )
