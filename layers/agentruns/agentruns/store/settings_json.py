"""Adapters, retry policies and detection settings as JSON, as agents, schedules and activities keep
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.providers import (
    HUMAN,
    LEAP_WORKFLOW,
    WEBHOOK_AGENT,
    Adapter,
    HumanAdapter,
    LeapWorkflowAdapter,
    LeenaAopAdapter,
    WebhookAgentAdapter,
)
from agentruns.store.values import read_json

if TYPE_CHECKING:
    from agentruns.model import RetryPolicy


def adapter_to_json(adapter: Adapter) -> dict[str, str]:
    if isinstance(adapter, WebhookAgentAdapter):
        return {"type": adapter.type, "url": adapter.url}
    if isinstance(adapter, HumanAdapter):
        return {"type": adapter.type, "user_id": adapter.user_id}
    work = "workflow_id" if isinstance(adapter, LeapWorkflowAdapter) else "aop_id"
    return {"type": adapter.type, "connection": adapter.connection, work: adapter.work_id}


def adapter_from_json(value: dict[str, str]) -> Adapter:
    if value.get("type") == WEBHOOK_AGENT:
        return WebhookAgentAdapter(url=value["url"])
    if value.get("type") == HUMAN:
        return HumanAdapter(user_id=value["user_id"])
    if value.get("type") == LEAP_WORKFLOW:
        return LeapWorkflowAdapter(connection=value["connection"], workflow_id=value["workflow_id"])
    return LeenaAopAdapter(connection=value["connection"], aop_id=value["aop_id"])


def retry_to_json(retry: RetryPolicy) -> dict[str, int]:
    return {"max_attempts": retry.max_attempts, "backoff_seconds": retry.backoff_seconds}


def detection_to_json(detection: Detection) -> dict[str, float | int | None]:
    return {
        "relative_delay": detection.relative_delay,
        "max_delay_seconds": detection.max_delay_seconds,
    }


def detection_from_json(text: str | None) -> Detection:
    """Rows that were stored before the setting was there have the usual one."""
    return USUAL_DETECTION if text is None else Detection(**read_json(text))
