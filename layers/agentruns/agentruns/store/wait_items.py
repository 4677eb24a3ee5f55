"""Waits as rows, and back. What is None, empty or false is left out.

`tests/contracts` holds every field to the round trip. Not here: runs and activities (`items`).
"""

from __future__ import annotations

from typing import Any

from agentruns.store import keys
from agentruns.store.values import (
    Row,
    read_optional_time,
    read_time,
    write_optional_time,
    write_time,
)
from agentruns.wait import (
    ApprovalType,
    BlockerType,
    Decision,
    RiskLevel,
    Wait,
    WaitKind,
)

_TEXTS = (
    "channel_id",
    "resolution",
    "content_ref",
    "approval_id",
    "subtask_activity_id",
    "user_id",
    "option",
    "note",
    "output",
    "decided_by",
    "told_in",
)
_TIMES = ("expires_at", "due_at", "escalated_at", "decided_at")


def wait_row(wait: Wait) -> Row:
    return {
        "pk": keys.activity_key(wait.tenant, wait.activity_id),
        "sk": keys.wait_sort_key(wait.number),
        **_due_attributes(wait),
        **_inbox_attributes(wait),
        "tenant": wait.tenant,
        "activity_id": wait.activity_id,
        "wait_id": wait.wait_id,
        "number": wait.number,
        "kind": wait.kind.value,
        "run_id": wait.run_id,
        "opened_at": write_time(wait.opened_at),
        "version": wait.version,
        "is_blocking": wait.is_blocking,
        "requested_by": wait.requested_by,
        "request_sha256": wait.request_sha256,
        "title": wait.title,
        "description": wait.description,
        "blocker_type": wait.blocker_type.value if wait.blocker_type else None,
        "approval_type": wait.approval_type.value if wait.approval_type else None,
        "risk_level": wait.risk_level.value if wait.risk_level else None,
        "options": wait.options or None,
        "linked_activity_ids": wait.linked_activity_ids or None,
        "decision": wait.decision.value if wait.decision else None,
        **{name: getattr(wait, name) for name in _TEXTS},
        **{name: write_optional_time(getattr(wait, name)) for name in _TIMES},
    }


def read_wait(row: Row) -> Wait:
    texts: dict[str, Any] = {name: row.get(name) for name in _TEXTS}
    times: dict[str, Any] = {name: read_optional_time(row.get(name)) for name in _TIMES}
    return Wait(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        wait_id=row["wait_id"],
        number=row["number"],
        kind=WaitKind(row["kind"]),
        run_id=row["run_id"],
        opened_at=read_time(row["opened_at"]),
        version=row["version"],
        is_blocking=row["is_blocking"],
        requested_by=row["requested_by"],
        request_sha256=row["request_sha256"],
        title=row["title"],
        description=row["description"],
        blocker_type=BlockerType(row["blocker_type"]) if "blocker_type" in row else None,
        approval_type=ApprovalType(row["approval_type"]) if "approval_type" in row else None,
        risk_level=RiskLevel(row["risk_level"]) if "risk_level" in row else None,
        options=row.get("options", ()),
        linked_activity_ids=row.get("linked_activity_ids", ()),
        decision=Decision(row["decision"]) if "decision" in row else None,
        **texts,
        **times,
    )


def _due_attributes(wait: Wait) -> Row:
    if wait.due_at is None:
        return {}
    return {
        "due_pk": keys.due_shard_key(keys.due_shard(wait.activity_id)),
        "due_sk": keys.due_sort_key(wait.due_at, wait.wait_id),
    }


def _inbox_attributes(wait: Wait) -> Row:
    if not wait.is_open or not wait.kind.is_for_a_person:
        return {}
    return {
        "inbox_pk": keys.inbox_key(wait.tenant),
        "inbox_sk": keys.inbox_sort_key(wait.opened_at, wait.wait_id),
    }
