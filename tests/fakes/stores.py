"""The stores of `agentruns.ports` in memory. A lock makes each call as atomic as a transaction."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, Generic, TypeVar

from botocore.exceptions import ClientError

from agentruns.agent_reports import ToolCall
from agentruns.comment import Comment
from agentruns.definitions import Agent, OperatorKey, Schedule
from agentruns.durations import StoredDurations
from agentruns.errors import (
    ActivityNotFound,
    AgentNotFound,
    ConnectionNotFound,
    NotFound,
    OperatorKeyNotFound,
    ScheduleNotFound,
    StoreConflict,
)
from agentruns.ids import other_spelling
from agentruns.model import (
    Activity,
    ActivityInput,
    ActivityRecord,
    Admission,
    Change,
    Event,
    Idempotency,
    NewEvent,
    Page,
    Priority,
    Run,
)
from agentruns.outputs import OutputStore
from agentruns.ports import ActivityFilter, DueRun, Slots
from agentruns.providers import Connection
from agentruns.statuses import RunStatus
from agentruns.store.cursors import decode_cursor, encode_cursor
from agentruns.store.inbox import decode_inbox_cursor, encode_inbox_cursor
from agentruns.store.items import run_row
from agentruns.store.values import write_time
from agentruns.wait import Wait
from agentruns.wait_ports import InboxEntry
from tests.fakes.outputs import InMemoryOutputStore

MAX_ITEM_BYTES = 400 * 1024
"""Of an item in DynamoDB, names and values counted."""

N = TypeVar("N", Connection, Agent, Schedule)


@dataclass(slots=True)
class _Entry:
    activity: Activity
    activity_input: ActivityInput
    runs: dict[int, Run]
    events: list[Event]
    waits: dict[int, Wait] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)


class InMemoryActivityStore:
    def __init__(self, outputs: OutputStore | None = None) -> None:
        self.outputs = outputs or InMemoryOutputStore()
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._idempotency: dict[tuple[str, str], Idempotency] = {}
        self._queues: dict[tuple[str, str], list[Activity]] = {}
        self._slots: dict[tuple[str, str], dict[int, str]] = {}
        self._lock = RLock()
        self.tool_calls: list[ToolCall] = []

    def create(
        self,
        activity: Activity,
        activity_input: ActivityInput,
        run: Run,
        events: Sequence[NewEvent],
        idempotency: Idempotency | None,
        predecessor: Change | None = None,
        waits: Sequence[Wait] = (),
    ) -> None:
        key = (activity.tenant, activity.activity_id)
        with self._lock:
            if key in self._entries:
                raise StoreConflict(f"activity {activity.activity_id!r} exists")
            if idempotency is not None:
                self._require_free(idempotency, activity.created_at)
            if predecessor is not None:
                self.apply(predecessor)
            if idempotency is not None:
                self._idempotency[idempotency.scope, idempotency.key] = idempotency
            if activity.admission is Admission.WAITING:
                self._queue(activity).append(activity)
            self._entries[key] = _Entry(
                activity=replace(
                    activity, version=1, last_sequence=activity.last_sequence + len(events)
                ),
                activity_input=replace(activity_input, context=_as_json(activity_input.context)),
                runs={run.attempt: _stored_run(replace(run, version=0))},
                events=_numbered(activity, events),
                waits={wait.number: replace(wait, version=1) for wait in waits},
            )

    def _require_free(self, idempotency: Idempotency, now: datetime) -> None:
        earlier = self._idempotency.get((idempotency.scope, idempotency.key))
        if earlier is not None and earlier.expires_at > now:
            raise StoreConflict(f"idempotency key {idempotency.key!r} is taken")

    def find_idempotency(self, scope: str, key: str, now: datetime) -> Idempotency | None:
        with self._lock:
            found = self._idempotency.get((scope, key))
        return found if found is not None and found.expires_at > now else None

    def read(self, tenant: str, activity_id: str) -> ActivityRecord:
        with self._lock:
            entry = self._entry(tenant, activity_id)
            runs = tuple(entry.runs[attempt] for attempt in sorted(entry.runs))
            waits = tuple(entry.waits[number] for number in sorted(entry.waits))
            return ActivityRecord(activity=entry.activity, runs=runs, waits=waits)

    def read_input(self, tenant: str, activity_id: str) -> ActivityInput:
        with self._lock:
            return self._entry(tenant, activity_id).activity_input

    def apply(self, change: Change) -> ActivityRecord:
        activity = change.activity
        for output in change.outputs:
            self.outputs.put(activity.tenant, output)
        with self._lock:
            entry = self._entries.get((activity.tenant, activity.activity_id))
            if entry is None or entry.activity.version != activity.version:
                raise StoreConflict(f"activity {activity.activity_id!r} moved on")
            for run in change.runs:
                _require_version(entry, run)
            for wait in change.waits:
                before = entry.waits.get(wait.number)
                if (before.version if before else 0) != wait.version:
                    raise StoreConflict(f"wait {wait.wait_id!r} moved on")
            for comment in change.comments:
                _require_new(entry, comment)
            stored = tuple(_stored_run(run) for run in change.runs)
            if change.admission_before is not None:
                self._move(activity, change.admission_before)
            if change.tool_call is not None:
                self.tool_calls.append(_stored_call(change.tool_call))
            entry.events += _numbered(activity, change.events)
            entry.activity = replace(
                activity,
                version=activity.version + 1,
                last_sequence=activity.last_sequence + len(change.events),
            )
            entry.runs.update({run.attempt: run for run in stored})
            waits = tuple(replace(wait, version=wait.version + 1) for wait in change.waits)
            entry.waits.update({wait.number: wait for wait in waits})
            entry.comments += change.comments
            return ActivityRecord(activity=entry.activity, runs=stored, waits=waits)

    def save_run(self, run: Run) -> Run:
        with self._lock:
            entry = self._entries.get((run.tenant, run.activity_id))
            if entry is None or run.attempt not in entry.runs:
                raise StoreConflict(f"run {run.run_id!r} is not there")
            _require_version(entry, run)
            entry.runs[run.attempt] = _stored_run(run)
            return entry.runs[run.attempt]

    def list_activities(
        self, tenant: str, activity_filter: ActivityFilter, limit: int, cursor: str | None
    ) -> Page[Activity]:
        after = decode_cursor(tenant, activity_filter, cursor) if cursor is not None else None
        with self._lock:
            found = [
                entry.activity
                for (owner, activity_id), entry in self._entries.items()
                if owner == tenant
                and (after is None or activity_id < after)
                and _matches(entry.activity, activity_filter)
            ]
        found.sort(key=lambda activity: activity.activity_id, reverse=True)
        items = tuple(found[:limit])
        more = len(found) > limit
        return Page(
            items=items,
            next_cursor=encode_cursor(tenant, activity_filter, items[-1].activity_id)
            if more
            else None,
        )

    def list_events(
        self, tenant: str, activity_id: str, after: int, limit: int
    ) -> tuple[Event, ...]:
        with self._lock:
            entry = self._entries.get((tenant, activity_id))
            events = list(entry.events) if entry else []
        return tuple(event for event in events if event.sequence > after)[:limit]

    def read_slots(self, tenant: str, connection: str, waiting: int) -> Slots:
        with self._lock:
            taken = self._slots.get((tenant, connection), {})
            queue = sorted(
                self._queues.get((tenant, connection), []),
                key=lambda each: (
                    each.priority is not Priority.HIGH,
                    each.created_at,
                    each.activity_id,
                ),
            )
        return Slots(
            taken=frozenset(taken), waiting=tuple(each.activity_id for each in queue[:waiting])
        )

    def _queue(self, activity: Activity) -> list[Activity]:
        return self._queues.setdefault((activity.tenant, activity.adapter.connection), [])

    def _move(self, activity: Activity, before: Admission) -> None:
        holder = activity.activity_id
        slots = self._slots.setdefault((activity.tenant, activity.adapter.connection), {})
        queue = self._queue(activity)
        place = next((n for n, each in enumerate(queue) if each.activity_id == holder), None)
        if before is Admission.WAITING and place is None:
            raise StoreConflict(f"{holder} does not wait")
        slot = -1 if activity.slot is None else activity.slot
        if activity.admission is Admission.ADMITTED:
            if slot in slots:
                raise StoreConflict(f"slot {slot} is taken")
            slots[slot] = holder
        elif before is Admission.ADMITTED:
            if slots.get(slot) != holder:
                raise StoreConflict(f"slot {slot} is not of {holder}")
            del slots[slot]
        if place is not None:
            del queue[place]

    def list_due_runs(self, now: datetime, limit: int) -> tuple[DueRun, ...]:
        with self._lock:
            due = [
                (run.due_at, run)
                for entry in self._entries.values()
                for run in entry.runs.values()
                if run.due_at is not None and run.due_at <= now
            ]
            waits: list[tuple[datetime, str, Run | Wait]] = [
                (wait.due_at, wait.wait_id, wait)
                for entry in self._entries.values()
                for wait in entry.waits.values()
                if wait.due_at is not None and wait.due_at <= now
            ]
        waits += [(at, run.run_id, run) for at, run in due]
        found = sorted(waits, key=lambda item: item[:2])
        return tuple(
            DueRun(
                tenant=each.tenant,
                activity_id=each.activity_id,
                run_id=each.run_id,
                due_at=due_at,
                watch=each.watch if isinstance(each, Run) else None,
                is_wait=isinstance(each, Wait),
            )
            for due_at, _, each in found[:limit]
        )

    def list_inbox(self, tenant: str, limit: int, cursor: str | None) -> Page[InboxEntry]:
        after = "" if cursor is None else decode_inbox_cursor(tenant, cursor)
        with self._lock:
            found = [
                (f"{write_time(since)}#{item_id}", since, item_id, activity_id)
                for (owner, activity_id), entry in self._entries.items()
                for since, item_id in _for_people(entry)
                if owner == tenant
            ]
        shown = sorted(each for each in found if each[0] > after)
        return Page(
            items=tuple(
                InboxEntry(activity_id=activity_id, item_id=item_id, since=since)
                for _, since, item_id, activity_id in shown[:limit]
            ),
            next_cursor=encode_inbox_cursor(tenant, shown[limit - 1][0])
            if len(shown) > limit
            else None,
        )

    def list_comments(
        self, tenant: str, activity_id: str, after: str, limit: int
    ) -> tuple[Comment, ...]:
        with self._lock:
            entry = self._entries.get((tenant, activity_id))
            comments = sorted(entry.comments, key=lambda each: each.comment_id) if entry else []
        return tuple(each for each in comments if each.comment_id > after)[:limit]

    def list_newest_comments(
        self, tenant: str, activity_id: str, limit: int
    ) -> tuple[Comment, ...]:
        return self.list_comments(tenant, activity_id, "", 10**9)[-limit:]

    def find_comment(self, tenant: str, activity_id: str, comment_id: str) -> Comment | None:
        found = self.list_comments(tenant, activity_id, "", 10**9)
        return next((each for each in found if each.comment_id == comment_id), None)

    def find_comment_by_key(self, tenant: str, activity_id: str, key_sha256: str) -> Comment | None:
        found = self.list_comments(tenant, activity_id, "", 10**9)
        return next((each for each in found if each.key_sha256 == key_sha256), None)

    def _entry(self, tenant: str, activity_id: str) -> _Entry:
        try:
            return self._entries[tenant, activity_id]
        except KeyError:
            raise ActivityNotFound(activity_id) from None


def _for_people(entry: _Entry) -> list[tuple[datetime, str]]:
    waiting = [
        (wait.opened_at, wait.wait_id)
        for wait in entry.waits.values()
        if wait.is_open and wait.kind.is_for_a_person
    ]
    return waiting + [
        (run.status_since or run.created_at, run.run_id)
        for run in entry.runs.values()
        if run.status in {RunStatus.PAUSED, RunStatus.START_UNKNOWN}
    ]


def _require_new(entry: _Entry, comment: Comment) -> None:
    for other in entry.comments:
        has_key = comment.key_sha256 is not None and other.key_sha256 == comment.key_sha256
        if has_key or other.comment_id == comment.comment_id:
            raise StoreConflict(f"comment {comment.comment_id!r} or its key is taken")


def _require_version(entry: _Entry, run: Run) -> None:
    stored = entry.runs.get(run.attempt)
    if (stored.version if stored else 0) != run.version:
        raise StoreConflict(f"run {run.run_id!r} moved on")


def _stored_run(run: Run) -> Run:
    _require_row_size(run)
    watch = run.watch if run.is_watched else None
    return replace(run, version=run.version + 1, output=_as_json(run.output), watch=watch)


def _require_row_size(run: Run) -> None:
    """A string's length in UTF-8 counts; what else a row holds is small."""
    row = run_row(run)
    texts = [*row, *(value for value in row.values() if isinstance(value, str))]
    if sum(len(text.encode()) for text in texts) > MAX_ITEM_BYTES:
        message = "Item size has exceeded the maximum allowed size"
        error: Any = {"Error": {"Code": "ValidationException", "Message": message}}
        raise ClientError(error, "TransactWriteItems")


def _stored_call(call: ToolCall) -> ToolCall:
    return replace(call, input=_as_json(call.input), output=_as_json(call.output))


def _numbered(activity: Activity, events: Sequence[NewEvent]) -> list[Event]:
    return [
        Event(
            tenant=activity.tenant,
            activity_id=activity.activity_id,
            sequence=sequence,
            type=event.type,
            at=event.at,
            run_id=event.run_id,
            detail=_as_json(event.detail),
        )
        for sequence, event in enumerate(events, activity.last_sequence + 1)
    ]


def _as_json(value: Any) -> Any:
    """A copy with JSON's types only, as a store gives it back; fails where JSON would."""
    if value is None:
        return None
    return json.loads(json.dumps(value, allow_nan=False))


def _matches(activity: Activity, wanted: ActivityFilter) -> bool:
    return (
        (wanted.status is None or activity.status is wanted.status)
        and (
            wanted.agent_role is None
            or activity.agent_role in (wanted.agent_role, other_spelling(wanted.agent_role))
        )
        and (wanted.tag is None or wanted.tag in activity.tags)
    )


class _NamedStore(ABC, Generic[N]):
    """Values by tenant and name; listed by name."""

    not_found: type[NotFound]

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], N] = {}

    def put(self, value: N) -> None:
        self._values[value.tenant, self._name(value)] = value

    def get(self, tenant: str, name: str) -> N:
        try:
            return self._values[tenant, name]
        except KeyError:
            raise self.not_found(name) from None

    def list(self, tenant: str) -> tuple[N, ...]:
        names = sorted(name for owner, name in self._values if owner == tenant)
        return tuple(self._values[tenant, name] for name in names)

    def delete(self, tenant: str, name: str) -> None:
        self.get(tenant, name)
        del self._values[tenant, name]

    @abstractmethod
    def _name(self, value: N) -> str: ...


class InMemoryConnectionStore(_NamedStore[Connection]):
    not_found = ConnectionNotFound

    def put(self, connection: Connection) -> None:
        super().put(connection)

    def _name(self, value: Connection) -> str:
        return value.name


class InMemoryScheduleStore(_NamedStore[Schedule]):
    not_found = ScheduleNotFound

    def put(self, schedule: Schedule) -> None:
        super().put(schedule)

    def _name(self, value: Schedule) -> str:
        return value.name


class InMemoryAgentStore(_NamedStore[Agent]):
    not_found = AgentNotFound

    def _name(self, value: Agent) -> str:
        return value.role

    def put(self, agent: Agent) -> None:
        super().put(agent)

    def get(self, tenant: str, role: str) -> Agent:
        return super().get(tenant, role)

    def delete(self, tenant: str, role: str) -> None:
        super().delete(tenant, role)


class InMemoryDurationStore:
    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], StoredDurations] = {}
        self._lock = RLock()

    def read(self, tenant: str, subject: str) -> StoredDurations:
        empty = StoredDurations(tenant=tenant, subject=subject)
        return self._rows.get((tenant, subject), empty)

    def write(self, durations: StoredDurations, now: datetime) -> None:
        with self._lock:
            if self.read(durations.tenant, durations.subject).version != durations.version:
                raise StoreConflict(f"durations of {durations.subject!r} moved on")
            stored = replace(durations, version=durations.version + 1)
            self._rows[(durations.tenant, durations.subject)] = stored


class InMemoryOperatorKeyStore:
    def __init__(self) -> None:
        self._keys: dict[str, OperatorKey] = {}

    def put(self, key: OperatorKey) -> None:
        self._keys[key.key_id] = key

    def find(self, key_id: str) -> OperatorKey | None:
        return self._keys.get(key_id)

    def list(self, tenant: str) -> tuple[OperatorKey, ...]:
        return tuple(self._keys[i] for i in sorted(self._keys) if self._keys[i].tenant == tenant)

    def delete(self, tenant: str, key_id: str) -> None:
        key = self._keys.get(key_id)
        if key is None or key.tenant != tenant:
            raise OperatorKeyNotFound(key_id)
        del self._keys[key_id]


class InMemoryLeaseStore:
    def __init__(self) -> None:
        self._leases: dict[str, tuple[str, datetime]] = {}
        self._lock = RLock()

    def acquire(self, name: str, owner: str, now: datetime, ttl_seconds: float) -> bool:
        with self._lock:
            held = self._leases.get(name)
            if held is not None and held[0] != owner and held[1] > now:
                return False
            self._leases[name] = (owner, now + timedelta(seconds=ttl_seconds))
            return True

    def release(self, name: str, owner: str) -> None:
        with self._lock:
            held = self._leases.get(name)
            if held is not None and held[0] == owner:
                del self._leases[name]

    def holder(self, name: str) -> str | None:
        """For a test to look at."""
        held = self._leases.get(name)
        return held[0] if held else None
