"""What makes a repeated request the same request: its key's record, and what its body said.

Not here: looking a key up and answering a repeat (`activities`, `redriving`), storing the record
(it goes into the transaction of what was asked for).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentruns.model import Idempotency

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

IDEMPOTENCY_LIFE = timedelta(hours=24)


def idempotency_of(
    scope: str, key: str | None, body_sha256: str, activity_id: str, now: datetime
) -> Idempotency | None:
    """None for a request without a key."""
    if key is None:
        return None
    return Idempotency(
        scope=scope,
        key=key,
        body_sha256=body_sha256,
        activity_id=activity_id,
        expires_at=now + IDEMPOTENCY_LIFE,
    )


def body_sha256_of(body: DataclassInstance) -> str:
    """Of what the body says and no more: a field that a later version adds, left at its default,
    must not make a repeated body another."""
    defaults = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(body)
    }
    said = {name: value for name, value in asdict(body).items() if value != defaults[name]}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
