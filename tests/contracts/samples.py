"""Values to store. Each builder takes what a test is about and makes up the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from agentruns.comment import Comment, CommentType
from agentruns.definitions import ActivityRequest, Agent, OperatorKey, Schedule
from agentruns.durations import DurationHistory
from agentruns.event_types import EventType
from agentruns.ids import new_activity_id, new_comment_id, run_id_for, wait_id_for
from agentruns.model import Activity, ActivityInput, Idempotency, NewEvent, Run, Trigger
from agentruns.polling import Detection
from agentruns.ports import ActivityStore
from agentruns.providers import Connection, LeenaAopAdapter, LeenaConnection
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.wait import Wait, WaitKind
from agentruns.watching import Watch
from tests.fakes.clock import NOON

ADAPTER = LeenaAopAdapter(connection="hr", aop_id="aop-1")


def an_activity(**fields: Any) -> Activity:
    created_at = fields.pop("created_at", NOON)
    values: dict[str, Any] = {
        "tenant": "acme",
        "activity_id": new_activity_id(created_at),
        "agent_role": "it_support",
        "adapter": ADAPTER,
        "trigger": Trigger.API,
        "status": ActivityStatus.QUEUED,
        "created_at": created_at,
        "updated_at": created_at,
        "deadline_at": created_at + timedelta(days=1),
    }
    return Activity(**(values | fields))


def a_run(activity: Activity, **fields: Any) -> Run:
    attempt = fields.pop("attempt", 1)
    values: dict[str, Any] = {
        "tenant": activity.tenant,
        "activity_id": activity.activity_id,
        "run_id": run_id_for(activity.activity_id, attempt),
        "attempt": attempt,
        "status": RunStatus.PENDING,
        "created_at": activity.created_at,
    }
    return Run(**(values | fields))


def a_watched_run(activity: Activity, **fields: Any) -> Run:
    """Parked, and due at noon by its plan."""
    watch = Watch(
        connection="hr",
        aop_item_id="item-1",
        status=RunStatus.PAUSED,
        since=NOON - timedelta(hours=1),
        deadline_at=activity.deadline_at,
        polls=7,
        seen="0a1b2c3d",
        detection=Detection(relative_delay=None, max_delay_seconds=90),
        durations=DurationHistory.of([60, 70, 80]),
    )
    values: dict[str, Any] = {
        "status": RunStatus.PAUSED,
        "callback_token": "callback-1",
        "next_check_at": NOON,
        "due_at": NOON,
        "watch": watch,
    }
    return a_run(activity, **(values | fields))


def a_wait(activity: Activity, **fields: Any) -> Wait:
    number = fields.pop("number", 1)
    values: dict[str, Any] = {
        "tenant": activity.tenant,
        "activity_id": activity.activity_id,
        "wait_id": wait_id_for(activity.activity_id, number),
        "number": number,
        "kind": WaitKind.REVIEW,
        "run_id": run_id_for(activity.activity_id, 1),
        "opened_at": activity.created_at,
    }
    return Wait(**(values | fields))


def a_comment(activity: Activity, **fields: Any) -> Comment:
    values: dict[str, Any] = {
        "tenant": activity.tenant,
        "activity_id": activity.activity_id,
        "comment_id": new_comment_id(activity.created_at),
        "author": "operator:k1",
        "type": CommentType.COMMENT,
        "text": "nearly there",
        "created_at": activity.created_at,
    }
    return Comment(**(values | fields))


def an_event(activity: Activity, event_type: EventType = EventType.ACTIVITY_OPENED) -> NewEvent:
    return NewEvent(
        type=event_type,
        at=activity.updated_at,
        run_id=run_id_for(activity.activity_id, 1),
        detail={"status": activity.status.value},
    )


def an_idempotency(activity: Activity, **fields: Any) -> Idempotency:
    values: dict[str, Any] = {
        "scope": f"{activity.tenant}#api",
        "key": "ticket-1",
        "body_sha256": "0" * 64,
        "activity_id": activity.activity_id,
        "expires_at": activity.created_at + timedelta(hours=24),
    }
    return Idempotency(**(values | fields))


def create(
    store: ActivityStore, activity: Activity | None = None, run: Run | None = None, **fields: Any
) -> Activity:
    """Store an activity with one run and one event and give it back as it is stored."""
    activity = activity or an_activity(**fields)
    store.create(
        activity,
        ActivityInput(message="hello", context={"ticket": 1}),
        run or a_run(activity),
        (an_event(activity),),
        None,
    )
    return store.read(activity.tenant, activity.activity_id).activity


def a_connection(**fields: Any) -> Connection:
    values: dict[str, Any] = {
        "tenant": "acme",
        "name": "hr",
        "region": "us-east-1",
        "auth_url": "https://auth.example",
        "api_url": "https://api.example",
        "created_at": NOON,
        "updated_at": NOON,
    }
    return LeenaConnection(**(values | fields))


def an_agent(**fields: Any) -> Agent:
    values: dict[str, Any] = {
        "tenant": "acme",
        "role": "it_support",
        "adapter": ADAPTER,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Agent(**(values | fields))


def a_schedule(**fields: Any) -> Schedule:
    values: dict[str, Any] = {
        "tenant": "acme",
        "name": "nightly",
        "request": ActivityRequest(agent_role="it_support", message="go", tags=("night",)),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Schedule(**(values | fields))


def an_operator_key(**fields: Any) -> OperatorKey:
    values: dict[str, Any] = {
        "tenant": "acme",
        "key_id": "k1",
        "name": "ci",
        "scopes": ("activities:read", "activities:write"),
        "secret_sha256": "f" * 64,
        "created_at": NOON,
    }
    return OperatorKey(**(values | fields))


def touched(activity: Activity) -> Activity:
    return replace(activity, updated_at=activity.updated_at + timedelta(seconds=1))
