"""The opaque cursor of the activity listing: after which activity to go on, for whom and for what.

Not signed: it only positions a listing within the caller's own tenant. The check catches a cursor
that is damaged or came from another tenant's or another filter's listing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from agentruns.errors import ActivityNotFound, InvalidRequest
from agentruns.ids import require_activity_id

if TYPE_CHECKING:
    from agentruns.ports import ActivityFilter

_CHECK_CHARACTERS = 16


def encode_cursor(tenant: str, activity_filter: ActivityFilter, last_activity_id: str) -> str:
    """URL-safe without padding."""
    text = f"{last_activity_id}.{_check(tenant, activity_filter, last_activity_id)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(tenant: str, activity_filter: ActivityFilter, cursor: str) -> str:
    """The last activity's id. InvalidRequest for a cursor that this listing did not give."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        last_activity_id = require_activity_id(text.partition(".")[0])
    except (binascii.Error, ValueError, ActivityNotFound) as error:
        raise _invalid() from error
    if encode_cursor(tenant, activity_filter, last_activity_id) != cursor:
        raise _invalid()
    return last_activity_id


def _check(tenant: str, activity_filter: ActivityFilter, last_activity_id: str) -> str:
    parts = (
        tenant,
        activity_filter.status.value if activity_filter.status else None,
        activity_filter.agent_role,
        activity_filter.tag,
        last_activity_id,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_CHECK_CHARACTERS]


def _invalid() -> InvalidRequest:
    return InvalidRequest([("cursor", "is not one that this listing gave; start without it")])
