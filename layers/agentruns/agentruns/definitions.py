"""What operators define, and ask for: agents, schedules, operator keys, a request for an activity.

Plain immutable values. Not here: what becomes of a request (`model`), connections and adapters
(`providers`), what agents bring along (`agent_records`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns.model import OnStartUnknown, Priority, RetryPolicy
from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.wait import OnApprovalExpired

if TYPE_CHECKING:
    from agentruns.providers import Adapter


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A role and how it is carried out."""

    tenant: str
    role: str
    adapter: Adapter
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: int = 86_400
    on_start_unknown: OnStartUnknown = OnStartUnknown.HOLD
    detection: Detection = USUAL_DETECTION
    # What an agent of one's own is told with every run.
    system_prompt: str = ""
    model: str = ""
    max_turns: int | None = None
    skills: tuple[str, ...] = ()
    on_approval_expired: OnApprovalExpired = OnApprovalExpired.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRequest:
    """What a trigger asks for: the body of `POST /v1/activities`, validated.

    Exactly one of `agent_role` and `adapter` is set. None means: as the agent's settings say.
    """

    agent_role: str | None = None
    adapter: Adapter | None = None
    message: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    input_csv_url: str | None = None
    title: str = ""
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    timeout_seconds: int | None = None
    on_start_unknown: OnStartUnknown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What an EventBridge schedule opens each time it fires."""

    tenant: str
    name: str
    request: ActivityRequest
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorKey:
    """A stored operator key: its hash, never itself."""

    tenant: str
    key_id: str
    name: str
    scopes: tuple[str, ...]
    secret_sha256: str
    created_at: datetime
    expires_at: datetime | None = None
