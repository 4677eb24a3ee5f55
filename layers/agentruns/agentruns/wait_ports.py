"""What the use cases ask of the world about waits and comments, apart from an activity's record.

As `ports`: shapes and errors stand here once. Waits and comments are written with their activity,
by `ActivityStore`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentruns.comment import Comment
    from agentruns.model import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """What waits for a person, as the index knows it. `item_id`: of a wait, or of a run."""

    activity_id: str
    item_id: str
    since: datetime


class Inbox(Protocol):
    def list_inbox(self, tenant: str, limit: int, cursor: str | None) -> Page[InboxEntry]:
        """Oldest first; eventually consistent. InvalidRequest for a cursor that this call did not
        give."""


class CommentStore(Protocol):
    def list_comments(
        self, tenant: str, activity_id: str, after: str, limit: int
    ) -> tuple[Comment, ...]:
        """Oldest first, those after the comment of that id; "": from the first. Empty for an
        unknown activity."""

    def list_newest_comments(
        self, tenant: str, activity_id: str, limit: int
    ) -> tuple[Comment, ...]:
        """The last ones, oldest first."""

    def find_comment(self, tenant: str, activity_id: str, comment_id: str) -> Comment | None:
        """Strongly consistent."""

    def find_comment_by_key(self, tenant: str, activity_id: str, key_sha256: str) -> Comment | None:
        """The one that was written with that key. Strongly consistent."""
