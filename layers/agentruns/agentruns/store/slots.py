"""A connection's queue and slots in DynamoDB: rows that are written and deleted together with the
activities they are about, in `store.activities`' transactions."""

from __future__ import annotations

from collections.abc import Sequence

from agentruns.model import Activity, Admission, Priority
from agentruns.ports import Slots
from agentruns.store import keys
from agentruns.store.table import ABSENT, Condition, Delete, DynamoDbTable, Put

_LAST = "~"


def read_slots(table: DynamoDbTable, tenant: str, connection: str, waiting: int) -> Slots:
    """The first `waiting` of those that wait. Strongly consistent."""
    pk = keys.slots_key(tenant, connection)
    taken = table.read_range(pk, keys.SLOT_PREFIX, keys.SLOT_PREFIX + _LAST)
    first = table.read_range(pk, keys.WAITING_PREFIX, keys.WAITING_PREFIX + _LAST, waiting)
    return Slots(
        taken=frozenset(row["slot"] for row in taken),
        waiting=tuple(row["activity_id"] for row in first),
    )


def enter_queue(activity: Activity) -> Put:
    return Put(
        row={
            "pk": _key(activity),
            "sk": _waiting_sort_key(activity),
            "activity_id": activity.activity_id,
        },
        condition=ABSENT,
    )


def move(activity: Activity, before: Admission) -> Sequence[Put | Delete]:
    """What follows from an admission that was `before` and is now the activity's.

    A row that is not as it has to be fails the transaction."""
    writes: list[Put | Delete] = []
    if before is Admission.WAITING:
        writes.append(_delete(activity, _waiting_sort_key(activity)))
    if activity.admission is Admission.ADMITTED:
        writes.append(
            Put(
                row={
                    "pk": _key(activity),
                    "sk": keys.slot_sort_key(_slot(activity)),
                    "slot": _slot(activity),
                    "activity_id": activity.activity_id,
                },
                condition=ABSENT,
            )
        )
    elif before is Admission.ADMITTED:
        writes.append(_delete(activity, keys.slot_sort_key(_slot(activity))))
    return writes


def _delete(activity: Activity, sk: str) -> Delete:
    is_its = Condition(
        expression="activity_id = :activity_id", values={":activity_id": activity.activity_id}
    )
    return Delete(pk=_key(activity), sk=sk, condition=is_its)


def _key(activity: Activity) -> str:
    return keys.slots_key(activity.tenant, activity.adapter.connection)


def _waiting_sort_key(activity: Activity) -> str:
    is_high = activity.priority is Priority.HIGH
    return keys.waiting_sort_key(is_high, activity.created_at, activity.activity_id)


def _slot(activity: Activity) -> int:
    if activity.slot is None:
        raise ValueError(f"{activity.activity_id} was admitted without a slot")
    return activity.slot
