"""Schedules in DynamoDB: what to open. When to open it is EventBridge Scheduler's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentruns.definitions import ActivityRequest, Schedule
from agentruns.errors import ScheduleNotFound
from agentruns.model import OnStartUnknown, Priority
from agentruns.store.keys import schedules_key
from agentruns.store.settings_json import adapter_from_json, adapter_to_json
from agentruns.store.values import Row, read_json, read_time, write_json, write_time

if TYPE_CHECKING:
    from agentruns.store.table import DynamoDbTable


class DynamoDbScheduleStore:
    """`agentruns.ports.ScheduleStore` on the one table; listed by name."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, schedule: Schedule) -> None:
        self._table.put(_row(schedule))

    def get(self, tenant: str, name: str) -> Schedule:
        row = self._table.get(schedules_key(tenant), name)
        if row is None:
            raise ScheduleNotFound(name)
        return _schedule(row)

    def list(self, tenant: str) -> tuple[Schedule, ...]:
        return tuple(_schedule(row) for row in self._table.read_all(schedules_key(tenant)))

    def delete(self, tenant: str, name: str) -> None:
        """Read first: a condition on the delete would call its own repetition `not found`."""
        self.get(tenant, name)
        self._table.delete(schedules_key(tenant), name)


def _row(schedule: Schedule) -> Row:
    return {
        "pk": schedules_key(schedule.tenant),
        "sk": schedule.name,
        "tenant": schedule.tenant,
        "name": schedule.name,
        "request": write_json(_request_to_json(schedule.request)),
        "created_at": write_time(schedule.created_at),
        "updated_at": write_time(schedule.updated_at),
    }


def _schedule(row: Row) -> Schedule:
    return Schedule(
        tenant=row["tenant"],
        name=row["name"],
        request=_request_from_json(read_json(row["request"])),
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
    )


def _request_to_json(request: ActivityRequest) -> dict[str, Any]:
    unknown = request.on_start_unknown
    return {
        "agent_role": request.agent_role,
        "adapter": None if request.adapter is None else adapter_to_json(request.adapter),
        "message": request.message,
        "context": dict(request.context),
        "input_csv_url": request.input_csv_url,
        "title": request.title,
        "priority": request.priority.value,
        "tags": list(request.tags),
        "timeout_seconds": request.timeout_seconds,
        "on_start_unknown": None if unknown is None else unknown.value,
    }


def _request_from_json(value: dict[str, Any]) -> ActivityRequest:
    adapter, unknown = value["adapter"], value["on_start_unknown"]
    return ActivityRequest(
        agent_role=value["agent_role"],
        adapter=None if adapter is None else adapter_from_json(adapter),
        message=value["message"],
        context=value["context"],
        input_csv_url=value.get("input_csv_url"),
        title=value["title"],
        priority=Priority(value["priority"]),
        tags=tuple(value["tags"]),
        timeout_seconds=value["timeout_seconds"],
        on_start_unknown=None if unknown is None else OnStartUnknown(unknown),
    )
