"""What the use cases ask of the world. Each port has two implementations: the real one and a fake.

Shapes and errors stand here once; the contract suites hold both implementations to them. Not a
place for logic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from agentruns.budget import BudgetState
    from agentruns.definitions import Agent, OperatorKey, Schedule
    from agentruns.durations import StoredDurations
    from agentruns.gate import Door, GateState
    from agentruns.model import (
        Activity,
        ActivityInput,
        ActivityRecord,
        Change,
        Event,
        Idempotency,
        NewEvent,
        Page,
        Run,
    )
    from agentruns.providers import Connection
    from agentruns.statuses import ActivityStatus
    from agentruns.wait import Wait
    from agentruns.watching import Watch

Clock = Callable[[], datetime]
"""The time, aware UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFilter:
    """None means any."""

    status: ActivityStatus | None = None
    agent_role: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRun:
    """A run that has to be looked at, as the index of due runs knows it: ids and the time. With a
    `watch`, `due_at` is the first of its planned looks. `is_wait`: it is a wait of the run's."""

    tenant: str
    activity_id: str
    run_id: str
    due_at: datetime
    watch: Watch | None = None
    is_wait: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LookMark:
    """Until when the looks of a connection's watched runs are done; None: not yet.

    Where a tick had no time for all of them, the runs up to the id `ahead_to` are done until
    `ahead_until`. Version 0 is a mark that was never stored.
    """

    tenant: str
    connection: str
    until: datetime | None = None
    ahead_until: datetime | None = None
    ahead_to: str | None = None
    version: int = 0

    def done_until(self, run_id: str) -> datetime | None:
        is_ahead = self.ahead_to is not None and run_id <= self.ahead_to
        return self.ahead_until if is_ahead else self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """A connection's slots in use, and the ids of the activities that wait for one, next first."""

    taken: frozenset[int]
    waiting: tuple[str, ...]


class ActivityStore(Protocol):
    """Activities, their runs and their event logs: the truth. Also who waits for a connection and
    who has a slot of it, since that is written together with the activity."""

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
        """Store all of it at once, with a place in the connection's queue where the activity
        waits for a slot, and what becomes of the activity that it follows from. StoreConflict
        where the id or the idempotency key is taken, or the predecessor moved on."""

    def find_idempotency(self, scope: str, key: str, now: datetime) -> Idempotency | None:
        """The record of an unexpired key."""

    def read(self, tenant: str, activity_id: str) -> ActivityRecord:
        """Strongly consistent. ActivityNotFound."""

    def read_input(self, tenant: str, activity_id: str) -> ActivityInput:
        """ActivityNotFound."""

    def apply(self, change: Change) -> ActivityRecord:
        """Store a transition and its events in one transaction, its outputs before; versions go up
        by one, events get the next sequence numbers. Returns the activity and the change's runs as
        stored. StoreConflict where any row moved on since it was read, or the slot is taken."""

    def save_run(self, run: Run) -> Run:
        """Store a run's bookkeeping (polls, next check, callback token) without an event.
        StoreConflict where the row moved on."""

    def list_activities(
        self, tenant: str, activity_filter: ActivityFilter, limit: int, cursor: str | None
    ) -> Page[Activity]:
        """Newest first. A page may be short before the last one; follow `next_cursor` to None.
        InvalidRequest for a cursor that this call did not give."""

    def list_events(
        self, tenant: str, activity_id: str, after: int, limit: int
    ) -> tuple[Event, ...]:
        """Events with a sequence above `after`, ascending. Empty for an unknown activity."""

    def read_slots(self, tenant: str, connection: str, waiting: int) -> Slots:
        """With so many that wait, high priority first, then the oldest. Strongly consistent."""

    def list_due_runs(self, now: datetime, limit: int) -> tuple[DueRun, ...]:
        """Whose `due_at` has come, of every tenant, oldest first. Eventually consistent."""


class ConnectionStore(Protocol):
    def put(self, connection: Connection) -> None: ...

    def get(self, tenant: str, name: str) -> Connection:
        """ConnectionNotFound."""

    def list(self, tenant: str) -> tuple[Connection, ...]: ...

    def delete(self, tenant: str, name: str) -> None:
        """ConnectionNotFound."""


class AgentStore(Protocol):
    def put(self, agent: Agent) -> None: ...

    def get(self, tenant: str, role: str) -> Agent:
        """AgentNotFound."""

    def list(self, tenant: str) -> tuple[Agent, ...]: ...

    def delete(self, tenant: str, role: str) -> None:
        """AgentNotFound."""


class ScheduleStore(Protocol):
    def put(self, schedule: Schedule) -> None: ...

    def get(self, tenant: str, name: str) -> Schedule:
        """ScheduleNotFound."""

    def list(self, tenant: str) -> tuple[Schedule, ...]: ...

    def delete(self, tenant: str, name: str) -> None:
        """ScheduleNotFound."""


class DurationStore(Protocol):
    """What agents' past runs took. A row lives 90 days after its last write."""

    def read(self, tenant: str, subject: str) -> StoredDurations:
        """Strongly consistent; empty, at version 0, where there are none."""

    def write(self, durations: StoredDurations, now: datetime) -> None:
        """At the version it was read with; it goes up by one. StoreConflict where the row moved
        on."""


class OperatorKeyStore(Protocol):
    def put(self, key: OperatorKey) -> None: ...

    def find(self, key_id: str) -> OperatorKey | None:
        """By its id alone: the tenant is what the key tells us."""

    def list(self, tenant: str) -> tuple[OperatorKey, ...]: ...

    def delete(self, tenant: str, key_id: str) -> None:
        """OperatorKeyNotFound."""


class LeaseStore(Protocol):
    """Who may do a thing that only one may do at a time."""

    def acquire(self, name: str, owner: str, now: datetime, ttl_seconds: float) -> bool:
        """True if `owner` holds it now: it was free, run out, or the owner's own already."""

    def release(self, name: str, owner: str) -> None:
        """Nothing happens where somebody else holds it."""


class GateStore(Protocol):
    """The gates of connections, two small rows each. A row lives a day after its last write."""

    def read(self, tenant: str, connection: str, door: Door, *, consistent: bool) -> GateState:
        """Open, at version 0, where there is none. `consistent`: not a moment old."""

    def write(self, state: GateState, now: datetime) -> GateState:
        """At the version it was read with; returned as stored, one version on. StoreConflict
        where the row moved on."""


class LookMarkStore(Protocol):
    """How far the sweeper is with the watched runs of each connection."""

    def list(self) -> tuple[LookMark, ...]:
        """Of all tenants. Strongly consistent."""

    def read(self, tenant: str, connection: str) -> LookMark:
        """Strongly consistent; at version 0 where there is none."""

    def write(self, mark: LookMark, now: datetime) -> None:
        """At the version it was read with, plus one; StoreConflict. It lives 40 days."""


class BudgetStore(Protocol):
    """The request budgets of connections. A row lives a day after its last write."""

    def read(self, tenant: str, connection: str) -> BudgetState:
        """Strongly consistent. Unused, at version 0, where there is none."""

    def write(self, state: BudgetState, now: datetime) -> BudgetState:
        """At the version it was read with; returned as stored, one version on. StoreConflict
        where the row moved on."""


class SecretStore(Protocol):
    """JSON documents kept in Secrets Manager, by full secret name."""

    def get(self, name: str) -> Mapping[str, Any] | None:
        """None where there is none. SecretMalformed where it is not a JSON object."""

    def get_previous(self, name: str) -> Mapping[str, Any] | None:
        """The version before the current one; errors as `get`."""

    def put(self, name: str, document: Mapping[str, Any], description: str) -> None:
        """Create it or put a new version."""

    def delete(self, name: str) -> None:
        """At once, without a recovery window. Nothing happens where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionState:
    """`running` is what matters; `status` is Step Functions' own word."""

    running: bool
    status: str


class Executions(Protocol):
    """The state machine's executions."""

    def start(self, name: str, payload: Mapping[str, Any]) -> str:
        """The execution's ARN. A name that runs already is as good as started."""

    def stop(self, execution_arn: str, reason: str) -> None:
        """Nothing happens where it has ended."""

    def describe(self, execution_arn: str) -> ExecutionState | None:
        """None where Step Functions does not know it (any more)."""

    def wake(self, callback_token: str, output: Mapping[str, Any]) -> bool:
        """Complete the waiting task. False where nobody waits on that token any more."""


class EventBus(Protocol):
    def publish(self, events: Sequence[Event]) -> tuple[int, ...]:
        """The indexes of those that the bus did not take."""
