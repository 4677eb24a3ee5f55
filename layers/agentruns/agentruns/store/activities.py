"""Activities, their runs and their event logs in DynamoDB.

One transition is one transaction: the activity and its runs on condition of the versions they were
read with, and the events under the next sequence numbers, which the activity's version makes
gapless. What a run's row only refers to, a large output, is stored before it. Not here: what a
transition is (`lifecycle`), publishing events (the table's stream).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from agentruns.errors import ActivityNotFound, SettingsMissing
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
    Run,
)
from agentruns.ports import ActivityFilter, DueRun, Slots
from agentruns.store import keys
from agentruns.store.comment_items import comment_writes
from agentruns.store.cursors import decode_cursor, encode_cursor
from agentruns.store.idempotency_items import idempotency_row, read_idempotency
from agentruns.store.items import (
    activity_row,
    event_row,
    input_row,
    read_activity,
    read_event,
    read_input,
    read_run,
    run_row,
)
from agentruns.store.slots import enter_queue, move, read_slots
from agentruns.store.table import ABSENT, Condition, Delete, DynamoDbTable, Put, at_version
from agentruns.store.tool_calls import tool_call_writes
from agentruns.store.values import Row, read_time, to_item, write_time
from agentruns.store.wait_items import read_wait, wait_row
from agentruns.store.watches import read_watch

if TYPE_CHECKING:
    from agentruns.outputs import OutputStore
    from agentruns.wait import Wait

MAX_LISTING_QUERIES = 5
FILTERED_PAGE_SIZE = 100
"""A filtered listing looks at no more than 5 x 100 activities in a call, or 5 x its limit."""

DUE_PAGE_SIZE = 2_500
"""Rows of under 400 bytes: a page stays below the megabyte at which DynamoDB ends it."""


class DynamoDbActivityStore:
    """`agentruns.ports.ActivityStore` on the one table; `outputs` is asked for at the first one.
    Without it, a change that has one is refused."""

    def __init__(
        self, table: DynamoDbTable, outputs: Callable[[], OutputStore] | None = None
    ) -> None:
        self._table = table
        self._outputs = outputs or _no_outputs

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
        """An idempotency key that had expired when the activity was created is taken over."""
        numbered = _number(activity, events)
        stored = replace(activity, version=1, last_sequence=activity.last_sequence + len(numbered))
        writes: list[Put | Delete] = [
            Put(row=activity_row(stored), condition=ABSENT),
            Put(row=input_row(stored, activity_input), condition=ABSENT),
            Put(row=run_row(replace(run, version=1)), condition=ABSENT),
            *(Put(row=event_row(event), condition=ABSENT) for event in numbered),
            *(Put(row=wait_row(replace(wait, version=1)), condition=ABSENT) for wait in waits),
        ]
        if activity.admission is Admission.WAITING:
            writes.append(enter_queue(stored))
        if idempotency is not None:
            free = _absent_or_expired(activity.created_at)
            writes.append(Put(row=idempotency_row(idempotency), condition=free))
        if predecessor is not None:
            writes += _writes_of(predecessor, _after(predecessor))
        self._table.write_all(f"activity {activity.activity_id!r} or its key", writes)

    def find_idempotency(self, scope: str, key: str, now: datetime) -> Idempotency | None:
        row = self._table.get(keys.idempotency_key(scope, key), keys.META)
        if row is None or read_time(row["expires_at"]) <= now:
            return None
        return read_idempotency(row, key)

    def read(self, tenant: str, activity_id: str) -> ActivityRecord:
        pk = keys.activity_key(tenant, activity_id)
        rows = self._table.read_range(pk, keys.META, keys.LAST_WAIT)
        if not rows:
            raise ActivityNotFound(activity_id)
        return ActivityRecord(
            activity=read_activity(rows[0]),
            runs=tuple(read_run(row) for row in rows if _is(keys.RUN_PREFIX, row)),
            waits=tuple(read_wait(row) for row in rows if _is(keys.WAIT_PREFIX, row)),
        )

    def read_input(self, tenant: str, activity_id: str) -> ActivityInput:
        row = self._table.get(keys.activity_key(tenant, activity_id), keys.INPUT)
        if row is None:
            raise ActivityNotFound(activity_id)
        return read_input(row)

    def apply(self, change: Change) -> ActivityRecord:
        for output in change.outputs:
            self._outputs().put(change.activity.tenant, output)
        stored = _after(change)
        writes = _writes_of(change, stored)
        self._table.write_all(f"activity {change.activity.activity_id!r}", writes)
        return stored

    def save_run(self, run: Run) -> Run:
        stored = replace(run, version=run.version + 1)
        put = Put(row=run_row(stored), condition=at_version(run.version))
        self._table.put_if(f"run {run.run_id!r}", put)
        return stored

    def list_activities(
        self, tenant: str, activity_filter: ActivityFilter, limit: int, cursor: str | None
    ) -> Page[Activity]:
        """Eventually consistent: a new activity may be missing for some milliseconds."""
        query = _listing_query(tenant, activity_filter, limit, cursor)
        found: list[Activity] = []
        last_seen: str | None = None
        for number, (rows, last_key) in enumerate(self._table.query_pages(**query), 1):
            found += [read_activity(row) for row in rows]
            last_seen = last_key["listing_sk"] if last_key else None
            if len(found) > limit or number == MAX_LISTING_QUERIES:
                break
        if len(found) > limit:
            last_seen = found[limit - 1].activity_id
        return Page(
            items=tuple(found[:limit]),
            next_cursor=encode_cursor(tenant, activity_filter, last_seen) if last_seen else None,
        )

    def list_events(
        self, tenant: str, activity_id: str, after: int, limit: int
    ) -> tuple[Event, ...]:
        if after >= keys.MAX_SEQUENCE:
            return ()
        rows = self._table.read_range(
            keys.activity_key(tenant, activity_id),
            keys.event_sort_key(max(after, 0) + 1),
            keys.event_sort_key(keys.MAX_SEQUENCE),
            limit,
        )
        return tuple(read_event(row) for row in rows)

    def read_slots(self, tenant: str, connection: str, waiting: int) -> Slots:
        return read_slots(self._table, tenant, connection, waiting)

    def list_due_runs(self, now: datetime, limit: int) -> tuple[DueRun, ...]:
        """Reads the shards side by side, no further than the limit asks for."""
        shards = [self._due_rows(shard, now, limit) for shard in range(keys.DUE_SHARDS)]
        oldest_first = heapq.merge(*shards, key=lambda row: str(row["due_sk"]))
        return tuple(_read_due_run(row) for row in islice(oldest_first, limit))

    def _due_rows(self, shard: int, now: datetime, limit: int) -> Iterator[Row]:
        pages = self._table.query_pages(
            IndexName=keys.DUE,
            KeyConditionExpression="due_pk = :pk AND due_sk < :end",
            ExpressionAttributeValues=to_item(
                {":pk": keys.due_shard_key(shard), ":end": keys.after_due(now)}
            ),
            Limit=min(limit, DUE_PAGE_SIZE),
        )
        for rows, _ in pages:
            yield from rows


def _no_outputs() -> OutputStore:
    raise SettingsMissing(["output_bucket_name"])


def _is(prefix: str, row: Row) -> bool:
    return str(row["sk"]).startswith(prefix)


def _read_due_run(row: Row) -> DueRun:
    """Of what the index projects."""
    return DueRun(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        run_id=row["run_id"],
        due_at=read_time(row["due_at"]),
        is_wait=_is(keys.WAIT_PREFIX, row),
        watch=read_watch(row["watch"]) if "watch" in row else None,
    )


def _after(change: Change) -> ActivityRecord:
    """The rows of a change with the versions they will have."""
    before = change.activity
    activity = replace(
        before,
        version=before.version + 1,
        last_sequence=before.last_sequence + len(change.events),
    )
    runs = tuple(replace(run, version=run.version + 1) for run in change.runs)
    waits = tuple(replace(wait, version=wait.version + 1) for wait in change.waits)
    return ActivityRecord(activity=activity, runs=runs, waits=waits)


def _writes_of(change: Change, after: ActivityRecord) -> list[Put | Delete]:
    before = change.activity
    writes: list[Put | Delete] = [
        Put(row=activity_row(after.activity), condition=at_version(before.version)),
        *(
            Put(row=run_row(stored), condition=_as_read(run.version))
            for run, stored in zip(change.runs, after.runs, strict=True)
        ),
        *(
            Put(row=wait_row(stored), condition=_as_read(wait.version))
            for wait, stored in zip(change.waits, after.waits, strict=True)
        ),
        *(write for comment in change.comments for write in comment_writes(comment)),
        *(Put(row=event_row(event), condition=ABSENT) for event in _number(before, change.events)),
    ]
    if change.tool_call is not None:
        writes += tool_call_writes(change.tool_call)
    if change.admission_before is not None:
        writes += move(after.activity, change.admission_before)
    return writes


def _as_read(version: int) -> Condition:
    return at_version(version) if version else ABSENT


def _number(activity: Activity, events: Sequence[NewEvent]) -> tuple[Event, ...]:
    return tuple(
        Event(
            tenant=activity.tenant,
            activity_id=activity.activity_id,
            sequence=sequence,
            type=event.type,
            at=event.at,
            run_id=event.run_id,
            detail=event.detail,
        )
        for sequence, event in enumerate(events, activity.last_sequence + 1)
    )


def _absent_or_expired(now: datetime) -> Condition:
    return Condition(
        expression="attribute_not_exists(pk) OR #expires_at <= :now",
        names={"#expires_at": "expires_at"},
        values={":now": write_time(now)},
    )


def _listing_query(
    tenant: str, activity_filter: ActivityFilter, limit: int, cursor: str | None
) -> dict[str, Any]:
    """One more than the limit is asked for: it tells whether this page is the last."""
    key_condition = "listing_pk = :pk"
    values: dict[str, str] = {":pk": keys.activities_listing(tenant)}
    if cursor is not None:
        key_condition += " AND listing_sk < :after"
        values[":after"] = decode_cursor(tenant, activity_filter, cursor)
    conditions, names, wanted = _filter_expression(activity_filter)
    query: dict[str, Any] = {
        "IndexName": keys.LISTING,
        "KeyConditionExpression": key_condition,
        "ExpressionAttributeValues": to_item(values | wanted),
        "ScanIndexForward": False,
        "Limit": limit + 1,
    }
    if conditions:
        query["FilterExpression"] = " AND ".join(conditions)
        query["ExpressionAttributeNames"] = names
        query["Limit"] = max(limit + 1, FILTERED_PAGE_SIZE)
    return query


def _filter_expression(
    activity_filter: ActivityFilter,
) -> tuple[list[str], Mapping[str, str], dict[str, str]]:
    conditions: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    if activity_filter.status is not None:
        conditions.append("#status = :status")
        names["#status"] = "status"
        values[":status"] = activity_filter.status.value
    if activity_filter.agent_role is not None:
        conditions.append("#agent_role IN (:agent_role, :other_spelling)")
        names["#agent_role"] = "agent_role"
        values[":agent_role"] = activity_filter.agent_role
        values[":other_spelling"] = other_spelling(activity_filter.agent_role)
    if activity_filter.tag is not None:
        conditions.append("contains(#tags, :tag)")
        names["#tags"] = "tags"
        values[":tag"] = activity_filter.tag
    return conditions, names, values
