"""Idempotency keys as rows, and back. Not here: what a key is worth (`idempotency`)."""

from __future__ import annotations

from agentruns.model import Idempotency
from agentruns.store import keys
from agentruns.store.values import Row, read_time, write_time


def idempotency_row(idempotency: Idempotency) -> Row:
    """The key itself is kept as a hash only: it is the caller's text."""
    return {
        "pk": keys.idempotency_key(idempotency.scope, idempotency.key),
        "sk": keys.META,
        "scope": idempotency.scope,
        "body_sha256": idempotency.body_sha256,
        "activity_id": idempotency.activity_id,
        "expires_at": write_time(idempotency.expires_at),
        "ttl": int(idempotency.expires_at.timestamp()) + 1,
    }


def read_idempotency(row: Row, key: str) -> Idempotency:
    return Idempotency(
        scope=row["scope"],
        key=key,
        body_sha256=row["body_sha256"],
        activity_id=row["activity_id"],
        expires_at=read_time(row["expires_at"]),
    )
